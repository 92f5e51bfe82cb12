"""`python -m gansweep.judge`: another spelling of `gansweep judge`."""

from gansweep.commands.judge import main

if __name__ == "__main__":
    main()
