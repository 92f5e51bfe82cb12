"""A picture column of a report for plots: its rows, ranked, with names and values."""

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

    heading: the key of the cells; out: the output folder; rows: each row once; varying: the names
    of the parameters that differ between rows; metric: the name of the ranking metric, empty if no
    run was judged; ranked: the judged rows, the best first, rows that are not alive last.
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
        """Return the row's runs with a finite value of the metric, the best first."""
        runs = [run for run in self.cell(row).runs if run.primary == self.metric]
        known = [run for run in runs if run.value is not None and math.isfinite(run.value)]
        return sorted(known, key=lambda run: self._sign() * (run.value or 0.0))

    def loss(self, row: ReportRow) -> float:
        """Return the mean over the seeds of a judged row, negated if more is better."""
        return self._sign() * fmean(run.value or 0.0 for run in self.judged(row))

    def alive(self, row: ReportRow) -> bool:
        """Return whether no judged run of the row has a severe flag."""
        return all(run.alive for run in self.judged(row))

    def place(self, row: ReportRow) -> int:
        """Return the rank of a row from 0; the number of ranked rows if the row was not judged."""
        return self._places.get(id(row), len(self.ranked))

    def is_best(self, row: ReportRow) -> bool:
        """Return whether the row ranks first and is alive."""
        return self.place(row) == 0 and bool(self.ranked) and self.alive(row)

    def leaders(self, count: int) -> list[ReportRow]:
        """Return the best `count` rows; if no row was judged, the first with a finished run."""
        if self.ranked:
            return self.ranked[:count]
        done = [row for row in self.rows if any(r.status == "done" for r in self.cell(row).runs)]
        return done[:count]

    def shown(self, row: ReportRow) -> Outcome:
        """Return the run that represents a row: finished if possible, with a picture, the best."""
        runs = self.judged(row) or self.cell(row).runs
        return min(runs, key=lambda run: (run.status != "done", run.picture is None))

    def has_picture(self, row: ReportRow) -> bool:
        """Return whether any run of the row has a picture."""
        return any(run.picture for run in self.cell(row).runs)

    def run(self, outcome: Outcome) -> Run:
        """Return the run folder of an outcome."""
        return Run(self.out, outcome.run_id)

    @property
    def measured(self) -> str:
        """The metric of the evaluations, which unfinished runs have too.

        It is the ranking metric, or else the primary metric of the data set; empty if unknown.
        """
        if self.metric:
            return self.metric
        configs = (run.config for row in self.rows for run in self.cell(row).runs if run.config)
        names = (config["data"]["name"] for config in configs)
        return next((str(DATASETS.entry(n).metrics[0]) for n in names if n in DATASETS), "")

    @property
    def label(self) -> str:
        """The label of the ranking metric; empty if no run was judged."""
        return METRICS.entry(self.metric).label if self.metric else ""

    @property
    def better(self) -> str:
        """`less is better` or `more is better`; empty if no run was judged."""
        return METRICS.better(self.metric) if self.metric else ""

    def value(self, row: ReportRow) -> str:
        """Return `FD (LeNet) 93.1`, or `FD (LeNet) 93.1 ± 4.2 (3)`; empty if not judged."""
        runs = self.judged(row)
        if len(runs) == 1:
            return runs[0].headline
        return self.cell(row).headline() if runs else ""

    def name(self, row: ReportRow) -> str:
        """Return `row 3: lr=0.0005 beta1=0.5`, with the shown run's seed if there are several."""
        settings = [f"{name}={format_param(name, row.params)}" for name in self.varying]
        if len(self.cell(row).runs) > 1:
            settings.append(f"seed={self.shown(row).seed}")
        return f"row {row.number}: {' '.join(settings)}" if settings else f"row {row.number}"

    def _sign(self) -> int:
        return METRICS.sign(self.metric) if self.metric else 1


def picture_columns(results: Results, out: str | Path) -> list[PictureColumn]:
    """Return a `PictureColumn` for each picture column of a report."""
    rows = list({(row.sweep, row.number): row for row in results.rows}.values())
    names = varying(rows, has=2)
    return [
        PictureColumn(heading, out, [row for row in rows if heading in row.cells], names)
        for heading in results.pictures
    ]
