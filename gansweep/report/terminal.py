"""The terminal rendering: a compact table of parameters and outcomes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from rich.table import Table as RichTable
from rich.text import Text

from gansweep.console import console
from gansweep.report.collect import Outcome, ReportTable, format_seconds
from gansweep.sweep.manifest import SINGLES

STYLES = {"done": "green", "failed": "red", "diverged": "red", "running": "cyan"}


def print_table(tables: list[ReportTable], rows: Collection[int] | None = None) -> None:
    """Print the tables, or the given rows of them."""
    for table in tables:
        frame = table.frame if rows is None else table.frame[table.frame.index.isin(rows)]
        if frame.empty:
            continue
        view = RichTable(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
        view.add_column("row", justify="right")
        for heading in table.frame.columns:
            if heading in SINGLES.values():
                continue
            if heading in table.pictures:
                view.add_column(Text(heading.removesuffix(" Output")))
            else:
                view.add_column(Text(heading), justify="right")
        for row, cells in zip(frame.index, frame.itertuples(index=False), strict=True):
            named = zip(table.frame.columns, cells, strict=True)
            shown = (_cell(cell) for heading, cell in named if heading not in SINGLES.values())
            view.add_row(str(row), *shown)
        console.print(view)


def _cell(cell: Any) -> Text:
    if isinstance(cell, str):
        return Text(cell)
    return Text(", ").join(_outcome(outcome) for outcome in cell)


def _outcome(outcome: Outcome) -> Text:
    style = STYLES.get(outcome.status, "yellow")
    if outcome.status == "done" and not outcome.note:
        took = format_seconds(outcome.result["training_seconds"])
        return Text(f"{outcome.judged or 'done'}, {took}", style=style)
    if outcome.status == "planned":
        return Text("–", style=style)
    return Text(outcome.note, style=style)
