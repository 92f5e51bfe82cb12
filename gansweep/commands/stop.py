"""`python -m gansweep stop SWEEP`: end all processes of a sweep, which write checkpoints."""

from __future__ import annotations

import argparse
import time

from gansweep.config import DEFAULTS
from gansweep.launch.slurm import ENGINE, cancel_waiting
from gansweep.report.table.text import format_count
from gansweep.store.errors import UserError, one_line_errors
from gansweep.store.find_run import SWEEP, find_sweep
from gansweep.store.manifest import read_manifest
from gansweep.store.run import Run
from gansweep.store.work import ask_to_stop, read_jobs, withdraw_stop
from gansweep.terminal.console import console

LOOK = 0.5  # seconds between two looks at the runs


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m gansweep stop",
        description="Stop a sweep on all machines: its runs write checkpoints and end, its waiting "
        "Slurm jobs are cancelled, and no worker begins another run. `resume`, or the sweep's "
        "command, continues it.",
        epilog="Exit codes: 0 nothing is running, 2 unknown sweep, or a run did not end in time.",
    )
    parser.add_argument("sweep", help=SWEEP)
    parser.add_argument("--withdraw", action="store_true", help="let workers join the sweep again")
    parser.add_argument(
        "--seconds", type=float, default=300, metavar="S",
        help="wait at most S seconds for the checkpoints (default %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--out", default=DEFAULTS["out"], help="folder of runs (default %(default)s)"
    )
    args = parser.parse_args(argv)
    with one_line_errors():
        name = find_sweep(args.sweep, args.out)
        manifest = read_manifest(args.out, name)
        if args.withdraw:
            withdraw_stop(args.out, name)
            console.print(f"sweep {name}: workers may join again")
            return
        ask_to_stop(args.out, name)
        cancelled = cancel_waiting(read_jobs(args.out, name).get(ENGINE, []))
        if cancelled:
            console.print(f"{format_count(len(cancelled), 'waiting Slurm job')} cancelled")
        runs = [Run(args.out, run_id) for run_id in manifest.titles]
        running = [run for run in runs if run.status() == "running"]
        console.print(f"sweep {name}: {len(running)} running, which write checkpoints and end")
        deadline = time.monotonic() + args.seconds
        while running:
            if time.monotonic() > deadline:
                raise UserError(
                    f"after {args.seconds:g} s these still run: "
                    f"{', '.join(run.id for run in running)}; their processes see the request as "
                    "soon as they answer"
                )
            time.sleep(LOOK)
            running = [run for run in running if run.status() == "running"]
        console.print(f"sweep {name} is stopped; to continue: python -m gansweep resume {name}")
