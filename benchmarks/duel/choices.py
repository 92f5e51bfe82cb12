"""What each contestant has at a moment: the model that its own criterion takes for the best.

Only the files are read that the contestant writes, also of trials that still run.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gansweep.store.run import Run
from gansweep.training.metrics.equilibrium import Evaluation, Tracker, alive

METRIC = "fd_lenet"


@dataclass(frozen=True)
class Choice:
    """The file of a model, and its value by the contestant's own criterion."""

    file: Path
    value: float


def of_gansweep(folder: Path) -> Choice | None:
    """Return the best step of all runs that go on or are done without a severe flag."""
    found = []
    for path in folder.glob("outputs/runs/*"):
        run = Run(folder / "outputs", path.name)
        if run.status() not in ("running", "done") or not run.best.is_file():
            continue
        judged = (run.read_result() or {}).get("judge") or {}
        tracker = Tracker()
        for line in run.read_evaluations():
            tracker.add(Evaluation.of(line, METRIC))
        if tracker.best is not None and tracker.best.step > 0 and alive(judged.get("flags", [])):
            found.append(Choice(run.best, tracker.best.value))
    return min(found, key=lambda choice: choice.value, default=None)


def of_optuna(folder: Path) -> Choice | None:
    """Return the lowest distance of all checkpoints; ModelCheckpoint keeps the best of a trial."""
    files = [f for f in folder.glob("trials/*/*.ckpt") if zipfile.is_zipfile(f)]
    found = [Choice(f, float(f.name.partition("-")[0])) for f in files]
    finite = [choice for choice in found if math.isfinite(choice.value)]
    return min(finite, key=lambda choice: choice.value, default=None)


def of_ray(folder: Path, metric: str, sign: int) -> Choice | None:
    """Return the latest checkpoint of the member with the best last value: `get_best_result`."""
    found = []
    for log in folder.glob("results/pbt_dcgan_mnist/*/result.json"):
        values = (line.get(metric, math.nan) for line in lines_from_end(log))
        value = next((v for v in values if math.isfinite(v)), math.nan)
        kept = sorted(log.parent.glob("checkpoint_*/checkpoint.pt"))
        whole = [f for f in kept if zipfile.is_zipfile(f)]
        if whole and math.isfinite(value):
            found.append(Choice(whole[-1], value))
    return min(found, key=lambda choice: sign * choice.value, default=None)


def lines_from_end(log: Path) -> Iterator[dict[str, float]]:
    """Yield the objects of a file with one in each line, the last one first."""
    for line in reversed(log.read_text(encoding="utf-8").splitlines()):
        try:
            yield json.loads(line)
        except ValueError:
            continue  # the line is not complete yet


Chosen = Callable[[Path], Choice | None]
