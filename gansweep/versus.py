"""`python -m gansweep.versus`: another spelling of `gansweep versus`."""

from gansweep.commands.versus import main

if __name__ == "__main__":
    main()
