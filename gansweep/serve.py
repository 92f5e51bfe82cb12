"""`python -m gansweep.serve`: another spelling of `gansweep serve`."""

from gansweep.commands.serve import main

if __name__ == "__main__":
    main()
