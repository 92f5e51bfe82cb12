"""`python -m gansweep.data`: another spelling of `gansweep data`."""

from gansweep.commands.data import main

if __name__ == "__main__":
    main()
