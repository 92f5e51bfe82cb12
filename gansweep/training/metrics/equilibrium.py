"""Reading a curve of evaluations: the equilibrium point, what came after it, and warnings.

Pure functions of numbers, without torch. The rules and their evidence are in docs/judging.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from gansweep.plugins import METRICS
from gansweep.store.check import is_number, number

TOLERANCE = 0.05  # values as near as this are as good
RISEN = 1.1  # times the best, at the end: `degraded after`
DIVERGED = 1.5  # times the best, as the median of three …
PATIENCE = 3  # … so many evaluations running
START = 0.1  # of the budget: nothing is judged before
COPIED = 0.5  # share of generated images that are nearer to training images than unseen ones are
STARTED = 0.4  # of the untrained generator's value, and …
COVERED = 0.05  # … so little of the real images covered


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of a run.

    value: the primary metric; facts: all numbers; metric: the primary one's name, by which more
    may be better. Without it less is.
    """

    step: int
    value: float
    facts: dict[str, Any] = field(default_factory=dict)
    metric: str = ""

    @property
    def loss(self) -> float:
        """The value as a distance: less is better."""
        return METRICS.loss(self.metric, self.value) if self.metric else self.value

    @classmethod
    def of(cls, line: Mapping[str, Any], metric: str) -> Evaluation:
        """From a line of the run's `judge.jsonl`, where NaN is null."""
        value = number(line, metric)
        facts = {name: fact for name, fact in line.items() if is_number(fact)}
        return cls(line["step"], math.nan if value is None else value, facts, metric)


@dataclass(frozen=True)
class Equilibrium:
    """Where a run was best. label: `still improving`, `plateau`, `degraded after` or, of a run that
    was trained without the judge, `judged at its end alone`."""

    step: int
    value: float
    label: str
    plateau: tuple[int, int]


def smoothed(values: Sequence[float], window: int = 3) -> list[float]:
    """The median of each value and the two (or so) before it."""
    known = [math.inf if math.isnan(value) else value for value in values]
    return [median(known[max(0, i - window + 1) : i + 1]) for i in range(len(known))]


class Tracker:
    """Finds the equilibrium while the run goes on, so that its weights can be kept.

    An evaluation becomes the best if its smoothed value is better than the best one's by more than
    the tolerance, and its own value is no outlier.
    """

    def __init__(self) -> None:
        self.evaluations: list[Evaluation] = []
        self.best: Evaluation | None = None
        self._level = math.inf

    def add(self, evaluation: Evaluation) -> bool:
        """Take an evaluation into account. Returns whether it is the best so far."""
        self.evaluations.append(evaluation)
        if not math.isfinite(evaluation.loss):
            return False
        level = smoothed([e.loss for e in self.evaluations[-3:]])[-1]
        better = level < self._level * (1 - TOLERANCE) if self.best else True
        if better and evaluation.loss <= level * (1 + TOLERANCE):
            self.best, self._level = evaluation, level
            return True
        return False

    def diverged(self) -> bool:
        """Has it been far worse than its best for several evaluations?"""
        losses = [e.loss for e in self.evaluations]
        if len(losses) < PATIENCE + 2:
            return False
        # A best of five, as the lowest of many medians of three is lower than what it stands for.
        best = min(smoothed(losses, 5)[2:])
        return all(not level <= DIVERGED * best for level in smoothed(losses)[-PATIENCE:])

    def equilibrium(self) -> Equilibrium | None:
        """The best point and what came after it; None if nothing finite was seen."""
        if self.best is None:
            return None
        steps = [e.step for e in self.evaluations]
        levels = smoothed([e.loss for e in self.evaluations])
        finite = [level for level in levels if math.isfinite(level)]
        lowest = min(finite)
        near = [s for s, v in zip(steps, levels, strict=True) if v <= lowest * (1 + TOLERANCE)]
        if len(levels) == 1:
            label = "judged at its end alone"
        elif not levels[-1] < RISEN * lowest:
            label = "degraded after"
        elif steps[levels.index(lowest)] >= 0.9 * steps[-1]:
            label = "still improving"
        else:
            label = "plateau"
        return Equilibrium(self.best.step, self.best.value, label, (near[0], near[-1]))


@dataclass(frozen=True)
class Flag:
    """What is wrong with a run: `word` in tables, `what` in their legend.

    severe: whatever its distance, it is no good run.
    """

    word: str
    what: str
    severe: bool = True


FLAGS = {
    "diverged": Flag("diverged", "it was far worse at the end than at its best"),
    "never started": Flag("never started", "its best images are still far from any real ones"),
    "collapse": Flag("collapsed", "it draws few different images"),
    "memorised": Flag("memorised", "its images are copies of training images"),
    "discriminator": Flag("D won", "the discriminator's loss was near 0", severe=False),
}


# Of earlier versions, whose results are still read.
RETIRED = {
    "collapse?": Flag("perhaps collapsed", "its images are less diverse than the real ones", False),
}


def flag_of(name: str) -> Flag:
    """The flag in a result. One that a newer version has set goes by its own name; as nobody knows
    what it means here, it is taken for a severe one."""
    known = FLAGS.get(name) or RETIRED.get(name)
    return known or Flag(name, "a flag that this version of gansweep does not know")


def alive(flags: Iterable[str]) -> bool:
    """Can a run with these flags be the best of anything?"""
    return not any(flag_of(flag).severe for flag in flags)


def flags(
    evaluations: Sequence[Evaluation], steps: int, score: Mapping[str, Any] | None = None
) -> list[str]:
    """The flags of a run of `steps` steps, in the order of FLAGS.

    The first evaluation is that of the untrained generator, at step 0. score: what is known of the
    images of the best weights.
    """
    later = _later(evaluations, steps)
    if not later:
        return []
    tracker = Tracker()
    for evaluation in evaluations:
        tracker.add(evaluation)
    facts = score or {}
    found = {
        "diverged": tracker.diverged(),
        "never started": _never_started(evaluations, tracker.best, facts),
        "collapse": _collapsed(facts),
        "memorised": facts.get("copied", 0) > COPIED,
        "discriminator": _won(later),
    }
    return [flag for flag in FLAGS if found[flag]]


def is_collapsing(evaluations: Sequence[Evaluation], steps: int) -> bool:
    """Of a run that goes on: has it been collapsed at its last two looks, without recovering?

    Nothing is said before a tenth of its budget; the images of every young generator are alike.
    """
    later = _later(evaluations, steps)
    if len(later) < 2:
        return False
    one, two = (e.facts for e in later[-2:])
    return _collapsed(one) and _collapsed(two) and not _recovers(one, two)


def _later(evaluations: Sequence[Evaluation], steps: int) -> list[Evaluation]:
    """Those after the first part of the budget, in which nothing is judged."""
    return [e for e in evaluations if e.step >= START * steps and e.step > 0]


def _never_started(
    evaluations: Sequence[Evaluation], best: Evaluation | None, facts: Mapping[str, Any]
) -> bool:
    """Are the best images no nearer to the real ones than a good part of the untrained ones'
    distance, and do they cover none of them?"""
    untrained = next((e.loss for e in evaluations if e.step == 0), math.nan)
    if best is None or math.isnan(untrained):
        return False
    return best.loss > STARTED * untrained and facts.get("coverage", 0) < COVERED


def _collapsed(facts: Mapping[str, Any]) -> bool:
    """Few images, each many times: by their spread, or by what they cover and their neighbours.

    Little coverage alone is no collapse: blurred images of a young generator cover nothing either.
    """
    if facts.get("diversity", 1) < 0.3 or facts.get("variety", 1) < 0.6:
        return True
    # Few images would cover as much, and the images are nearly each other's copies.
    modes, distinct = facts.get("modes", math.inf), facts.get("distinct", 1)
    return bool((modes <= 10 and distinct < 0.7) or (modes <= 15 and distinct < 0.5))


def _recovers(one: dict[str, Any], two: dict[str, Any]) -> bool:
    """Does the diversity grow, as a young generator's does?"""
    return any(two.get(name, 1) > 1.1 * one.get(name, 1) for name in ("diversity", "variety"))


def _won(later: Sequence[Evaluation]) -> bool:
    """Has D's loss been near zero without the images getting better?"""
    before, last = later[:-PATIENCE], later[-PATIENCE:]
    if not before or any(e.facts.get("d_saturated", 0) <= 0.9 for e in last):
        return False
    return min(e.loss for e in last) >= min(e.loss for e in before)
