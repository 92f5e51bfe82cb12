"""Print the tables of a report on the terminal, with parameters and outcomes.

The columns have the names of the parameters as they are typed. Where a terminal is too narrow for
the table, the parameters that are equal in all rows stand above it and the outcomes are folded; if
even this is too wide, each row has lines of its own.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from rich.cells import cell_len
from rich.table import Table as RichTable
from rich.text import Text

from gansweep.components import is_option
from gansweep.config import PARAMS
from gansweep.plugins import METRICS
from gansweep.report.table.best import best_rows
from gansweep.report.table.cell import BEST, TIE, Cell
from gansweep.report.table.collect import ReportTable, Results
from gansweep.report.table.columns import Column, ReportRow
from gansweep.report.table.outcome import Outcome
from gansweep.report.table.text import format_seconds
from gansweep.store.errors import printable
from gansweep.terminal.console import console

STYLES = {"done": "green", "failed": "red", "diverged": "red", "running": "cyan"}
FOLDED = 16  # characters to which the outcomes of a data set may be folded
MAX_ROWS = 100  # a terminal cannot show more rows usefully


def print_table(tables: list[ReportTable], rows: Collection[int] | None = None) -> None:
    """Print the tables, or only the given row numbers, up to MAX_ROWS rows in total."""
    left = 0 if console.quiet else MAX_ROWS
    for table in tables:
        found = [row for row in table.rows if rows is None or row.number in rows]
        chosen, left = found[:left], left - len(found)
        if chosen:
            # A log has no width, so its lines are as long as they need to be.
            _print(table, chosen, console.width if console.is_terminal else None)
    if left < 0:
        console.print(f"… and {-left:,} more rows in the table")


def print_best(results: Results, out: str) -> None:
    """Print for each data set the best row, its command and the file of its generator.

    out: the output folder. Where no run is alive, a sentence says why and what to try.
    """
    for found in best_rows(results, out):
        for line in found.lines():
            console.print(line)


@dataclass
class _Shape:
    """How a table is printed: its columns, and the width of each outcome (None: not folded)."""

    columns: list[Column]
    times: bool
    folded: int | None = None


def _print(table: ReportTable, rows: list[ReportRow], width: int | None) -> None:
    columns = table.columns
    if width is not None and not _fits(table, _Shape(columns, True), rows, width):
        columns = [c for c in columns if len({c.text(row) for row in rows}) > 1] or columns[:1]
        equal = [f"{_name(c)} {c.text(rows[0])}" for c in table.columns if c not in columns]
        if equal:
            console.print(Text(printable(f"in all rows: {', '.join(equal)}"), style="dim"))
    shape = _shape(table, columns, rows, width)
    if shape is None:
        _print_stacked(table, columns, rows)
        return
    view = _view(table, shape, rows)
    wide = console if width is not None else type(console)(file=console.file, width=100_000)
    wide.print(view)


def _shape(
    table: ReportTable, columns: list[Column], rows: list[ReportRow], width: int | None
) -> _Shape | None:
    """Return the first shape that fits `width` characters; None if no shape fits."""
    for shape in (_Shape(columns, True), _Shape(columns, False)):
        if width is None or _fits(table, shape, rows, width):
            return shape
    assert width is not None
    room = width - len("row") - sum(1 + _column_width(column, rows) for column in columns)
    folded = room // max(1, len(table.pictures)) - 1
    return _Shape(columns, False, folded) if folded >= FOLDED else None


def _fits(table: ReportTable, shape: _Shape, rows: list[ReportRow], width: int) -> bool:
    needed = len("row") + sum(1 + _column_width(column, rows) for column in shape.columns)
    for heading in table.pictures:
        texts = [_cell(row.cells[heading], shape.times).plain for row in rows]
        needed += 1 + max(map(cell_len, (*texts, _heading(table, heading))))
    return needed <= width


def _column_width(column: Column, rows: list[ReportRow]) -> int:
    return max(
        map(cell_len, (*_folded(_name(column)).split("\n"), *(c for c in _texts(column, rows))))
    )


def _texts(column: Column, rows: list[ReportRow]) -> list[str]:
    return [printable(column.text(row)) for row in rows]


def _name(column: Column) -> str:
    """Return the name of a parameter as it is typed; the heading of another column."""
    parts = column.name.split(" / ")
    typed = all(part in PARAMS or is_option(part) for part in parts)
    return column.name if typed else column.heading


def _folded(name: str) -> str:
    """Return a heading on several short lines: `batch_` above `size`."""
    return (
        name.replace("_", "_\n").replace(" / ", " /\n").replace(" ", "\n").replace("/\n\n", "/\n")
    )


def _heading(table: ReportTable, picture: str) -> str:
    """Return the heading of a data set: its name, and its metric if all rows have the same one."""
    labels = {METRICS.entry(c.metric).label for r in table.rows if (c := r.cells[picture]).metric}
    name = printable(picture.removesuffix(" Output"))
    return f"{name}: {labels.pop()}" if len(labels) == 1 else name


def _view(table: ReportTable, shape: _Shape, rows: list[ReportRow]) -> RichTable:
    view = RichTable(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    names = [_folded(_name(column)) for column in shape.columns]
    height = max((name.count("\n") for name in names), default=0)
    view.add_column(Text("\n" * height + "row"), justify="right", no_wrap=True)
    for name, column in zip(names, shape.columns, strict=True):
        heading = "\n" * (height - name.count("\n")) + name
        view.add_column(Text(heading), justify="right", min_width=_column_width(column, rows))
    for picture in table.pictures:
        heading = "\n" * height + _heading(table, picture)
        view.add_column(Text(heading), max_width=shape.folded)
    for row in rows:
        texts = [Text(printable(column.text(row))) for column in shape.columns]
        cells = [_cell(row.cells[picture], shape.times) for picture in table.pictures]
        view.add_row(str(row.number), *texts, *cells)
    return view


def _print_stacked(table: ReportTable, columns: list[Column], rows: list[ReportRow]) -> None:
    """Print each row with lines of its own: its parameters, and then a line for each data set."""
    for row in rows:
        settings = "  ".join(f"{_name(column)} {column.text(row)}" for column in columns)
        console.print(Text(printable(f"row {row.number}  {settings}"), style="bold"))
        for picture in table.pictures:
            line = Text(f"  {_heading(table, picture)}  ") + _cell(row.cells[picture], True)
            console.print(line)


def _cell(cell: Cell, times: bool) -> Text:
    """Return the outcome of a row on one data set. times: whether to add the training times."""
    if cell.why:
        return Text(printable(cell.why))
    if cell.together:
        value = cell.headline().removeprefix(f"{METRICS.entry(cell.metric).label} ")
        words = dict.fromkeys(mark for run in cell.judged for mark in run.marks)
        parts = [Text(", ".join([value, *words]), style="green")]
        parts += [Text(printable(note), style="yellow") for _, note in cell.notes()]
    else:
        parts = [_outcome(run, times) for run in cell.runs]
    text = Text(", ").join(parts)
    if cell.mark == BEST:
        text.stylize("bold")
        return Text("best ", style="bold green") + text
    return Text("≈ ") + text if cell.mark == TIE else text


def _outcome(outcome: Outcome, times: bool) -> Text:
    style = STYLES.get(outcome.status, "yellow")
    if outcome.result and outcome.status == "done" and not outcome.note:
        label = METRICS.entry(outcome.primary).label if outcome.primary else ""
        parts = [outcome.headline.removeprefix(f"{label} ") or "done", *outcome.marks]
        parts += [format_seconds(outcome.result["training_seconds"])] if times else []
        return Text(", ".join(parts), style=style)
    if outcome.status == "planned":
        return Text("–", style=style)
    return Text(printable(outcome.note), style=style)
