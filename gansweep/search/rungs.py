"""Prunes trials with two objectives: asynchronous successive halving by non-dominated fronts.

At each rung, a percentage of its steps, a trial is compared with all trials that have reached this
rung. The points that no other point dominates are the first front; without them, the points that no
other dominates are the second front, and so on (non-dominated sorting, Deb et al. 2002). Of N
trials, the best N // FACTOR by front go on, and at least one; a front is never cut, so a trial on
the first front always goes on. A trial stops if as many trials are in better fronts than its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from gansweep.report.stored_study import RUNGS

if TYPE_CHECKING:
    import optuna

FACTOR = 4  # of the trials at a rung, one of so many goes on
FIRST_RUNG = 10  # percent of the steps at the first rung; the next is at FACTOR times as many


def rungs(first: int = FIRST_RUNG, factor: int = FACTOR) -> list[int]:
    """Return the percentages at which trials are compared, all below 100."""
    found = [first]
    while found[-1] * factor < 100:
        found.append(found[-1] * factor)
    return found


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Return whether `one` is nowhere worse and somewhere better. Less is better."""
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def fronts(points: Sequence[Sequence[float]]) -> list[int]:
    """Return the front of each point from 0, the front that no point dominates. Less is better."""
    found = [-1] * len(points)
    left, front = set(range(len(points))), 0
    while left:
        first = {i for i in left if not any(dominates(points[j], points[i]) for j in left)}
        for index in first:
            found[index] = front
        left -= first
        front += 1
    return found


def goes_on(
    point: Sequence[float], others: Iterable[Sequence[float]], factor: int = FACTOR
) -> bool:
    """Return whether a trial goes on after a rung where it has `point`, and the others theirs."""
    points = [point, *others]
    found = fronts(points)
    better = sum(front < found[0] for front in found)
    return better < max(1, len(points) // factor)


class FrontPruner:
    """Stores the objectives of trials at the rungs in a study with two objectives, and compares.

    The values are user attributes of the trials, as Optuna takes no reports of two objectives.
    """

    def __init__(self, study: optuna.Study) -> None:
        self.study = study
        self.signs = [1 if d.name == "MINIMIZE" else -1 for d in study.directions]
        self.rungs = rungs()

    def stops(self, trial: optuna.Trial, percent: int, values: Sequence[float]) -> bool:
        """Take the objectives of a trial at a percentage of its steps. Returns whether to stop it.

        It is compared at the rungs that it has reached since the last call.
        """
        reached: dict[str, list[float]] = dict(trial.user_attrs.get(RUNGS, {}))
        new = [str(rung) for rung in self.rungs if rung <= percent and str(rung) not in reached]
        if not new:
            return False
        trial.set_user_attr(RUNGS, reached | {rung: list(values) for rung in new})
        return not all(goes_on(self._losses(values), self._others(trial, rung)) for rung in new)

    def _others(self, trial: optuna.Trial, rung: str) -> list[list[float]]:
        stored = [
            other.user_attrs.get(RUNGS, {}).get(rung)
            for other in self.study.get_trials(deepcopy=False)
            if other.number != trial.number
        ]
        return [self._losses(values) for values in stored if values is not None]

    def _losses(self, values: Sequence[float]) -> list[float]:
        return [sign * value for sign, value in zip(self.signs, values, strict=True)]
