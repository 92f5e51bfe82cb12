"""What the drawings of one picture column are made of: its rows, ranked, and their names."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from gansweep.plugins import DATASETS, METRICS
from gansweep.report.table.cell import Cell
from gansweep.report.table.collect import Results, varying
from gansweep.report.table.columns import ReportRow
from gansweep.report.table.outcome import Outcome
from gansweep.report.table.text import format_param
from gansweep.store.run import Run


@dataclass
class PictureColumn:
    """One picture column of a report.

    rows: each row once; varying: the parameters that tell them apart; metric: the one that ranks
    them, empty if nothing is judged; ranked: the judged rows, the best first, the dead
    last.
    """

    heading: str
    out: str | Path
    rows: list[ReportRow]
    varying: list[str]
    metric: str = ""
    ranked: list[ReportRow] = field(default_factory=list)

    def __post_init__(self) -> None:
        runs = [run for row in self.rows for run in self.cell(row).runs]
        primaries = Counter(run.primary for run in runs if METRICS.ranks(run.primary))
        if primaries:
            self.metric = primaries.most_common(1)[0][0]
        judged = [row for row in self.rows if self.judged(row)]
        self.ranked = sorted(judged, key=lambda row: (not self.alive(row), self.loss(row)))
        self._places = {id(row): place for place, row in enumerate(self.ranked)}

    def cell(self, row: ReportRow) -> Cell:
        return row.cells[self.heading]

    def judged(self, row: ReportRow) -> list[Outcome]:
        """The row's runs that have a finite distance by the metric, the best first."""
        runs = [run for run in self.cell(row).runs if run.primary == self.metric]
        known = [run for run in runs if run.value is not None and math.isfinite(run.value)]
        return sorted(known, key=lambda run: self._sign() * (run.value or 0.0))

    def loss(self, row: ReportRow) -> float:
        """The mean over the seeds of a judged row, so that less is better."""
        return self._sign() * fmean(run.value or 0.0 for run in self.judged(row))

    def alive(self, row: ReportRow) -> bool:
        return all(run.alive for run in self.judged(row))

    def place(self, row: ReportRow) -> int:
        """Among the ranked rows, from 0; after them all, if it is not judged."""
        return self._places.get(id(row), len(self.ranked))

    def is_best(self, row: ReportRow) -> bool:
        """What is not alive never is."""
        return self.place(row) == 0 and bool(self.ranked) and self.alive(row)

    def leaders(self, count: int) -> list[ReportRow]:
        """The best rows; of a column that was not judged the first that are done."""
        if self.ranked:
            return self.ranked[:count]
        done = [row for row in self.rows if any(r.status == "done" for r in self.cell(row).runs)]
        return done[:count]

    def shown(self, row: ReportRow) -> Outcome:
        """The run that stands for a row: its best that has a picture, or else one that is done."""
        runs = self.judged(row) or self.cell(row).runs
        return min(runs, key=lambda run: (run.status != "done", run.picture is None))

    def has_picture(self, row: ReportRow) -> bool:
        return any(run.picture for run in self.cell(row).runs)

    def run(self, outcome: Outcome) -> Run:
        """The folder of one of its runs."""
        return Run(self.out, outcome.run_id)

    @property
    def measured(self) -> str:
        """The metric of its runs' evaluations, those that are not done included: the one that ranks
        them, else that of their data set; empty if it is not known."""
        if self.metric:
            return self.metric
        configs = (run.config for row in self.rows for run in self.cell(row).runs if run.config)
        names = (config["data"]["name"] for config in configs)
        return next((str(DATASETS[n].metrics[0]) for n in names if n in DATASETS), "")

    @property
    def label(self) -> str:
        """The metric's; empty if nothing is judged."""
        return METRICS.entry(self.metric).label if self.metric else ""

    @property
    def better(self) -> str:
        return METRICS.better(self.metric) if self.metric else ""

    def value(self, row: ReportRow) -> str:
        """`FD (LeNet) 93.1`, or `FD (LeNet) 93.1 ± 4.2 (3)`; empty if the row is not judged."""
        runs = self.judged(row)
        if len(runs) == 1:
            return runs[0].headline
        return self.cell(row).headline() if runs else ""

    def name(self, row: ReportRow) -> str:
        """`row 3: lr=0.0005 beta1=0.5`, with the seed of the run that stands for it if several."""
        settings = [f"{name}={format_param(name, row.params)}" for name in self.varying]
        if len(self.cell(row).runs) > 1:
            settings.append(f"seed={self.shown(row).seed}")
        return f"row {row.number}: {' '.join(settings)}" if settings else f"row {row.number}"

    def _sign(self) -> int:
        return METRICS.sign(self.metric) if self.metric else 1


def picture_columns(results: Results, out: str | Path) -> list[PictureColumn]:
    """One for each picture column of a report."""
    rows = list({(row.sweep, row.number): row for row in results.rows}.values())
    names = varying(rows)
    return [
        PictureColumn(heading, out, [row for row in rows if heading in row.cells], names)
        for heading in results.pictures
    ]
