"""`packing=speed`: measure how many runs at a time train fastest, before a sweep starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from gansweep.config import Config
from gansweep.launch.devices import find_devices
from gansweep.launch.names import LAUNCHER
from gansweep.launch.task import SweepTask
from gansweep.store.errors import UserError
from gansweep.store.records import RunConfig
from gansweep.terminal.console import console

ENOUGH = 0.95  # The smallest number of runs that reaches this share of the best speed is used.


def check_packing(settings: Config, launcher: str, runs: Iterable[Mapping[str, Any]]) -> None:
    """Raise UserError if packing=speed cannot be followed.

    runs: the parameters of the runs.
    """
    if settings.packing != "speed":
        return
    if launcher != LAUNCHER:
        raise UserError(f"packing=speed is for the slots of one machine, not for {launcher}")
    if settings.jobs_per_device is not None:
        raise UserError("packing=speed finds the number itself: leave out jobs_per_device=")
    for name in ("command", "model"):
        if any(run.get(name) is not None for run in runs):
            raise UserError(
                f"packing=speed measures gansweep's own training step, and not that of {name}=: "
                "write jobs_per_device=N"
            )


def fastest(task: SweepTask, record: RunConfig, runs: int) -> int | None:
    """Return how many runs at a time train fastest on a device, or None if there is no choice.

    record: the run that is measured; runs: the number of runs to train. Raises UserError if
    measuring fails.
    """
    device, threads = find_devices(task.device)[0], task.threads or 1
    most = min(device.most_jobs(threads), runs)
    if most == 1:
        return None
    console.print(f"packing=speed: measuring up to {most} runs at a time on {device.label}")
    # A separate process measures, as planning imports no torch.
    done = subprocess.run(
        [sys.executable, "-m", "gansweep.training.packing", device.kind, str(most), str(threads)],
        input=json.dumps(record), env=os.environ | device.environment(),
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no error message"])[-1]
        raise UserError(f"packing=speed could not be measured: {reason}")
    speeds = {int(n): rate for n, rate in json.loads(done.stdout.splitlines()[-1]).items()}
    found = choose(speeds)
    end = "" if max(speeds) == most else "; more do not fit in the memory"
    console.print(
        f"packing=speed: {', '.join(map(str, speeds))} at a time train "
        f"{', '.join(f'{rate:,.0f}' for rate in speeds.values())} images/s{end}: at most {found} "
        "at a time are trained"
    )
    return found


def choose(speeds: Mapping[int, float]) -> int:
    """Return the smallest number of runs whose images/s are nearly the best."""
    return min(n for n, rate in speeds.items() if rate >= ENOUGH * max(speeds.values()))
