"""The results of a sweep, or of several sweeps together, as they are in the files now."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gansweep.api import frames
from gansweep.api.run import Run
from gansweep.launch.follow import sweep_progress
from gansweep.launch.progress import overall
from gansweep.report.formats import FORMATS
from gansweep.report.render.files import inline_files
from gansweep.report.render.html_table import render
from gansweep.report.table.address import best_of, check_picture
from gansweep.report.table.collect import Reader, collect, mark_results
from gansweep.report.table.collect import Results as Report
from gansweep.report.table.select import Selection
from gansweep.report.write import USUAL, write_report
from gansweep.store.errors import UserError
from gansweep.store.manifest import read_manifest
from gansweep.store.run import FAILED
from gansweep.store.run import Run as Folder

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 60  # a notebook keeps the pictures of its tables in its file


class Results:
    """The results of a sweep. Each method reads the files anew, also while the sweep runs.

    names: the sweeps, of which several make one table; out: the folder of runs and sweeps; reports:
    the folder of reports. `sweep(…).run()` and `gansweep.open(NAME)` return it.
    """

    def __init__(self, names: Sequence[str], out: str | Path, reports: str | Path) -> None:
        self.names = list(names)
        self.out = Path(out)
        self.reports = Path(reports)
        self._shown_in: Any = None

    @property
    def name(self) -> str:
        """The name of the sweep, `A+B` for several."""
        return "+".join(self.names)

    def table(self, columns: Sequence[str] | None = None, on: str | None = None) -> pd.DataFrame:
        """Return a pandas table with a line for each row, and the row's number as the index.

        It has the parameters that vary, and for each picture column PICTURE, such as
        `Number Output`:

        * PICTURE: the value of the primary metric, the mean over the seeds, NaN if there is none;
          `table().attrs["metrics"]` names the metrics
        * PICTURE error: its standard error, over the seeds, or for one seed over draws of latents
        * PICTURE flags, PICTURE status, PICTURE note: texts; a note says why a run is not done
        * PICTURE runs: the list of the ids of the row's runs, one for each seed

        columns: show these instead: names of parameters, metrics and results, as `--columns` takes
        them. on: the picture column that gives their values. Raises UserError for an unknown name.
        """
        report = self._report()
        check_picture(on, report)
        return frames.table(report, columns, on)

    def best(self, on: str | None = None) -> Run:
        """Return the best run of the best row, for example to draw images with it.

        on: the picture column that ranks the rows, by default the first. Runs with a severe flag,
        such as collapsed, do not count. Raises UserError if no run is left.
        """
        return Run(best_of(self.names, self.out, on).run)

    def runs(self) -> list[Run]:
        """Return all runs in the order of the rows, each once."""
        return [Run(Folder(self.out, outcome.run_id)) for outcome in self._report().outcomes()]

    def failed(self) -> dict[str, str]:
        """Return why each failed run has failed, by its id."""
        found = (Folder(self.out, outcome.run_id) for outcome in self._report().outcomes())
        return {run.id: run.why_failed() for run in found if run.status() in FAILED}

    def report(
        self,
        to: str | Path | None = None,
        *,
        formats: Sequence[str] = USUAL,
        plots: bool = False,
        where: str | None = None,
        sort: str | None = None,
        best: int | None = None,
        columns: Sequence[str] | None = None,
        on: str | None = None,
        group_seeds: bool = True,
        storage: str | None = None,
    ) -> Path:
        """Write the report, as `python -m gansweep report` does, and return its folder.

        to: the folder, by default REPORTS/NAME; formats: markdown, html, csv and latex; storage:
        the URL of a search's database with its password. docs/reports.md describes the other
        arguments.
        Raises UserError for an invalid argument, and for a folder that is not writable.
        """
        for name in formats:
            FORMATS[name]  # raises UserError before anything is written
        if not formats:
            raise UserError(f"formats is empty; valid: {', '.join(FORMATS.names())}")
        chosen = None if columns is None else ",".join(columns)
        return write_report(
            self.names,
            out=self.out,
            reports=self.reports,
            to=None if to is None else Path(to),
            formats=formats,
            plots=plots,
            grouped=group_seeds,
            selection=Selection(where, sort, chosen, best, on),
            storage=storage,
        ).folder

    def to_html(self) -> str:
        """Return the table with its pictures as one piece of HTML, at most MOST_ROWS rows of it."""
        report = self._report()
        mark_results(report)
        count = len(report.rows)
        left, tables = MOST_ROWS, []
        for table in report.tables:
            if left > 0:
                tables.append(replace(table, rows=table.rows[:left]))
            left -= len(table.rows)
        short = replace(report, tables=tables)
        more = f"<p>… and {count - MOST_ROWS:,} more rows: report() writes them all</p>"
        return render(short, inline_files(short)) + (more if count > MOST_ROWS else "")

    def __repr__(self) -> str:
        """Return how much is done: `lr-beta1-baea07  12/12 done`."""
        progress = (sweep_progress(read_manifest(self.out, name), self.out) for name in self.names)
        return "\n".join(overall(found).plain for found in progress)

    def _repr_html_(self) -> str | None:
        """Return the table for a notebook, or None in the cell whose live view has shown it."""
        cell = _cell_number()
        return None if cell is not None and cell == self._shown_in else self.to_html()

    def was_shown(self) -> None:
        """Note that the live view of this cell ends with the table."""
        self._shown_in = _cell_number()

    def _report(self) -> Report:
        return collect([read_manifest(self.out, name) for name in self.names], Reader(self.out))


def _cell_number() -> Any:
    """Return the number of the notebook's cell that is executed; None without IPython."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "execution_count", None)
