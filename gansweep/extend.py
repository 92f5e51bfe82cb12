"""`python -m gansweep.extend`: another spelling of `gansweep extend`."""

from gansweep.commands.extend import main

if __name__ == "__main__":
    main()
