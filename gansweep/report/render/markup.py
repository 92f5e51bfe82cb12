"""Walk the cells of a table, for every format that shows pictures: Markdown, HTML and LaTeX."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gansweep.report.render.files import Files
from gansweep.report.table.cell import BEST, TIE
from gansweep.report.table.columns import ReportRow
from gansweep.report.table.outcome import Outcome

PICTURE, LABEL, JUDGEMENT, NOTE = "picture", "label", "judgement", "note"


@dataclass(frozen=True)
class Markup:
    """The spelling of a format.

    escape: of plain text; bold: of escaped text; picture: of a path or data URI and of plain text
    for readers without pictures; link: of escaped text and a path, if the format has links.
    """

    escape: Callable[[str], str]
    bold: Callable[[str], str]
    picture: Callable[[str, str], str]
    link: Callable[[str, str], str] | None = None

    def marked(self, text: str, mark: str) -> str:
        """Return the main value of a cell with the mark of the best or of a tie."""
        if mark == BEST:
            return self.bold(self.escape(text))
        return self.escape(f"≈ {text}" if mark == TIE else text)


def single(row: ReportRow, heading: str, files: Files, markup: Markup) -> str:
    """Return the pictures of a column with one picture for each run, or why there is none."""
    shown = []
    for run in row.singles[heading]:
        image = _picture(run, files, f"row {row.number}, {heading}", markup)
        shown.append(image or markup.escape(run.note))
    return " ".join(shown)


def cell_parts(row: ReportRow, heading: str, files: Files, markup: Markup) -> list[tuple[str, str]]:
    """Return the kind and the text of each part of a cell with pictures, in order."""
    cell = row.cells[heading]
    if cell.why:
        return [(NOTE, markup.escape(cell.why))]
    parts = []
    for run, label in cell.pictures():
        parts.append((PICTURE, _picture(run, files, f"row {row.number}, {heading}", markup)))
        parts.append((LABEL, markup.escape(label)))
        if not cell.together and run.judged:
            mark = cell.mark if len(cell.values) == 1 else ""
            parts.append((JUDGEMENT, _judged(run.headline, run.remainder, mark, markup)))
    if cell.together:
        text = _judged(cell.headline(), cell.remainder(), cell.mark, markup)
        parts.append((JUDGEMENT, text))
    for run, note in cell.notes():
        log = files.logs.get(run.run_id)
        text = markup.escape(note)
        parts.append((NOTE, markup.link(text, log) if log and markup.link else text))
    return [(kind, text) for kind, text in parts if text]


def _judged(head: str, rest: list[str], mark: str, markup: Markup) -> str:
    return " ".join([markup.marked(head, mark), *map(markup.escape, rest)])


def _picture(run: Outcome, files: Files, alt: str, markup: Markup) -> str:
    image = files.images.get(run.run_id)
    return markup.picture(image, alt) if image else ""
