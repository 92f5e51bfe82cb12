"""One row on one data set: its runs, a seed each, and what a table says of them together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean, stdev

from gansweep.judge.metrics import METRICS
from gansweep.report.judged import distance, headline, marks, remainder
from gansweep.report.outcome import Outcome
from gansweep.report.replicates import SIGNIFICANT, difference_test

BEST, TIE = "best", "tie"


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
        return sorted(found, key=lambda run: _sign(run.primary) * (run.value or 0.0))

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
        """`FLD 93.1`, or `FLD 93.1 ± 4.2 (3)`."""
        if not self.values:
            return ""
        if len(self.values) == 1:
            return headline(self.judged[0].judge)
        mean, spread = (distance(self.metric, f(self.values)) for f in (fmean, stdev))
        return f"{METRICS[self.metric].label} {mean} ± {spread} ({len(self.values)})"

    def remainder(self) -> list[str]:
        """What follows the headline."""
        if len(self.judged) == 1:
            return remainder(self.judged[0].judge)
        words = dict.fromkeys(mark for run in self.judged for mark in marks(run.judge))
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

    Where seeds are replicated, a tie is what `difference_test` cannot tell from the best;
    single runs tie if they are written alike. What is not alive is never the best.
    """
    judged = [cell for cell in cells if cell.values]
    ranked = [cell for cell in judged if all(run.alive for run in cell.judged)]
    if len({cell.metric for cell in ranked}) != 1 or len(judged) < 2:
        return
    sign = _sign(ranked[0].metric)
    ranked.sort(key=lambda cell: sign * fmean(cell.values))
    best = ranked[0]
    best.mark = BEST
    for cell in ranked[1:]:
        if cell.headline() == best.headline():
            cell.mark = BEST
        elif _not_told_apart(best.values, cell.values, sign):
            cell.mark = TIE


def _not_told_apart(best: list[float], other: list[float], sign: int) -> bool:
    if len(best) < 2 or len(other) < 2:
        return False
    separated = max(sign * v for v in best) < min(sign * v for v in other)
    if separated and len(best) > 3 and len(other) > 3:  # p is 2 of 70 arrangements at most
        return False
    return difference_test(best, other) >= SIGNIFICANT


def _sign(metric: str) -> int:
    return -1 if METRICS[metric].direction == "maximize" else 1
