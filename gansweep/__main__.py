"""Run `gansweep COMMAND …`, or train with `gansweep name=value …`, without heavy imports."""

from __future__ import annotations

import importlib
import os
import sys

from gansweep import __version__
from gansweep.commands import COMMANDS
from gansweep.terminal.streams import replace_what_cannot_be_encoded

HELP = {"--help", "-h"}


def main() -> None:
    """Entry point of `python -m gansweep` and of the command `gansweep`."""
    open_standard_streams()
    replace_what_cannot_be_encoded()
    try:
        _main(sys.argv[1:])
    except BrokenPipeError:  # the reader of `… --help | head` has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None


def open_standard_streams() -> None:
    """Open the standard streams that a daemon has closed, on /dev/null.

    Otherwise later files and pipes would get the numbers 0 to 2.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest free number is assigned
            assert opened == number
            os.set_inheritable(opened, True)
            setattr(sys, name, open(opened, "r" if number == 0 else "w", encoding="utf-8"))  # noqa: SIM115, PTH123


def _main(arguments: list[str]) -> None:
    """Run the command that the first argument names, or else train."""
    if arguments and arguments[0] in COMMANDS:
        command = importlib.import_module(f"gansweep.commands.{arguments[0]}")
        command.main(arguments[1:])
    elif HELP & set(arguments):
        from gansweep.commands.help import print_help

        print_help(arguments)
    elif "--version" in arguments:
        print(f"gansweep {__version__}")
    else:
        from gansweep.commands.train import main as train

        train(arguments)


if __name__ == "__main__":
    main()
