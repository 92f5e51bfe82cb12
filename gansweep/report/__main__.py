"""`python -m gansweep.report`, an alias of `gansweep report`."""

from gansweep.commands.report import main

if __name__ == "__main__":
    main()
