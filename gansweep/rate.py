"""`python -m gansweep.rate`: another spelling of `gansweep rate`."""

from gansweep.commands.rate import main

if __name__ == "__main__":
    main()
