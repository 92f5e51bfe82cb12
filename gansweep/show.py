"""`python -m gansweep.show`: another spelling of `gansweep show`."""

from gansweep.commands.show import main

if __name__ == "__main__":
    main()
