"""Read a curve of evaluations: find the best step (equilibrium), label it, and set flags.

All functions are pure and work without torch. docs/judging.md has the rules and their evidence.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from gansweep.plugins import METRICS
from gansweep.store.check import is_number, number

TOLERANCE = 0.05  # Values that differ by this share or less count as equal.
# The label is `degraded after` if the last smoothed value is at least this multiple of the lowest.
DEGRADED_RATIO = 1.1
# A run is `diverged` if its smoothed value is above this multiple of the best in each of the last
# PATIENCE evaluations.
DIVERGED_RATIO = 1.5
PATIENCE = 3
FIRST_SHARE = 0.1  # No flag is set for the evaluations in this first share of a run's steps.
MAX_COPIED = 0.5  # A run is `memorised` if a larger share of its images are copies.
# A run has `never started` if its best value is above this share of the untrained generator's, and
# its images cover less than this share of the real ones.
UNTRAINED_SHARE = 0.4
MIN_COVERAGE = 0.05
# A run is `collapsed` if at most FEW_IMAGES images would cover as many real ones, and if the
# distance to the nearest other image, divided by the mean distance, is under this share of that of
# real images.
FEW_IMAGES = 15
COPIES = 0.35
# It is collapsed, too, if its diversity or its variety is under these shares of the real value.
MIN_DIVERSITY = 0.3
MIN_VARIETY = 0.6


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of a run.

    `value` is that of the primary metric, `facts` has all numbers of the evaluation by name, and
    `metric` is the name of the primary metric. Without a name, less is better.
    """

    step: int
    value: float
    facts: dict[str, Any] = field(default_factory=dict)
    metric: str = ""

    @property
    def loss(self) -> float:
        """The value as a distance, of which less is better; see `Metrics.loss`."""
        return METRICS.loss(self.metric, self.value) if self.metric else self.value

    @classmethod
    def of(cls, line: Mapping[str, Any], metric: str) -> Evaluation:
        """Return the evaluation in a line of `judge.jsonl`, where null stands for NaN."""
        value = number(line, metric)
        facts = {name: fact for name, fact in line.items() if is_number(fact)}
        return cls(line["step"], math.nan if value is None else value, facts, metric)


@dataclass(frozen=True)
class Equilibrium:
    """The best step of a run.

    `value` is that of the primary metric. `label` is `still improving`, `plateau`, `degraded after`
    or, for a run that was trained with judge=false, `judged at its end alone`. `plateau` has the
    first and the last step whose smoothed value counts as equal to the lowest.
    """

    step: int
    value: float
    label: str
    plateau: tuple[int, int]


def smoothed(values: Sequence[float], window: int = 3) -> list[float]:
    """Return the median of each value and the `window` − 1 values before it; NaN counts as inf."""
    known = [math.inf if math.isnan(value) else value for value in values]
    return [median(known[max(0, i - window + 1) : i + 1]) for i in range(len(known))]


class Tracker:
    """Finds the best evaluation while the run trains, so that its weights can be kept.

    An evaluation becomes the best if its smoothed value is lower than that of the best one by more
    than TOLERANCE, and if its own value is at most TOLERANCE above its smoothed value.
    """

    def __init__(self) -> None:
        self.evaluations: list[Evaluation] = []
        self.best: Evaluation | None = None
        self._level = math.inf

    def add(self, evaluation: Evaluation) -> bool:
        """Add an evaluation, and return whether it is the best so far."""
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
        """Return whether the last PATIENCE evaluations were far worse than the best one."""
        losses = [e.loss for e in self.evaluations]
        if len(losses) < PATIENCE + 2:
            return False
        # The best is a median of five, because the lowest of many medians of three is too low.
        best = min(smoothed(losses, 5)[2:])
        return all(not level <= DIVERGED_RATIO * best for level in smoothed(losses)[-PATIENCE:])

    def equilibrium(self) -> Equilibrium | None:
        """Return the best step and its label, or None if no evaluation is finite."""
        if self.best is None:
            return None
        steps = [e.step for e in self.evaluations]
        levels = smoothed([e.loss for e in self.evaluations])
        finite = [level for level in levels if math.isfinite(level)]
        lowest = min(finite)
        near = [s for s, v in zip(steps, levels, strict=True) if v <= lowest * (1 + TOLERANCE)]
        if len(levels) == 1:
            label = "judged at its end alone"
        elif not levels[-1] < DEGRADED_RATIO * lowest:
            label = "degraded after"
        elif steps[levels.index(lowest)] >= 0.9 * steps[-1]:
            label = "still improving"
        else:
            label = "plateau"
        return Equilibrium(self.best.step, self.best.value, label, (near[0], near[-1]))


@dataclass(frozen=True)
class Flag:
    """A fault of a run: `word` stands in tables, and `meaning` in their legends.

    `severe` says whether the fault makes the run useless, however small its distance is.
    """

    word: str
    meaning: str
    severe: bool = True


FLAGS = {
    "diverged": Flag("diverged", "the run was far worse at its end than at its best"),
    "never started": Flag(
        "never learned", "the best images of the run are far from all real images"
    ),
    "collapse": Flag("collapsed", "the generator draws few different images"),
    "memorised": Flag("memorised", "the generated images are copies of training images"),
    "discriminator": Flag("D won", "the discriminator's loss was near 0", severe=False),
}


# The results of earlier versions may have these flags.
RETIRED_FLAGS = {
    "collapse?": Flag(
        "perhaps collapsed", "the generated images are less diverse than the real ones", False
    ),
}


def flag_of(name: str) -> Flag:
    """Return the flag `name` of a result.

    A flag of a newer version has its own name as its word, and counts as severe, because its
    meaning is unknown.
    """
    known = FLAGS.get(name) or RETIRED_FLAGS.get(name)
    return known or Flag(name, "a flag that this version of gansweep does not know")


def alive(flags: Iterable[str]) -> bool:
    """Return whether a run with these flags may be the best one, as no flag is severe."""
    return not any(flag_of(flag).severe for flag in flags)


def flags(
    evaluations: Sequence[Evaluation], steps: int, score: Mapping[str, Any] | None = None
) -> list[str]:
    """Return the flags of a run of `steps` steps, in the order of FLAGS.

    The first of `evaluations` is that of the untrained generator, at step 0. `score` is the score
    of the best weights; see `Judge.score`.
    """
    later = _later(evaluations, steps)
    if not later:
        return []
    tracker = Tracker()
    for evaluation in evaluations:
        tracker.add(evaluation)
    facts = {name: fact for name, fact in (score or {}).items() if is_number(fact)}
    found = {
        "diverged": tracker.diverged(),
        "never started": _never_started(evaluations, tracker.best, facts),
        "collapse": _collapsed(facts),
        "memorised": facts.get("copied", 0) > MAX_COPIED,
        "discriminator": _won(later),
    }
    return [flag for flag in FLAGS if found[flag]]


def evidence(flag: str, score: Mapping[str, Any]) -> str:
    """Return the numbers of a score for which a run has a flag; empty if the score has none."""
    facts = {name: fact for name, fact in score.items() if is_number(fact)}
    if flag == "collapse":
        return _why_collapsed(facts)
    if flag == "memorised" and facts.get("copied", 0) > MAX_COPIED:
        return f"{facts['copied']:.0%} of the images are copies"
    if flag == "never started" and facts.get("coverage", 1) < MIN_COVERAGE:
        return f"the images cover {facts['coverage']:.2g} of the real ones, under {MIN_COVERAGE}"
    return ""


def is_collapsing(evaluations: Sequence[Evaluation], steps: int) -> bool:
    """Return whether an unfinished run was collapsed at its last two evaluations without recovery.

    The result is False in the first tenth of the steps, where all generators draw similar images.
    """
    later = _later(evaluations, steps)
    if len(later) < 2:
        return False
    previous, last = (e.facts for e in later[-2:])
    return _collapsed(previous) and _collapsed(last) and not _recovers(previous, last)


def _later(evaluations: Sequence[Evaluation], steps: int) -> list[Evaluation]:
    """Return the evaluations after the first steps, for which no flag is set."""
    return [e for e in evaluations if e.step >= FIRST_SHARE * steps and e.step > 0]


def _never_started(
    evaluations: Sequence[Evaluation], best: Evaluation | None, facts: Mapping[str, Any]
) -> bool:
    """Return whether the best images are far from the real ones and cover almost none of them.

    The measure of far is the distance of the untrained generator's images.
    """
    untrained = next((e.loss for e in evaluations if e.step == 0), math.nan)
    if best is None or math.isnan(untrained):
        return False
    return best.loss > UNTRAINED_SHARE * untrained and facts.get("coverage", 0) < MIN_COVERAGE


def _collapsed(facts: Mapping[str, Any]) -> bool:
    """Return whether a generator draws few different images, each of them many times."""
    return bool(_why_collapsed(facts))


def _why_collapsed(facts: Mapping[str, Any]) -> str:
    """Return by which number the images count as collapsed; empty if they are different enough.

    The signs are the spread of the images, or their coverage together with the distances of nearest
    images. A small coverage alone is no collapse, because blurred images at the beginning of the
    training cover no real images either.
    """
    for name, least in (("diversity", MIN_DIVERSITY), ("variety", MIN_VARIETY)):
        if (value := facts.get(name, 1)) < least:
            return f"{name} {value:.2g}, under {least}"
    # A few images would have the same coverage, and the images are nearly copies of each other:
    # the nearest other image is near even if compared with how far apart these images are.
    modes, distinct = facts.get("modes", math.inf), facts.get("distinct", 1)
    near = distinct / max(facts.get("diversity", 1), 1e-9)
    if modes <= FEW_IMAGES and near < COPIES:
        return (
            f"{max(1, round(modes))} images would cover as much, and nearest images are {near:.2g} "
            f"times as far apart as real ones, under {COPIES}"
        )
    return ""


def _recovers(previous: dict[str, Any], last: dict[str, Any]) -> bool:
    """Return whether the diversity or the variety grows by more than a tenth."""
    return any(last.get(name, 1) > 1.1 * previous.get(name, 1) for name in ("diversity", "variety"))


def _won(later: Sequence[Evaluation]) -> bool:
    """Return whether D's loss was near zero in the last PATIENCE evaluations, without a gain."""
    before, last = later[:-PATIENCE], later[-PATIENCE:]
    if not before or any(e.facts.get("d_saturated", 0) <= 0.9 for e in last):
        return False
    return min(e.loss for e in last) >= min(e.loss for e in before)
