"""Print the tables of a report on the terminal, with parameters and outcomes."""

from __future__ import annotations

from collections.abc import Collection

from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from gansweep.report.table.cell import BEST, TIE, Cell
from gansweep.report.table.collect import ReportTable
from gansweep.report.table.columns import Column, ReportRow
from gansweep.report.table.outcome import Outcome
from gansweep.report.table.text import format_seconds
from gansweep.store.errors import printable
from gansweep.terminal.console import console

STYLES = {"done": "green", "failed": "red", "diverged": "red", "running": "cyan"}
FOLDED = 24  # characters to which an outcome may be folded
MAX_ROWS = 100  # a terminal cannot show more rows usefully


def print_table(tables: list[ReportTable], rows: Collection[int] | None = None) -> None:
    """Print the tables, or only the given row numbers, up to MAX_ROWS rows in total."""
    left = MAX_ROWS
    for table in tables:
        found = [row for row in table.rows if rows is None or row.number in rows]
        chosen, left = found[:left], left - len(found)
        if not chosen:
            continue
        if console.is_terminal:
            shown = _fitting(table, chosen)
            console.print(_view(table, shown, chosen))
            if rest := [column.heading for column in table.columns if column not in shown]:
                note = f"only in the table's file: {', '.join(rest)}"
                console.print(Text(printable(note), style="dim"))
        else:  # a log has no width
            view = _view(table, table.columns, chosen)
            wide = type(console)(file=console.file, width=_width(view))
            wide.print(view)
    if left < 0:
        console.print(f"… and {-left:,} more rows in the table")


def _view(table: ReportTable, columns: list[Column], rows: list[ReportRow]) -> RichTable:
    view = RichTable(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    view.add_column("row", justify="right")
    for column in columns:
        view.add_column(Text(column.heading), justify="right")
    for heading in table.pictures:
        view.add_column(Text(printable(heading.removesuffix(" Output"))))
    for row in rows:
        texts = [Text(printable(column.text(row))) for column in columns]
        cells = [_cell(row.cells[heading]) for heading in table.pictures]
        view.add_row(str(row.number), *texts, *cells)
    return view


def _width(view: RichTable) -> int:
    """Return the characters of a table's longest line, if nothing is folded."""
    options = console.options.update(max_width=100_000)
    return Measurement.get(console, options, view).maximum


def _fitting(table: ReportTable, rows: list[ReportRow]) -> list[Column]:
    """Return the columns that fit the terminal beside the outcomes, at least one.

    Columns with the same text in all rows are the first to be left out, then the last ones.
    Headings fold at their spaces, and outcomes to FOLDED characters.
    """
    texts = {column.name: {column.text(row) for row in rows} for column in table.columns}
    needed = {
        column.name: 1 + max(map(len, (*texts[column.name], *column.heading.split())))
        for column in table.columns
    }
    left = console.width - len("row ")
    for heading in table.pictures:
        cells = (_cell(row.cells[heading]).plain for row in rows)
        left -= 1 + min(FOLDED, max(map(len, cells)))
    shown = list(table.columns)
    equal = [column for column in reversed(shown) if len(texts[column.name]) == 1]
    for column in (*equal, *reversed(table.columns)):
        if len(shown) == 1 or sum(needed[c.name] for c in shown) <= left:
            break
        if column in shown:
            shown.remove(column)
    return shown


def _cell(cell: Cell) -> Text:
    if cell.why:
        return Text(printable(cell.why))
    style = {BEST: "bold", TIE: ""}.get(cell.mark, "")
    if cell.together:
        parts = [Text(" ".join([cell.headline(), *cell.remainder()]), style="green")]
        parts += [Text(printable(note), style="yellow") for _, note in cell.notes()]
    else:
        parts = [_outcome(run) for run in cell.runs]
    text = Text(", ").join(parts)
    text.stylize(style)
    return Text("≈ ") + text if cell.mark == TIE else text


def _outcome(outcome: Outcome) -> Text:
    style = STYLES.get(outcome.status, "yellow")
    if outcome.result and outcome.status == "done" and not outcome.note:
        took = format_seconds(outcome.result["training_seconds"])
        return Text(f"{outcome.judged or 'done'}, {took}", style=style)
    if outcome.status == "planned":
        return Text("–", style=style)
    return Text(printable(outcome.note), style=style)
