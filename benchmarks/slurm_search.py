"""Compare a search on two nodes of a real Slurm with the same search in two local slots.

Both have two slots of one core on this machine: tests/slurm/cluster starts a Slurm of two nodes,
from Debian's packages (as root). `python -m benchmarks.slurm_search 6` tries it with six trials.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import write
from gansweep.store.run import Run

TRIALS = 40
CLUSTER = Path(__file__).parents[1] / "tests/slurm/cluster"
SEARCH = (
    "-m", "search=lr,beta1", "name=s", "data=mnist5k", "steps=200", "width=0.125", "threads=1",
    "pruner=none", "seed=1",
)  # fmt: skip
LOCAL = ("jobs_per_device=2",)
SLURM = (
    "slots=slurm", "workers=2", "hydra.launcher.gpus_per_node=null",
    "hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=2", "hydra.launcher.partition=low",
)  # fmt: skip


def slurm_search(trials: int = TRIALS) -> None:
    """Measure both searches, one after the other, and write the table."""
    folder = Path("/tmp") / f"slurm-{os.getpid()}"  # sockets have short paths
    rows = [_row("two local slots", _search(trials, LOCAL))]
    subprocess.run([CLUSTER, folder], check=True, capture_output=True)
    try:
        rows.append(_row("two Slurm nodes of one slot", _search(trials, SLURM)))
    finally:
        subprocess.run(["scancel", "--user", "root"], capture_output=True)
        subprocess.run([CLUSTER, "stop", folder], capture_output=True)
    write(
        "slurm_search",
        f"A search of {trials} trials on two Slurm nodes, and in two local slots",
        [
            f"`python -m gansweep {' '.join(SEARCH)} trials={trials}` with `{' '.join(LOCAL)}`, "
            f"and with `{' '.join(SLURM[:2])}`. Both nodes are this machine: each has one core of "
            "two, and the local slots have one each.",
            "Busy: the share of the slots' seconds in which a trial trains or is evaluated, from "
            "the start of the first trial to that of the last one; to the end: to the end of the "
            "last trial, where a slot has nothing to do. The history of each run has these times. "
            "The start of a trial's process and the choice of its values do not count as busy, so "
            "this is the lower bound of the time in which a slot has a trial.",
            "Lost: trials without a result that were neither pruned nor diverged.",
        ],
        ["slots", "s in all", "s to the first trial", "median s a trial", "busy", "to the end",
         "trials", "lost"],
        rows,
    )  # fmt: skip


def _search(trials: int, slots: tuple[str, ...]) -> dict[str, Any]:
    root = str(Path(__file__).parents[1])
    with tempfile.TemporaryDirectory() as folder:
        began = time.time()
        subprocess.run(
            [sys.executable, "-m", "gansweep", *SEARCH, f"trials={trials}", *slots],
            cwd=folder, check=True, env={**os.environ, "PYTHONPATH": root},
        )  # fmt: skip
        seconds = time.time() - began
        manifest = json.loads((Path(folder) / "outputs/sweeps/s/manifest.json").read_text())
        runs = [Run(Path(folder) / "outputs", run_id) for run_id in manifest["titles"]]
        spans = [span for run in runs for span in _spans(run)]
        first, last = min(start for start, _ in spans), max(start for start, _ in spans)
        end = max(end for _, end in spans)
        return {
            "seconds": seconds,
            "first": first - began,
            "each": median(end - start for start, end in spans),
            "busy": sum(max(0.0, min(e, last) - s) for s, e in spans) / (2 * (last - first)),
            "whole": sum(e - s for s, e in spans) / (2 * (end - first)),
            "trials": len(runs),
            "lost": sum(run.status() not in ("done", "diverged") for run in runs),
        }


def _spans(run: Run) -> list[tuple[float, float]]:
    """Return the start and the end of each attempt, in seconds."""
    events = [e for e in run.read_history() if e["event"] in ("started", "ended")]
    times = [datetime.fromisoformat(event["time"]).timestamp() for event in events]
    return list(zip(times[::2], times[1::2], strict=True))


def _row(name: str, found: dict[str, Any]) -> list[str]:
    return [
        name, f"{found['seconds']:.0f}", f"{found['first']:.0f}", f"{found['each']:.1f}",
        f"{100 * found['busy']:.1f} %", f"{100 * found['whole']:.1f} %", str(found["trials"]),
        str(found["lost"]),
    ]  # fmt: skip


if __name__ == "__main__":
    slurm_search(int(sys.argv[1]))
