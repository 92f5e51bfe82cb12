"""One row on one data set: its runs, a seed each, and what a table says of them together."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean, stdev

from gansweep.plugins import METRICS
from gansweep.report.table.judged import distance
from gansweep.report.table.outcome import Outcome
from gansweep.report.table.replicates import SIGNIFICANT, difference_test
from gansweep.store.check import number

BEST, TIE = "best", "tie"
# Standard errors that chance alone exceeds less than once in twenty times; 1.96 would do if the
# errors were not estimates themselves (docs/judging.md).
Z = 2.3


@dataclass
class Cell:
    """runs: one a seed; why: where there are none, the reason; grouped: are several seeds shown as
    one; mark: `BEST`, `TIE` with the best, or nothing."""

    runs: list[Outcome] = field(default_factory=list)
    why: str = ""
    grouped: bool = True
    mark: str = ""

    @cached_property
    def judged(self) -> list[Outcome]:
        """The runs that have a distance, the best first."""
        found = [run for run in self.runs if run.value is not None]
        return sorted(found, key=lambda run: METRICS.sign(run.primary) * (run.value or 0.0))

    @cached_property
    def values(self) -> list[float]:
        """The distances of its runs, the best first."""
        return [run.value for run in self.judged if run.value is not None]

    @cached_property
    def metric(self) -> str:
        """The name of the metric that ranks it; empty if nothing is judged."""
        return next((run.primary for run in self.runs if run.primary), "")

    @property
    def together(self) -> bool:
        """Are its runs shown as one?"""
        return self.grouped and len(self.values) > 1

    def pictures(self) -> list[tuple[Outcome, str]]:
        """The runs whose pictures are shown, each with what it is called."""
        if self.together:
            best, worst = self.judged[0], self.judged[-1]
            return [(best, f"best, seed {best.seed}"), (worst, f"worst, seed {worst.seed}")]
        several = len(self.runs) > 1
        return [(run, f"seed {run.seed}" if several else "") for run in self.runs]

    def headline(self) -> str:
        """`FD (LeNet) 93.1`, or `FD (LeNet) 93.1 ± 4.2 (3)`."""
        if not self.values:
            return ""
        if len(self.values) == 1:
            return self.judged[0].headline
        deviation = stdev(self.values)
        mean, spread = (
            distance(self.metric, v, deviation) for v in (fmean(self.values), deviation)
        )
        return f"{METRICS.entry(self.metric).label} {mean} ± {spread} ({len(self.values)})"

    @property
    def error(self) -> float | None:
        """The standard error of its distance: over seeds, of a single one over draws of latents."""
        if len(self.values) > 1:
            return stdev(self.values) / math.sqrt(len(self.values))
        return number(self.judged[0].score, f"{self.metric}_error") if self.judged else None

    def remainder(self) -> list[str]:
        """What follows the headline."""
        if len(self.judged) == 1:
            return self.judged[0].remainder
        words = dict.fromkeys(mark for run in self.judged for mark in run.marks)
        return [", ".join(words)] if words else []

    def notes(self) -> list[tuple[Outcome, str]]:
        """What went wrong with which run."""
        several = len(self.runs) > 1
        return [
            (run, f"seed {run.seed}: {run.note}" if several else run.note)
            for run in self.runs
            if run.note
        ]


def mark_best(cells: Iterable[Cell]) -> None:
    """Mark the best of these cells, which are of one data set, and those that tie with it.

    Where seeds are replicated, a tie is what `difference_test` cannot tell from the best; single
    runs tie if other latents alone could make their difference. What is not alive is never the
    best, nor is what is written like it.
    """
    judged = [cell for cell in cells if cell.values]
    ranked = [cell for cell in judged if all(run.alive for run in cell.judged)]
    metrics = {cell.metric for cell in ranked}
    if len(metrics) != 1 or len(judged) < 2 or not all(map(METRICS.ranks, metrics)):
        return
    sign = METRICS.sign(ranked[0].metric)
    ranked.sort(key=lambda cell: sign * fmean(cell.values))
    best = ranked[0]
    best.mark = BEST
    for cell in ranked[1:]:
        if _not_told_apart(best, cell, sign):
            cell.mark = TIE


def least_difference(one: float, other: float) -> float:
    """The least difference of two values with these standard errors that is hardly chance."""
    return Z * math.hypot(one, other)


def _not_told_apart(one: Cell, two: Cell, sign: int) -> bool:
    best, other = one.values, two.values
    if len(best) < 2 or len(other) < 2:
        errors = [cell.error for cell in (one, two) if cell.error is not None]
        gap = abs(fmean(best) - fmean(other))
        return gap == 0 or (len(errors) == 2 and gap < least_difference(*errors))
    separated = max(sign * v for v in best) < min(sign * v for v in other)
    if separated and len(best) > 3 and len(other) > 3:  # p is 2 of 70 arrangements at most
        return False
    return difference_test(best, other) >= SIGNIFICANT
