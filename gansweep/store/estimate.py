"""How long a run will take and how much memory, judged by finished runs of the same networks."""

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

# What decides the cost of a step, of all that a run's identity holds.
COST = (
    "gen", "disc", "gen_width", "disc_width", "batch_size", "precision", "memory_format",
    "reuse_fake", "fresh_z", "joint_d",
)  # fmt: skip
LATEST = 300  # finished runs that are looked at

Cost = tuple[Any, ...]


class Estimates:
    """Costs per step of finished runs. out: the folder of runs; kind, threads: where the runs to
    come will be trained; latest: how many finished ones are read at first."""

    def __init__(self, out: str | Path, kind: str, threads: int, latest: int = LATEST) -> None:
        self.kind = kind
        self.threads = threads
        self._paces: dict[Cost, deque[tuple[float, float]]] = defaultdict(lambda: deque(maxlen=9))
        self._memory: dict[Cost, int] = {}
        for run in _latest(out, latest):
            self.learn(run)

    def learn(self, run: Run) -> None:
        """Take a finished run into account."""
        record, result, environment = run.read_config(), run.read_result(), run.read_environment()
        if record is None or result is None or environment is None:
            return
        if environment["device"] != self.kind:
            return
        cost = cost_of(record)
        with suppress(KeyError, TypeError, ZeroDivisionError):
            pace = result["training_seconds"] / result["steps"]
            fixed = max(0.0, result["seconds"] - result["training_seconds"])
            if environment["threads"] == self.threads:
                self._paces[cost].appendleft((pace, fixed))
            self._memory[cost] = max(self._memory.get(cost, 0), result["peak_memory_mib"])

    def seconds(self, cost: Cost, steps: int) -> float | None:
        """Of a run with as many threads; None if none like it is known."""
        known = self._paces.get(cost)
        if not known:
            return None
        return median(pace for pace, _ in known) * steps + median(fixed for _, fixed in known)

    def memory_mib(self, cost: Cost) -> int | None:
        """The greatest peak of its like; None if none is known."""
        return self._memory.get(cost) or None


def cost_of(record: RunConfig | None) -> Cost:
    """What decides the cost of a step; equal for runs that cost the same, and where nothing is
    known."""
    if record is None:
        return ()
    identity, data = record["identity"], record["data"]
    return (
        *(str(identity.get(name)) for name in COST),
        *(data.get(name) for name in ("size", "channels", "images")),
    )


def _latest(out: str | Path, count: int) -> list[Run]:
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
    """Of several runs on so many slots; what is unknown is taken for the mean of the others.

    whole: what runs take from start to end, where `known` has only what is left of them.
    """
    there = [seconds for seconds in known if seconds is not None]
    if not there:
        return None
    mean = sum(whole or there) / len(whole or there)
    total = sum(there) + mean * (len(known) - len(there))
    return max(total / max(1, min(slots, len(known))), max(there))
