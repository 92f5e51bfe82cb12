"""Estimate the time and memory of runs from finished runs of equal cost."""

from __future__ import annotations

import heapq
import os
from collections import defaultdict, deque
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

from gansweep.store.records import RunConfig
from gansweep.store.run import Run

# The values of a run's identity that determine the cost of a step.
COST = (
    "gen", "disc", "gen_width", "disc_width", "batch_size", "precision", "memory_format",
    "reuse_fake", "fresh_z", "joint_d", "model", "command",
)  # fmt: skip
LATEST = 300  # finished runs that are read, by default

Cost = tuple[Any, ...]


class Estimates:
    """The costs of finished runs.

    out: the folder of runs; kind: the kind of device (`cpu` or `cuda`) and threads: the CPU threads
    of the runs to estimate; latest: the number of finished runs that are read, newest first.
    """

    def __init__(self, out: str | Path, kind: str, threads: int, latest: int = LATEST) -> None:
        self.kind = kind
        self.threads = threads
        self._paces: dict[Cost, deque[tuple[float, float]]] = defaultdict(lambda: deque(maxlen=9))
        self._memory: dict[Cost, int] = {}
        for run in _latest(out, latest):
            self.learn(run)

    def learn(self, run: Run) -> None:
        """Add the costs of a finished run, if it has all records and the same kind of device."""
        record, result, environment = run.read_config(), run.read_result(), run.read_environment()
        if record is None or result is None or environment is None:
            return
        if environment["device"] != self.kind:
            return
        cost = cost_of(record)
        with suppress(KeyError, TypeError, ZeroDivisionError):
            pace = result["training_seconds"] / result["steps"]
            fixed = max(0.0, result["seconds"] - result["training_seconds"])
            if record["identity"]["steps"] is None:  # only a script knows its number of steps
                pace, fixed = 0.0, result["seconds"]
            if environment["threads"] == self.threads:
                self._paces[cost].appendleft((pace, fixed))
            self.note_memory(cost, result["peak_memory_mib"])

    def note_memory(self, cost: Cost, mib: int | None) -> None:
        """Add the peak memory of a run so far, or of a finished one."""
        self._memory[cost] = max(self._memory.get(cost, 0), mib or 0)

    def seconds(self, cost: Cost, steps: int | None) -> float | None:
        """Return the estimated seconds of a run, or None if no run of equal cost is known.

        Runs whose number of steps is not known are taken to be equally long.
        """
        known = self._paces.get(cost)
        if not known:
            return None
        return median(pace for pace, _ in known) * (steps or 0) + median(
            fixed for _, fixed in known
        )

    def memory_mib(self, cost: Cost) -> int | None:
        """Return the highest peak memory of runs of equal cost in MiB, or None if it is unknown."""
        return self._memory.get(cost) or None


def cost_of(record: RunConfig | None) -> Cost:
    """Return the values that determine the cost of a step, which are equal for runs of equal cost.

    The result is empty if the record is missing.
    """
    if record is None:
        return ()
    identity, data = record["identity"], record["data"]
    return (
        *(str(identity.get(name)) for name in COST),
        *(data.get(name) for name in ("size", "channels", "images")),
    )


def _latest(out: str | Path, count: int) -> list[Run]:
    """Return the runs that finished last, newest first, at most `count` of them."""
    found: list[tuple[float, str, Run]] = []
    if not count:
        return []
    with suppress(OSError), os.scandir(Path(out) / "runs") as folders:
        for folder in folders:
            with suppress(OSError):
                run = Run(out, folder.name)
                found.append((run.result.stat().st_mtime, folder.name, run))
    return [run for _, _, run in heapq.nlargest(count, found)]


def total_seconds(
    known: list[float | None], slots: int, whole: list[float] | None = None
) -> float | None:
    """Return the estimated seconds of several runs on `slots` slots, or None if none is known.

    The longest run begins first, and no run is divided.
    known: the seconds left of each run, or None where they are unknown, for which the mean of the
    known ones is used; whole: known seconds of runs from start to end, for a better mean.
    """
    finite = [seconds for seconds in known if seconds is not None]
    if not finite:
        return None
    mean = sum(whole or finite) / len(whole or finite)
    ends = [0.0] * max(1, min(slots, len(known)))
    for seconds in sorted([*finite, *[mean] * (len(known) - len(finite))], reverse=True):
        heapq.heapreplace(ends, ends[0] + seconds)
    return max(ends)
