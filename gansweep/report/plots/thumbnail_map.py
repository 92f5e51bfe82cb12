"""The map of thumbnails: sample pictures on the axes of two parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gansweep.report.plots.by_parameter import value_order
from gansweep.report.plots.canvas import (
    LINE,
    Board,
    open_picture,
    scaled,
    shortened,
    text_width,
    wrapped,
)
from gansweep.report.plots.style import GREY, RED, blues
from gansweep.report.table.columns import ReportRow
from gansweep.report.table.outcome import warnings_of
from gansweep.report.table.picture_column import PictureColumn
from gansweep.report.table.text import format_param, heading_of

if TYPE_CHECKING:
    from PIL.Image import Image

MOST = 12  # values of a parameter
PREFERRED = ("lr", "beta1")
USUAL, LARGEST = 1000, 2400  # pixels a side: pictures are enlarged up to it, and shrunk beyond it
SMALLEST, WIDEST = 112, 256  # pixels of a picture's side
GAP, MARGIN = 14, 14
LONGEST = 170  # pixels of a label beside the pictures
NARROWEST = 400  # pixels of a map
HEADS = 64  # pixels above the pictures: a title, the parameter, its values
LINES = 3  # of text below a picture


@dataclass
class _Spot:
    """What stands at two values. picture: the best's; texts: the lines below, or instead of it."""

    row: ReportRow
    picture: Image | None
    texts: list[str]


def draw_map(column: PictureColumn) -> tuple[Any, str] | None:
    """None if there is no picture, or no parameter has a handful of values."""
    names = _axes(column)
    if not names:
        return None
    spots = _spots(column, names)
    pictures = [spot.picture for spot in spots.values() if spot.picture]
    if not pictures:
        return None
    across = _values(column, names[-1])
    down = _values(column, names[0]) if len(names) == 2 else [""]
    labels = [heading_of(name) for name in names]
    left = MARGIN
    if len(names) == 2:
        widest = max(text_width(f"{labels[0]} ↓", bold=True), *map(text_width, down))
        left += min(round(widest), LONGEST) + 10
    side = _side(max(max(picture.size) for picture in pictures), len(across), len(down), left)
    lines = {at: _lines(spot.texts, side + GAP - 6) for at, spot in spots.items()}
    below = [
        max([len(lines[at]) for at, spot in spots.items() if at[0] == high and spot.picture] or [0])
        for high in down
    ]
    steps = [side + 14 + LINE * count for count in below]  # pixels from one row to the next
    title = f"{column.heading} by {' and '.join(labels)}"
    about = f"★ best, {column.label}: {column.better}" if column.ranked else ""
    inner = len(across) * (side + GAP) - GAP
    width = max(left + inner, NARROWEST) + MARGIN
    above = HEADS + (LINE if about else 0)
    board = Board(width, above + sum(steps) + MARGIN - 6)
    fitting = shortened(title, width - 2 * MARGIN, 9, bold=True)
    board.text(MARGIN, MARGIN - 4, fitting, size=9, bold=True)
    board.text(MARGIN, MARGIN + LINE - 1, about)
    board.text(left + inner / 2, above - 30, f"{labels[-1]} →", bold=True, ha="center")
    if len(names) == 2:
        board.text(MARGIN, above - 30, shortened(f"{labels[0]} ↓", LONGEST), bold=True)
    for j, value in enumerate(across):
        text = shortened(value, side + GAP - 6)
        board.text(left + j * (side + GAP) + side / 2, above - 15, text, ha="center")
    for i, high in enumerate(down):
        y = above + sum(steps[:i])
        text = shortened(high, LONGEST)
        board.text(left - 10, y + side / 2, text, ha="right", va="center")
        for j, value in enumerate(across):
            spot, corner = spots.get((high, value)), (left + j * (side + GAP), y)
            if spot is None:
                _draw_gap(board, *corner, side)
            else:
                _draw_spot(board, column, spot, *corner, side, lines[high, value])
    return board.figure, f"Samples of {title}"


def _draw_gap(board: Board, x: int, y: int, side: int) -> None:
    """Where no row has these values."""
    board.frame(x, y, side, edgecolor=GREY, linestyle=":", linewidth=0.8)
    board.text(x + side / 2, y + side / 2, "–", ha="center", va="center", color=GREY)


def _draw_spot(
    board: Board, column: PictureColumn, spot: _Spot, x: int, y: int, side: int, lines: list[str]
) -> None:
    """A picture with its frame, and texts below it; or the texts alone, in the middle."""
    border: dict[str, Any] = {"edgecolor": GREY, "linewidth": 0.8}
    if best := column.is_best(spot.row):
        border = {"edgecolor": RED, "linewidth": 3}
    elif column.judged(spot.row) and column.alive(spot.row):
        better = 1 - column.place(spot.row) / len(column.ranked)
        border = {"edgecolor": blues()(better), "linewidth": 1.5}
    start = y + side / 2 - LINE * len(lines) / 2
    if spot.picture:
        board.picture(x, y, scaled(spot.picture, side), side)
        start = y + side + 6
    board.frame(x, y, side, **border)
    for k, line in enumerate(lines):
        at = x + side / 2, start + k * LINE
        board.text(*at, line, ha="center", bold=best and k == 0)


def _lines(texts: list[str], width: float) -> list[str]:
    lines = []
    for text in texts:
        lines += wrapped(text, width, 2, bold=text.startswith("★"))
    return lines[:LINES]


def _axes(column: PictureColumn) -> list[str]:
    """The parameter that goes down, if two have a handful of values, and the one across."""
    counts = {name: len(_values(column, name)) for name in column.varying}
    fit = [name for name, count in counts.items() if 2 <= count <= MOST]
    chosen = PREFERRED if all(name in fit for name in PREFERRED) else fit
    return sorted(chosen, key=lambda name: -counts[name])[:2]


def _values(column: PictureColumn, name: str) -> list[str]:
    """The texts of a parameter's values, in order."""
    texts = {format_param(name, row.params): row.params.get(name) for row in column.rows}
    return sorted(texts, key=lambda text: value_order(texts[text]))


def _side(natural: int, across: int, down: int, left: int) -> int:
    """Pixels of a picture: a multiple of its own where there is room, so that none is blurred."""
    usual = (USUAL - left) // across - GAP
    wide = (LARGEST - left) // across - GAP
    high = (LARGEST - HEADS - 2 * LINE) // down - 14 - LINES * LINE
    side = min(max(usual, SMALLEST), WIDEST, wide, high)
    if natural > side:
        return side
    return max(side // natural * natural, min(side, SMALLEST))


def _spots(column: PictureColumn, names: list[str]) -> dict[tuple[str, str], _Spot]:
    places: dict[tuple[str, str], list[ReportRow]] = {}
    for row in column.rows:
        texts = [format_param(name, row.params) for name in names]
        places.setdefault((texts[0] if len(texts) == 2 else "", texts[-1]), []).append(row)
    found = {}
    for at, rows in places.items():
        rows.sort(key=lambda row: (column.place(row), not column.has_picture(row)))
        others = [name for name in column.varying if name not in names]
        found[at] = _spot(column, rows[0], len(rows), others if len(others) < 3 else [])
    return found


def _spot(column: PictureColumn, row: ReportRow, count: int, others: list[str]) -> _Spot:
    """others: parameters that differ within the place, to name the one that is shown."""
    cell = column.cell(row)
    if not cell.runs:
        return _Spot(row, None, [cell.why])
    run = column.shown(row)
    picture = open_picture(run.picture) if run.picture else None
    value = column.value(row).replace("± ", "±\u00a0").replace(" (", "\u00a0(")
    if column.is_best(row):
        value = f"★\u00a0{value}"
    texts = [value] if value else []
    if run.status != "done":
        texts.append(run.status)
    texts += warnings_of(run)
    if run.status == "done" and picture is None:
        texts.append("no picture")
    if len(cell.runs) > 1:
        texts.append(f"seed\u00a0{run.seed}")
    if count > 1:
        named = " ".join(f"{name}={format_param(name, row.params)}" for name in others)
        place = f"best of\u00a0{count}" if value else f"1 of\u00a0{count}"
        texts.append(f"{place}: {named}" if named else place)
    head = texts[:1] if value else []
    rest = ", ".join(texts[len(head) :])
    return _Spot(row, picture, [*head, rest] if rest else head)
