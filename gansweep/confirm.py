"""`python -m gansweep.confirm`: another spelling of `gansweep confirm`."""

from gansweep.commands.confirm import main

if __name__ == "__main__":
    main()
