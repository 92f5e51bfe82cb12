"""`python -m gansweep.diff`: another spelling of `gansweep diff`."""

from gansweep.commands.diff import main

if __name__ == "__main__":
    main()
