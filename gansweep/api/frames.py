"""The numbers of sweeps and runs as pandas tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from gansweep.report.table.cell import Cell
from gansweep.report.table.collect import Results
from gansweep.report.table.columns import ReportRow
from gansweep.report.table.select import values

if TYPE_CHECKING:
    import pandas as pd


def table(results: Results, columns: Sequence[str] | None, on: str | None) -> pd.DataFrame:
    """Return the rows of a report; see `Results.table` of gansweep/api/results.py.

    Raises UserError for an unknown column.
    """
    import pandas as pd

    rows = results.rows
    index = pd.Index([row.number for row in rows], name="row")
    if columns is not None:
        return values(rows, on, columns).set_axis(index)
    shown = [column.name for part in results.tables for column in part.columns]
    names = dict.fromkeys(name for column in shown for name in column.split(" / "))
    frame = values(rows, None, [name for name in names if name != "row"]).set_axis(index)
    metrics = {}
    for picture in results.pictures:
        cells = [_cell(row, picture) for row in rows]
        frame[picture] = pd.Series([_mean(cell) for cell in cells], index, dtype=float)
        frame[f"{picture} error"] = pd.Series([_error(cell) for cell in cells], index, dtype=float)
        for heading, text in (("flags", _flags), ("status", _status), ("note", _note)):
            frame[f"{picture} {heading}"] = pd.Series(map(text, cells), index, dtype=object)
        ids = [[run.run_id for run in cell.runs] for cell in cells]
        frame[f"{picture} runs"] = pd.Series(ids, index, dtype=object)
        metrics[picture] = next((cell.metric for cell in cells if cell.metric), "")
    frame.attrs["metrics"] = metrics
    return frame


def lines(records: Sequence[Any]) -> pd.DataFrame:
    """Return the lines of a run's stream, with the step as the index."""
    import pandas as pd

    frame = pd.DataFrame(list(records))
    return frame.set_index("step") if len(frame) else frame


def _cell(row: ReportRow, picture: str) -> Cell:
    return row.cells.get(picture) or Cell(why="not part of this row")


def _mean(cell: Cell) -> float:
    return fmean(cell.values) if cell.values else math.nan


def _error(cell: Cell) -> float:
    return math.nan if cell.error is None else cell.error


def _flags(cell: Cell) -> str:
    return ", ".join(dict.fromkeys(mark for run in cell.runs for mark in run.marks))


def _status(cell: Cell) -> str:
    return ", ".join(dict.fromkeys(run.status for run in cell.runs)) or "not trained"


def _note(cell: Cell) -> str:
    return cell.why or "; ".join(note for _, note in cell.notes())
