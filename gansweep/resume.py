"""`python -m gansweep.resume SWEEP`: the sweep's own command again, for what is missing."""

from __future__ import annotations

import argparse
import shlex
import sys

from gansweep.config import DEFAULTS
from gansweep.console import console
from gansweep.errors import UserError, one_line_errors
from gansweep.sweep.manifest import read_manifest


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m gansweep.resume",
        description="Continue an interrupted sweep: finished rows are skipped, interrupted ones "
        "go on from their last checkpoint.",
        epilog="Type it in the folder where the sweep was started: its paths are relative.",
    )
    parser.add_argument("sweep", help="the sweep's name, as its last line of output shows it")
    parser.add_argument(
        "override", nargs="*", help="added to the sweep's command, as retry=failed or plan=true"
    )
    parser.add_argument(
        "--out", default=DEFAULTS["out"], help="folder of runs (default %(default)s)"
    )
    args = parser.parse_intermixed_args(argv)
    with one_line_errors():
        command = read_manifest(args.out, args.sweep).command
        words = shlex.split(command)
        if words[2] != "gansweep":
            raise UserError(f"sweep {args.sweep} goes on by its own command: {command}")
    arguments = words[3:]
    given = {word.split("=")[0] for word in args.override}
    arguments = [a for a in arguments if a.split("=")[0] not in given] + args.override
    console.print(shlex.join(["python", "-m", "gansweep", *arguments]))

    from gansweep.__main__ import main as gansweep

    sys.argv[1:] = arguments
    gansweep()


if __name__ == "__main__":
    main()
