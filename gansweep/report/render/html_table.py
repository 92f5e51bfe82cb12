"""Render a report as HTML tables without scripts, for notebooks; all styles are inline."""

from __future__ import annotations

import html
from collections.abc import Iterable

from gansweep.report.render.files import Files
from gansweep.report.table.caption import caption
from gansweep.report.table.cell import BEST, TIE, Cell
from gansweep.report.table.collect import ReportTable, Results
from gansweep.report.table.outcome import Outcome
from gansweep.store.errors import printable

CELL = "text-align:left; vertical-align:top; padding:4px 8px; white-space:normal"


def escape(text: str) -> str:
    """Escape text for HTML, with control characters in a visible form."""
    return html.escape(printable(" ".join(str(text).split())))


def render(results: Results, files: Files) -> str:
    """Return the tables and the caption of a report.

    files: the pictures by run id, as paths or data URIs.
    """
    parts = [f"<p><b>{escape(results.title)}</b></p>"]
    for table in results.tables:
        if table.remark:
            parts.append(f"<p>{escape(table.remark)}</p>")
        parts.append(_table(table, files))
    lines = "".join(f"<li>{escape(line)}</li>" for line in caption(results))
    parts.append(f"<details><summary>about this table</summary><ul>{lines}</ul></details>")
    return "\n".join(parts)


def picture(source: str, alt: str) -> str:
    """Return a picture. source: its path or its data URI."""
    style = "display:block; margin:0 0 2px; max-width:256px"
    return f'<img src="{html.escape(source)}" alt="{escape(alt)}" style="{style}">'


def pairs(title: str, found: dict[str, str]) -> str:
    """Return labels and values as a table of two columns; empty without any."""
    rows = [
        f'<tr><td style="{CELL}">{escape(label)}</td><td style="{CELL}">{escape(text)}</td></tr>'
        for label, text in found.items()
    ]
    return f"<div><b>{escape(title)}</b><table>{''.join(rows)}</table></div>" if rows else ""


def _table(table: ReportTable, files: Files) -> str:
    headings = ["row", *(column.heading for column in table.columns)]
    headings += [*table.singles, *table.pictures]
    lines = [_row(map(escape, headings), "th")]
    for row in table.rows:
        cells = [str(row.number), *(escape(column.text(row)) for column in table.columns)]
        for heading in table.singles:
            alt = f"row {row.number}, {heading}"
            shown = [_picture(run, files, alt) or escape(run.note) for run in row.singles[heading]]
            cells.append(" ".join(shown))
        cells += [
            _cell(row.cells[heading], files, f"row {row.number}, {heading}")
            for heading in table.pictures
        ]
        lines.append(_row(cells, "td"))
    return f"<table>{''.join(lines)}</table>"


def _row(cells: Iterable[str], tag: str) -> str:
    """Return a row of a table, of cells that are HTML already."""
    inner = "".join(f'<{tag} style="{CELL}">{cell}</{tag}>' for cell in cells)
    return f"<tr>{inner}</tr>"


def _picture(run: Outcome, files: Files, alt: str) -> str:
    image = files.images.get(run.run_id)
    return picture(image, alt) if image else ""


def _cell(cell: Cell, files: Files, alt: str) -> str:
    if cell.why:
        return escape(cell.why)
    parts = []
    for run, label in cell.pictures():
        parts += [_picture(run, files, alt), escape(label)]
        if not cell.together and run.judged:
            head = _marked(run.headline, cell) if len(cell.values) == 1 else escape(run.headline)
            parts.append(" ".join([head, *map(escape, run.remainder)]))
    if cell.together:
        parts.append(" ".join([_marked(cell.headline(), cell), *map(escape, cell.remainder())]))
    parts += [escape(note) for _, note in cell.notes()]
    return "<br>".join(part for part in parts if part).replace('"><br>', '">')


def _marked(text: str, cell: Cell) -> str:
    if cell.mark == BEST:
        return f"<b>{escape(text)}</b>"
    return f"≈ {escape(text)}" if cell.mark == TIE else escape(text)
