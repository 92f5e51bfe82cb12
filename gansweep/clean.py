"""`python -m gansweep.clean`: another spelling of `gansweep clean`."""

from gansweep.commands.clean import main

if __name__ == "__main__":
    main()
