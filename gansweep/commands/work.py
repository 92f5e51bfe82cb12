"""`python -m gansweep work SWEEP`: train runs of a sweep together with other machines."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import time

from gansweep.commands import train
from gansweep.config import DEFAULTS
from gansweep.launch.names import WORKER
from gansweep.launch.worker import UNFINISHED, check_not_stopped, limited, work_on
from gansweep.planning.overrides import as_arguments
from gansweep.store.errors import INTERRUPTED, one_line_errors
from gansweep.store.find_run import SWEEP, find_sweep
from gansweep.store.work import read_work, stop_asked
from gansweep.terminal.console import console

PAUSES = (1.0, 3.0, 9.0, 0.0)  # seconds until Slurm is asked again, whose controller may be away


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m gansweep work",
        description="Train runs of a sweep that nobody trains, one after the other, in the slots "
        "of this machine, until none is left. Start it on as many machines as you like: they need "
        "only the folder of runs. It may be ended at any time, as its runs write checkpoints.",
        epilog="Exit codes: 0 no run is left or the sweep was stopped, 2 unknown sweep or disk "
        f"error, {UNFINISHED} ended early by SIGTERM or --hours: to be started again.",
    )
    parser.add_argument("sweep", help=SWEEP)
    parser.add_argument(
        "--hours", type=float, metavar="H", help="write checkpoints and end before H hours are over"
    )
    parser.add_argument(
        "--out", default=DEFAULTS["out"], help="folder of runs (default %(default)s)"
    )
    args = parser.parse_args(argv)
    if args.hours is not None and not args.hours > 0:
        parser.error(f"--hours {args.hours}: it must be positive")
    with one_line_errors(), limited(args.hours) as leaving:
        name = find_sweep(args.sweep, args.out)
        arguments = read_work(args.out, name).arguments
        check_not_stopped(args.out, name)
        try:
            leaving.hear()
            early = _search(arguments, args.out) if arguments else work_on(args.out, name)
        except KeyboardInterrupt:
            if not leaving.in_time:
                raise
            early = True
        if not early or stop_asked(args.out, name):
            return
        console.print("this worker leaves; its runs have written checkpoints")
        _requeue(leaving.in_time)
    raise SystemExit(UNFINISHED)


def _search(arguments: list[str], out: str) -> bool:
    """Join a search by its own command. Returns whether it was ended before the search was done."""
    kept = [word for word in arguments if not word.startswith("out=")]
    try:
        train.main([*kept, *as_arguments({"out": out}), f"hydra/launcher={WORKER}"])
    except SystemExit as end:
        if end.code == INTERRUPTED:
            return True
        if end.code == 2:
            raise
    return False


def _requeue(in_time: bool) -> None:
    """Put this Slurm job back into the queue, unless a person has cancelled it.

    in_time: whether its time is nearly over. Slurm itself requeues only jobs that it has killed,
    and not one that ends in the grace time of its preemption.
    """
    if not (job := os.environ.get("SLURM_JOB_ID")):
        return
    # The last task of an array has the id of the whole array, which would be requeued with it.
    if "SLURM_ARRAY_TASK_ID" in os.environ:
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    for pause in PAUSES:
        try:
            if in_time or re.search(r"\bPreemptTime=\d", _scontrol("show", "job", job)):
                _scontrol("requeue", job)
            return
        except (OSError, subprocess.SubprocessError) as error:
            said = getattr(error, "stderr", None) or str(error)
            console.print(f"Slurm does not requeue job {job}: {' '.join(said.split())}")
        time.sleep(pause)


def _scontrol(*words: str) -> str:
    """Return what scontrol prints. Raises OSError or SubprocessError."""
    return subprocess.run(
        ["scontrol", *words], timeout=60, check=True, capture_output=True, text=True
    ).stdout
