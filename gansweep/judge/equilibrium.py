"""Reading a curve of evaluations: the equilibrium point, what came after it, and warnings.

Pure functions of numbers, without torch. The rules and their evidence are in docs/judging.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any

TOLERANCE = 0.05  # values as near as this are as good
RISEN = 1.1  # times the best, at the end: `degraded after`
DIVERGED = 1.5  # times the best, as the median of three …
PATIENCE = 3  # … so many evaluations running
START = 0.1  # of the budget: nothing is judged before
STARTED = 0.8  # of the untrained generator's value


@dataclass(frozen=True)
class Evaluation:
    """One look at a run. value: the primary metric, smaller is better; facts: all the others."""

    step: int
    value: float
    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, line: dict[str, Any], metric: str) -> Evaluation:
        """From a line of the run's `judge.jsonl`, where NaN is null."""
        value = line.get(metric)
        return cls(line["step"], math.nan if value is None else value, line)


@dataclass(frozen=True)
class Equilibrium:
    """Where a run was best. label: `still improving`, `plateau` or `degraded after`."""

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
        if not math.isfinite(evaluation.value):
            return False
        level = smoothed([e.value for e in self.evaluations[-3:]])[-1]
        better = level < self._level * (1 - TOLERANCE) if self.best else True
        if better and evaluation.value <= level * (1 + TOLERANCE):
            self.best, self._level = evaluation, level
            return True
        return False

    def diverged(self) -> bool:
        """Has it been far worse than its best for several evaluations?"""
        values = [e.value for e in self.evaluations]
        if len(values) < PATIENCE + 2:
            return False
        # A best of five, as the lowest of many medians of three is lower than what it stands for.
        best = min(smoothed(values, 5)[2:])
        return all(not level <= DIVERGED * best for level in smoothed(values)[-PATIENCE:])

    def equilibrium(self) -> Equilibrium | None:
        """The best point and what came after it; None if nothing finite was seen."""
        if self.best is None:
            return None
        steps = [e.step for e in self.evaluations]
        levels = smoothed([e.value for e in self.evaluations])
        finite = [level for level in levels if math.isfinite(level)]
        lowest = min(finite)
        near = [s for s, v in zip(steps, levels, strict=True) if v <= lowest * (1 + TOLERANCE)]
        if not levels[-1] < RISEN * lowest:
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
    "never started": Flag("never started", "it never got far from an untrained generator"),
    "collapse": Flag("collapsed", "it draws few different images"),
    "collapse?": Flag(
        "perhaps collapsed", "its images are less diverse than the real ones", severe=False
    ),
    "discriminator": Flag("D won", "the discriminator's loss was near 0", severe=False),
}


def alive(flags: Iterable[str]) -> bool:
    """Can a run with these flags be the best of anything?"""
    return not any(FLAGS[flag].severe for flag in flags)


def flags(evaluations: Sequence[Evaluation], steps: int) -> list[str]:
    """The flags of a run of `steps` steps, severest first.

    The first evaluation is that of the untrained generator, at step 0.
    """
    later = [e for e in evaluations if e.step >= START * steps and e.step > 0]
    if not later:
        return []
    found = []
    tracker = Tracker()
    for evaluation in evaluations:
        tracker.add(evaluation)
    if tracker.diverged():
        found.append("diverged")
    untrained = next((e.value for e in evaluations if e.step == 0), None)
    if untrained is not None and min(e.value for e in later) > STARTED * untrained:
        # No word of collapse: the first images of every run are alike.
        return [*found, "never started", *(["discriminator"] if _won(later) else [])]
    # At the equilibrium or after it: what a run has got over is no flaw of its result.
    best = tracker.best.step if tracker.best else 0
    if any(
        _collapsed(one.facts) and _collapsed(two.facts) and not _recovers(one.facts, two.facts)
        for one, two in pairwise(later)
        if two.step >= best
    ):
        found.append("collapse")
    elif _doubtful([e.facts for e in later], tracker.equilibrium()):
        found.append("collapse?")
    if _won(later):
        found.append("discriminator")
    return found


def _collapsed(facts: dict[str, Any]) -> bool:
    """Few images, each many times: by their spread, or by what they cover and their neighbours.

    Little coverage alone is no collapse: blurred images of a young generator cover nothing either.
    """
    if facts.get("diversity", 1) < 0.3:
        return True
    # As few as a dozen images would cover, and generated images that are each other's copies.
    return facts.get("modes", math.inf) <= 15 and facts.get("distinct", 1) < 0.3


def _recovers(one: dict[str, Any], two: dict[str, Any]) -> bool:
    """Does the diversity grow, as a young generator's does?"""
    return bool(two.get("diversity", 1) > 1.1 * one.get("diversity", 1))


def _doubtful(facts: Sequence[dict[str, Any]], found: Equilibrium | None) -> bool:
    last = facts[-1]
    best = max((f.get("coverage", 0) for f in facts), default=0)
    if last.get("coverage", 1) < 0.7 * best:
        return True
    if found is not None and found.label == "still improving":
        return False  # a young generator is poorer than the real images in every way
    return (
        last.get("diversity", 1) < 0.7
        or last.get("missing_classes", 0) > 0
        or last.get("class_distance", 0) > 0.10 + _class_noise(last)
    )


def _class_noise(facts: dict[str, Any]) -> float:
    """What chance adds to the class distance of fewer than 2,000 images: 0.027 there (measured)."""
    return 0.027 * (math.sqrt(2000 / min(facts.get("n", 2000), 2000)) - 1)


def _won(later: Sequence[Evaluation]) -> bool:
    """Has D's loss been near zero without the images getting better?"""
    before, last = later[:-PATIENCE], later[-PATIENCE:]
    if not before or any(e.facts.get("d_saturated", 0) <= 0.9 for e in last):
        return False
    return min(e.value for e in last) >= min(e.value for e in before)
