"""`python -m gansweep.sample`: another spelling of `gansweep sample`."""

from gansweep.commands.sample import main

if __name__ == "__main__":
    main()
