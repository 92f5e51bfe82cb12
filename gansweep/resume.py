"""`python -m gansweep.resume`: another spelling of `gansweep resume`."""

from gansweep.commands.resume import main

if __name__ == "__main__":
    main()
