"""`python -m gansweep export`: write runs to a tracker, or the weights of a run to files."""

from __future__ import annotations

import argparse
from collections import Counter

from gansweep.commands.export_weights import add_options, export_files, wanted
from gansweep.config import DEFAULTS
from gansweep.declare import items
from gansweep.loading import load_plugins, plugin_names
from gansweep.plugins import LOGGERS
from gansweep.report.table.address import runs_named
from gansweep.store.errors import Held, UserError, one_line_errors
from gansweep.store.find_run import SWEEP, WAYS
from gansweep.store.run import Run
from gansweep.terminal.console import console, track

DEFAULT = "tensorboard"
SENT, KNOWN, RUNNING, EMPTY = "exported", "there already", "running now", "not trained yet"


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m gansweep export",
        description="Write the parameters, losses, distances and pictures of runs to trackers; a "
        "repeated export writes only what is new. Or write the weights of one run for other "
        "programs, with a model card; each file is checked by the images that it draws.",
        epilog="; ".join(f"{entry.name}: {entry.help}" for entry in LOGGERS),
    )
    parser.add_argument("name", nargs="+", help=f"{SWEEP}; or {WAYS}")
    parser.add_argument(
        "--to", action="append", metavar="TRACKER",
        help=f"one or more of {', '.join(LOGGERS.names())}, with commas (default {DEFAULT})",
    )  # fmt: skip
    parser.add_argument(
        "--out", default=DEFAULTS["out"], help="folder of runs (default %(default)s)"
    )
    parser.add_argument(
        "--plugins", metavar="MODULES", help="modules to import first, which register trackers"
    )
    add_options(parser)
    args = parser.parse_args(argv)
    with one_line_errors():
        load_plugins(plugin_names(args.plugins))
        if formats := wanted(args):
            export_files(formats, args)
            return
        trackers = list(dict.fromkeys(items(",".join(args.to or [DEFAULT]))))
        for tracker in trackers:
            LOGGERS.check("--to", tracker)
        if not trackers:
            raise UserError(f"--to is empty; valid: {', '.join(LOGGERS.names())}")
        from gansweep.training.loggers.base import check_installed

        check_installed(trackers, "--to ")
        found = [run for name in args.name for run in runs_named(name, args.out)]
        runs = {run.id: run for run in found}
        for tracker in trackers:
            counts = Counter(
                export(run, tracker) for run in track(runs.values(), len(runs), tracker)
            )
            parts = [f"{counts[what]} {what}" for what in (SENT, KNOWN, RUNNING, EMPTY)]
            shown = [part for part in parts if not part.startswith("0 ")]
            number = f"{len(runs)} run{'s' if len(runs) > 1 else ''}"
            console.print(f"{tracker}: {number}, {', '.join(shown)}")


def export(run: Run, tracker: str) -> str:
    """Write what a tracker has not received of a run, and return what was done.

    Raises UserError if the tracker fails.
    """
    from gansweep.training.loggers.follower import Follower, up_to_date

    def failed(name: str, error: Exception) -> None:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"--to {name}: run {run.id} could not be written ({reason}); the same command "
            "continues with this run"
        ) from error

    status = run.status()
    if status == "running":
        return RUNNING
    if status == "planned":
        return EMPTY
    try:
        with run.owned():
            if up_to_date(run, tracker, status):
                return KNOWN
            Follower(run, [tracker], failed).close(status)
    except Held:
        return RUNNING
    return SENT
