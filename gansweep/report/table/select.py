"""Select rows and columns of a report: `--where`, `--sort`, `--best`, `--columns`, `--on`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gansweep.plugins import METRICS
from gansweep.report.table.collect import ReportTable, Results
from gansweep.report.table.columns import Column, ReportRow, column_names, find_column
from gansweep.report.table.condition import meets
from gansweep.store.errors import UserError, choices_hint

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Selection:
    """The selection of a report's rows and columns.

    where: a condition, for example `lr<1e-4 and gen==1`; sort: column names, for example
    `fd_lenet,lr:desc`; columns: the columns to show; best: the number of best rows to show; on: the
    picture column that ranks rows and gives the values of results. `best` leaves out rows that are
    not alive in this picture column.
    """

    where: str | None = None
    sort: str | None = None
    columns: str | None = None
    best: int | None = None
    on: str | None = None


def select(results: Results, selection: Selection) -> Results:
    """Apply a selection. Raises UserError for unknown columns, bad syntax and empty results."""
    if selection.on is not None and selection.on not in results.pictures:
        raise UserError(f"--on {selection.on}: {choices_hint(selection.on, results.pictures)}")
    tables = results.tables
    if selection.where is not None:
        tables = _where(tables, results, selection)
    if selection.sort is not None or selection.best is not None:
        tables = [_sorted(tables, results, selection)]
    if selection.columns is not None:
        names = _items(selection.columns)
        columns = [find_column(name, results.rows, selection.on) for name in names]
        tables = [replace(table, columns=columns) for table in tables]
    return replace(results, tables=tables)


def values(
    rows: list[ReportRow], on: str | None = None, names: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return a pandas table of the rows' values, with a column for each name.

    names: by default all of `column_names`. A column with only numbers is numeric, with NaN for
    n/a. Raises UserError for an unknown name.
    """
    import pandas as pd

    names = column_names(rows) if names is None else names
    columns = [find_column(name, rows, on) for name in names]
    frame = pd.DataFrame({c.name: [c.value(row) for row in rows] for c in columns})
    for name in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[name]):  # for example gen, whose values are text
            with suppress(ValueError, TypeError):
                frame[name] = pd.to_numeric(frame[name])
    return frame


def named_values(
    rows: list[ReportRow], on: str | None = None, names: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return `values` as conditions name them: with `label`, that of the equilibrium."""
    frame = values(rows, on, names)
    if "equilibrium" in frame:  # result.json calls it label
        frame = frame.assign(label=frame["equilibrium"])
    return frame


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _where(tables: list[ReportTable], results: Results, selection: Selection) -> list[ReportTable]:
    rows = results.rows
    frame = named_values(rows, selection.on)
    where = selection.where or ""
    kept = meets(frame, where, f"--where {where}")
    if not kept.any():
        raise UserError(f"--where {where}: none of the {len(rows)} rows meets the condition")
    ids = {id(row) for row, keep in zip(rows, kept, strict=True) if keep}
    left = [replace(t, rows=[row for row in t.rows if id(row) in ids]) for t in tables]
    return [table for table in left if table.rows]


def _sorted(tables: list[ReportTable], results: Results, selection: Selection) -> ReportTable:
    """Return one table of all rows in order: the remarks between tables have no place in it."""
    rows = [row for table in tables for row in table.rows]
    for column, descending in reversed(_keys(rows, results, selection)):
        known = [row for row in rows if column.value(row) is not None]
        known.sort(key=_order(column, known), reverse=descending)
        rows = known + [row for row in rows if column.value(row) is None]
    if selection.best is not None:
        on = selection.on or next(iter(results.pictures), "")
        alive = [row for row in rows if _alive(row, on)]
        if not alive:
            raise UserError(f"--best {selection.best}: no row is alive; --sort shows all rows")
        rows = alive[: selection.best]
    columns = {column.name: column for table in tables for column in table.columns}
    singles = dict.fromkeys(heading for table in tables for heading in table.singles)
    return ReportTable("", list(columns.values()), rows, list(singles), results.pictures)


def _alive(row: ReportRow, picture: str) -> bool:
    """Return whether a row's runs are alive in one picture column; other columns do not count."""
    return all(run.alive for run in row.cells[picture].runs) if picture in row.cells else True


def _order(column: Column, rows: list[ReportRow]) -> Callable[[ReportRow], Any]:
    """Return a sort key: numbers if all values are numbers or text of numbers, else the text."""
    try:
        numbers = {id(row): float(column.value(row)) for row in rows}
    except (TypeError, ValueError):
        return column.text
    return lambda row: numbers[id(row)]


def _keys(
    rows: list[ReportRow], results: Results, selection: Selection
) -> list[tuple[Column, bool]]:
    """Return the columns to sort by, the most important first, each with whether it descends."""
    if selection.sort is not None:
        keys = []
        for item in _items(selection.sort):
            name, _, order = item.partition(":")
            if order not in ("", "asc", "desc"):
                raise UserError(f"--sort {item}: write {name}:asc or {name}:desc")
            keys.append((find_column(name, rows, selection.on), order == "desc"))
        return keys
    on = selection.on or results.pictures[0]
    metrics = {row.cells[on].metric for row in rows if row.cells[on].metric}
    if not metrics:
        raise UserError(f"--best: no row is judged on {on}; --on {' or '.join(results.pictures)}")
    name = metrics.pop()
    if not METRICS.ranks(name):
        raise UserError(f"--best: {METRICS.entry(name).help}: {name}; --sort {name} or {name}:desc")
    return [(find_column(name, rows, on), METRICS.sign(name) < 0)]
