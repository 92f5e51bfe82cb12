"""`python -m gansweep.status`: another spelling of `gansweep status`."""

from gansweep.commands.status import main

if __name__ == "__main__":
    main()
