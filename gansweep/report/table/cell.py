"""Cells of a table: the runs of one row on one data set, with one run per seed."""

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
# A difference of so many standard errors has p < 0.05. The factor 1.96 needs exact standard errors,
# but these are estimates (docs/judging.md).
Z = 2.3


@dataclass
class Cell:
    """The runs of one row on one data set.

    runs: one per seed; why: the reason if there are no runs; grouped: whether the table summarises
    several seeds; mark: BEST, TIE (with the best) or empty.
    """

    runs: list[Outcome] = field(default_factory=list)
    why: str = ""
    grouped: bool = True
    mark: str = ""

    @cached_property
    def judged(self) -> list[Outcome]:
        """The runs with a value of the primary metric, the best first."""
        found = [run for run in self.runs if run.value is not None]
        return sorted(found, key=lambda run: METRICS.sign(run.primary) * (run.value or 0.0))

    @cached_property
    def values(self) -> list[float]:
        """The values of the primary metric, the best first."""
        return [run.value for run in self.judged if run.value is not None]

    @cached_property
    def metric(self) -> str:
        """The name of the primary metric; empty if no run was judged."""
        return next((run.primary for run in self.runs if run.primary), "")

    @property
    def together(self) -> bool:
        """Whether the table shows one summary of several runs."""
        return self.grouped and len(self.values) > 1

    def pictures(self) -> list[tuple[Outcome, str]]:
        """Return the runs whose pictures the table shows, each with its label (may be empty)."""
        if self.together:
            best, worst = self.judged[0], self.judged[-1]
            return [(best, f"best, seed {best.seed}"), (worst, f"worst, seed {worst.seed}")]
        several = len(self.runs) > 1
        return [(run, f"seed {run.seed}" if several else "") for run in self.runs]

    def headline(self) -> str:
        """Return the metric with its value: `FD (LeNet) 93.1`.

        For several seeds: mean ± standard deviation (number), `FD (LeNet) 93.1 ± 4.2 (3)`.
        """
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
        """The standard error of the value: over seeds; for a single run over draws of latents."""
        if len(self.values) > 1:
            return stdev(self.values) / math.sqrt(len(self.values))
        return number(self.judged[0].score, f"{self.metric}_error") if self.judged else None

    def remainder(self) -> list[str]:
        """Return the texts that follow the headline, as the flags of the runs."""
        if len(self.judged) == 1:
            return self.judged[0].remainder
        words = dict.fromkeys(mark for run in self.judged for mark in run.marks)
        return [", ".join(words)] if words else []

    def notes(self) -> list[tuple[Outcome, str]]:
        """Return each run that has a note, with the note."""
        several = len(self.runs) > 1
        return [
            (run, f"seed {run.seed}: {run.note}" if several else run.note)
            for run in self.runs
            if run.note
        ]


def mark_best(cells: Iterable[Cell]) -> None:
    """Mark the best of these cells of one data set, and the cells that tie with the best.

    Cells with several seeds tie if `difference_test` finds no significant difference. Cells with a
    single run tie if other latents alone can cause their difference. A cell with a run that is not
    alive gets no mark. No cell is marked if the metrics differ, or if it is not known which values
    of the metric are better.
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
        if _tied(best, cell, sign):
            cell.mark = TIE


def least_difference(one: float, other: float) -> float:
    """Return the smallest significant difference of two values with these standard errors."""
    return Z * math.hypot(one, other)


def _tied(one: Cell, two: Cell, sign: int) -> bool:
    """Return whether the difference of two cells is not significant; `one` is the better cell."""
    best, other = one.values, two.values
    if len(best) < 2 or len(other) < 2:
        errors = [cell.error for cell in (one, two) if cell.error is not None]
        gap = abs(fmean(best) - fmean(other))
        return gap == 0 or (len(errors) == 2 and gap < least_difference(*errors))
    separated = max(sign * v for v in best) < min(sign * v for v in other)
    if separated and len(best) > 3 and len(other) > 3:  # 2 of 70 arrangements: p < 0.03
        return False
    return difference_test(best, other) >= SIGNIFICANT
