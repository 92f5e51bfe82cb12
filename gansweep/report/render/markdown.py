"""Render a report as Markdown for code hosts, with pictures in the cells of the tables."""

from __future__ import annotations

import re

from gansweep.report.render.files import Files
from gansweep.report.render.markup import JUDGEMENT, Markup, cell_parts, single
from gansweep.report.table.caption import caption
from gansweep.report.table.collect import ReportTable, Results


def escape(text: str) -> str:
    """Escape text for one cell of a Markdown table."""
    flat = " ".join(str(text).split())
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|!#~$])", r"\\\1", flat)


MARKUP = Markup(
    escape,
    bold=lambda text: f"**{text}**",
    picture=lambda path, alt: f"![{escape(alt)}]({path})",
    link=lambda text, path: f"[{text}]({path})",
)


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
        cells += [single(row, heading, files, MARKUP) for heading in table.singles]
        for heading in table.pictures:
            parts = cell_parts(row, heading, files, MARKUP)
            cells.append(" ".join("<br>" * (kind == JUDGEMENT) + text for kind, text in parts))
        lines.append(cells)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
