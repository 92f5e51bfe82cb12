"""The Markdown rendering: tables that code hosts show, with the pictures in their cells."""

from __future__ import annotations

import re
from typing import Any

from gansweep.report.caption import caption
from gansweep.report.collect import Outcome, ReportTable
from gansweep.sweep.manifest import Manifest


def escape(text: str) -> str:
    """Any text as literal text within one cell."""
    flat = " ".join(str(text).split())
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|!#~$])", r"\\\1", flat)


def render(
    manifest: Manifest,
    tables: list[ReportTable],
    images: dict[str, str],
    best: list[str] | None = None,
    plots: list[tuple[str, str]] | None = None,
) -> str:
    """The report's body. images: run id → path of its picture, relative to the report.

    best: of a search, what is best, the last line a command; plots: (alt text, path).
    """
    parts = [f"## {escape(manifest.title)}"]
    if best:
        parts += [*(escape(line) for line in best[:-1]), f"```\n{best[-1]}\n```"]
    parts += _body(manifest, tables, images)
    parts += [f"![{escape(alt)}]({path})" for alt, path in plots or []]
    parts.append(f"```\n{manifest.command}\n```")
    return "\n\n".join(parts) + "\n"


def render_block(manifest: Manifest, tables: list[ReportTable], images: dict[str, str]) -> str:
    """The tables and the caption alone, to stand within another document."""
    return "\n\n".join(_body(manifest, tables, images)) + "\n"


def _body(manifest: Manifest, tables: list[ReportTable], images: dict[str, str]) -> list[str]:
    parts = []
    for table in tables:
        if table.remark:
            parts.append("> " + escape(table.remark))
        parts.append(_table(table, images))
    parts.append("\n".join(f"* {escape(line)}" for line in caption(manifest, tables)))
    return parts


def _table(table: ReportTable, images: dict[str, str]) -> str:
    headings = [escape(heading) for heading in table.frame.columns]
    lines = [headings, ["---"] * len(headings)]
    for row, cells in zip(table.frame.index, table.frame.itertuples(index=False), strict=True):
        lines.append(
            [
                _picture_cell(cell, images, f"row {row}, {heading}")
                if heading in table.pictures
                else escape(cell)
                for heading, cell in zip(table.frame.columns, cells, strict=True)
            ]
        )
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _picture_cell(cell: Any, images: dict[str, str], alt: str) -> str:
    if isinstance(cell, str):
        return escape(cell)
    seeds = len(cell) > 1
    return " ".join(_outcome(outcome, images, alt, seeds) for outcome in cell)


def _outcome(outcome: Outcome, images: dict[str, str], alt: str, tell_seed: bool) -> str:
    image = images.get(outcome.run_id)
    parts = [f"![{escape(alt)}]({image})"] if image else []
    if tell_seed:
        parts.append(f"seed {outcome.seed}")
    if outcome.judged:
        parts.append(f"<br>{escape(outcome.judged)}")
    if outcome.note:
        parts.append(escape(outcome.note))
    return " ".join(parts)
