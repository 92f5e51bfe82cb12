"""`python -m gansweep.export`: another spelling of `gansweep export`."""

from gansweep.commands.export import main

if __name__ == "__main__":
    main()
