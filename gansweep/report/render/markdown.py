"""Render a report as Markdown for code hosts, with pictures in the cells of the tables."""

from __future__ import annotations

import re

from gansweep.report.render.files import Files
from gansweep.report.table.caption import caption
from gansweep.report.table.cell import BEST, TIE, Cell
from gansweep.report.table.collect import ReportTable, Results
from gansweep.report.table.outcome import Outcome


def escape(text: str) -> str:
    """Escape text for one cell of a Markdown table."""
    flat = " ".join(str(text).split())
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|!#~$])", r"\\\1", flat)


def render(
    results: Results,
    files: Files,
    best: list[str] | None = None,
    plots: list[tuple[str, str]] | None = None,
) -> str:
    """Return the Markdown of a report.

    best: sentences on the best setting of a search, and its command as the last item; plots: (alt
    text, path) of each plot.
    """
    parts = [f"## {escape(results.title)}"]
    if best:
        parts += [*(escape(line) for line in best[:-1]), fenced(best[-1])]
    parts += _body(results, files)
    parts += [f"![{escape(alt)}]({path})" for alt, path in plots or []]
    parts += [fenced(command) for command in results.commands]
    return "\n\n".join(parts) + "\n"


def render_block(results: Results, files: Files) -> str:
    """Return only the tables and the caption, for insertion into another document."""
    return "\n\n".join(_body(results, files)) + "\n"


def fenced(text: str) -> str:
    """Return a code block; its fence is longer than any run of backticks in the text."""
    longest = max((len(ticks) for ticks in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _body(results: Results, files: Files) -> list[str]:
    parts = []
    for table in results.tables:
        if table.remark:
            parts.append("> " + escape(table.remark))
        parts.append(_table(table, files))
    parts.append("\n".join(f"* {escape(line)}" for line in caption(results)))
    return parts


def _table(table: ReportTable, files: Files) -> str:
    headings = [escape(c.heading) for c in table.columns]
    headings += [escape(heading) for heading in (*table.singles, *table.pictures)]
    lines = [headings, ["---"] * len(headings)]
    for row in table.rows:
        cells = [escape(column.text(row)) for column in table.columns]
        for heading in table.singles:
            alt = f"row {row.number}, {heading}"
            cells.append(" ".join(_single(run, files, alt) for run in row.singles[heading]))
        cells += [
            _cell(row.cells[heading], files, f"row {row.number}, {heading}")
            for heading in table.pictures
        ]
        lines.append(cells)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _single(run: Outcome, files: Files, alt: str) -> str:
    image = files.images.get(run.run_id)
    return f"![{escape(alt)}]({image})" if image else escape(run.note)


def _cell(cell: Cell, files: Files, alt: str) -> str:
    if cell.why:
        return escape(cell.why)
    parts = []
    for run, label in cell.pictures():
        if image := files.images.get(run.run_id):
            parts.append(f"![{escape(alt)}]({image})")
        if label:
            parts.append(escape(label))
        if not cell.together and run.judged:
            parts.append("<br>" + _judged(cell, run))
    if cell.together:
        text = " ".join([_bold(cell.headline(), cell), *map(escape, cell.remainder())])
        parts.append("<br>" + text)
    for run, note in cell.notes():
        log = files.logs.get(run.run_id)
        parts.append(f"[{escape(note)}]({log})" if log else escape(note))
    return " ".join(parts)


def _judged(cell: Cell, run: Outcome) -> str:
    head = _bold(run.headline, cell) if len(cell.values) == 1 else run.headline
    return " ".join([head, *map(escape, run.remainder)])


def _bold(text: str, cell: Cell) -> str:
    if cell.mark == BEST:
        return f"**{escape(text)}**"
    return f"≈ {escape(text)}" if cell.mark == TIE else escape(text)
