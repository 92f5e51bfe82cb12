"""`python -m gansweep resume SWEEP`: repeat the sweep's command, which trains the missing runs."""

from __future__ import annotations

import argparse
import importlib
import shlex
from contextlib import suppress

from gansweep.commands import train
from gansweep.commands.again import PLAN, RETRY
from gansweep.config import DEFAULTS
from gansweep.launch.names import ALIASES
from gansweep.store.errors import UserError, one_line_errors
from gansweep.store.find_run import SWEEP, find_sweep
from gansweep.store.manifest import read_manifest
from gansweep.terminal.console import console

# Commands that write a manifest, and what resumes in words.
REPEATING = {
    "confirm": "a confirmation", "extend": "an extension", "versus": "a comparison",
    "judge": "a judgement",
}  # fmt: skip


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m gansweep resume",
        description="Continue an interrupted sweep: finished runs are skipped, interrupted runs "
        "resume from their last checkpoints.",
        epilog="Run this command in the folder where the sweep was started, as paths are relative.",
    )
    parser.add_argument("sweep", help=SWEEP)
    parser.add_argument(
        "override", nargs="*", help="added to the sweep's command, as retry=failed or plan=true"
    )
    parser.add_argument(
        "--out", default=DEFAULTS["out"], help="folder of runs (default %(default)s)"
    )
    args = parser.parse_intermixed_args(argv)
    with one_line_errors():
        command = read_manifest(args.out, find_sweep(args.sweep, args.out)).command
        arguments = _arguments(command)
        command_name = arguments[0] if arguments[0] in REPEATING else ""
        valid = (RETRY, PLAN) if command_name != "judge" else ()
        other = [word for word in args.override if word not in valid]
        if command_name and other:
            what = REPEATING[command_name]
            raise UserError(f"{what} resumes with its own parameters: leave out {other[0]}")
    added = [ALIASES.get(word, word) for word in args.override]
    given = {word.split("=")[0] for word in added}
    arguments = [a for a in arguments if a.split("=")[0] not in given] + added
    console.print(shlex.join(["python", "-m", "gansweep", *arguments]))
    if command_name:
        importlib.import_module(f"gansweep.commands.{command_name}").main(arguments[1:])
    else:
        train.main(arguments)


def _arguments(command: str) -> list[str]:
    """Return the words after `python -m gansweep`. Raises UserError for any other command."""
    words: list[str] = []
    with suppress(ValueError):  # for an unmatched quote
        words = shlex.split(command)
    if words[:2] != ["python", "-m"] or len(words) < 4 or words[2].split(".")[0] != "gansweep":
        raise UserError(
            f"the sweep's manifest has no command to repeat: {command!r} does not start gansweep"
        )
    # A version before 0.2 recorded `python -m gansweep.confirm`.
    return [*words[2].split(".")[1:], *words[3:]]
