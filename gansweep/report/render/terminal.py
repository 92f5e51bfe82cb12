"""Print the tables of a report on the terminal, with parameters and outcomes."""

from __future__ import annotations

from collections.abc import Collection

from rich.table import Table as RichTable
from rich.text import Text

from gansweep.report.table.cell import BEST, TIE, Cell
from gansweep.report.table.collect import ReportTable
from gansweep.report.table.outcome import Outcome
from gansweep.report.table.text import format_seconds
from gansweep.store.errors import printable
from gansweep.terminal.console import console

STYLES = {"done": "green", "failed": "red", "diverged": "red", "running": "cyan"}
MAX_ROWS = 100  # a terminal cannot show more rows usefully


def print_table(tables: list[ReportTable], rows: Collection[int] | None = None) -> None:
    """Print the tables, or only the given row numbers, up to MAX_ROWS rows in total."""
    left = MAX_ROWS
    for table in tables:
        found = [row for row in table.rows if rows is None or row.number in rows]
        chosen, left = found[:left], left - len(found)
        if not chosen:
            continue
        view = RichTable(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
        view.add_column("row", justify="right")
        for column in table.columns:
            view.add_column(Text(column.heading), justify="right")
        for heading in table.pictures:
            view.add_column(Text(printable(heading.removesuffix(" Output"))))
        for row in chosen:
            texts = [Text(printable(column.text(row))) for column in table.columns]
            cells = [_cell(row.cells[heading]) for heading in table.pictures]
            view.add_row(str(row.number), *texts, *cells)
        console.print(view)
    if left < 0:
        console.print(f"… and {-left:,} more rows in the table")


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
