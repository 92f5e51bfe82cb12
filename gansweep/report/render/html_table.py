"""Render a report as HTML tables without scripts, for notebooks; all styles are inline."""

from __future__ import annotations

import html
from collections.abc import Iterable

from gansweep.report.render.files import Files
from gansweep.report.render.markup import PICTURE, Markup, cell_parts, single
from gansweep.report.table.caption import caption
from gansweep.report.table.collect import ReportTable, Results
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


MARKUP = Markup(escape, bold=lambda text: f"<b>{text}</b>", picture=picture)


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
        cells += [single(row, heading, files, MARKUP) for heading in table.singles]
        for heading in table.pictures:
            parts = cell_parts(row, heading, files, MARKUP)
            # A picture is a block, after which a new line begins by itself.
            cells.append("".join(text + "<br>" * (kind != PICTURE) for kind, text in parts))
        lines.append(_row(cells, "td"))
    return f"<table>{''.join(lines)}</table>"


def _row(cells: Iterable[str], tag: str) -> str:
    """Return a row of a table, of cells that are HTML already."""
    inner = "".join(f'<{tag} style="{CELL}">{cell}</{tag}>' for cell in cells)
    return f"<tr>{inner}</tr>"
