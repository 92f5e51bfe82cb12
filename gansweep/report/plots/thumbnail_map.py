"""Draws the map of thumbnails: sample pictures on the axes of two parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gansweep.report.plots.by_parameter import value_order
from gansweep.report.plots.canvas import (
    LINE_HEIGHT,
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

MAX_VALUES = 12  # of a parameter
PREFERRED = ("lr", "beta1")
# Pixels. Pictures are enlarged until the map is USUAL_WIDTH wide and shrunk where it would exceed
# MAX_SIDE.
USUAL_WIDTH, MAX_SIDE = 1000, 2400
MIN_PICTURE, MAX_PICTURE = 112, 256  # the side of a picture
GAP, MARGIN = 14, 14
MAX_LABEL = 170  # the width of a label beside the pictures
MIN_WIDTH = 400  # of a map
HEADER_HEIGHT = 64  # above the pictures: the title, the parameter and its values
MAX_LINES = 3  # lines of text below a picture


@dataclass
class _Spot:
    """What the map shows at two values.

    row: the best row there; texts: the lines below the picture, or in its place if there is none.
    """

    row: ReportRow
    picture: Image | None
    texts: list[str]


def draw_map(column: PictureColumn) -> tuple[Any, str] | None:
    """Draw the best sample picture at each pair of values. Returns the figure and its alt text.

    Returns None without pictures, or if no varying parameter has at most MAX_VALUES values.
    """
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
        left += min(round(widest), MAX_LABEL) + 10
    side = _side(max(max(picture.size) for picture in pictures), len(across), len(down), left)
    lines = {values: _lines(spot.texts, side + GAP - 6) for values, spot in spots.items()}
    counts = [  # of lines below the pictures of each row
        max([len(lines[v]) for v, spot in spots.items() if v[0] == value and spot.picture] or [0])
        for value in down
    ]
    heights = [side + 14 + LINE_HEIGHT * count for count in counts]
    title = f"{column.heading} by {' and '.join(labels)}"
    key = f"★ best, {column.label}: {column.better}" if column.ranked else ""
    inner = len(across) * (side + GAP) - GAP
    width = max(left + inner, MIN_WIDTH) + MARGIN
    top = HEADER_HEIGHT + (LINE_HEIGHT if key else 0)
    board = Board(width, top + sum(heights) + MARGIN - 6)
    fitting = shortened(title, width - 2 * MARGIN, 9, bold=True)
    board.text(MARGIN, MARGIN - 4, fitting, size=9, bold=True)
    board.text(MARGIN, MARGIN + LINE_HEIGHT - 1, key)
    board.text(left + inner / 2, top - 30, f"{labels[-1]} →", bold=True, ha="center")
    if len(names) == 2:
        board.text(MARGIN, top - 30, shortened(f"{labels[0]} ↓", MAX_LABEL), bold=True)
    for j, value in enumerate(across):
        text = shortened(value, side + GAP - 6)
        board.text(left + j * (side + GAP) + side / 2, top - 15, text, ha="center")
    for i, row_value in enumerate(down):
        y = top + sum(heights[:i])
        text = shortened(row_value, MAX_LABEL)
        board.text(left - 10, y + side / 2, text, ha="right", va="center")
        for j, value in enumerate(across):
            spot, corner = spots.get((row_value, value)), (left + j * (side + GAP), y)
            if spot is None:
                _draw_gap(board, *corner, side)
            else:
                _draw_spot(board, column, spot, *corner, side, lines[row_value, value])
    return board.figure, f"Samples of {title}"


def _draw_gap(board: Board, x: int, y: int, side: int) -> None:
    """Draw an empty frame where no row has these values."""
    board.frame(x, y, side, edgecolor=GREY, linestyle=":", linewidth=0.8)
    board.text(x + side / 2, y + side / 2, "–", ha="center", va="center", color=GREY)


def _draw_spot(
    board: Board, column: PictureColumn, spot: _Spot, x: int, y: int, side: int, lines: list[str]
) -> None:
    """Draw a picture and the texts below it, or the texts alone, and a frame."""
    border: dict[str, Any] = {"edgecolor": GREY, "linewidth": 0.8}
    if best := column.is_best(spot.row):
        border = {"edgecolor": RED, "linewidth": 3}
    elif column.judged(spot.row) and column.alive(spot.row):
        quality = 1 - column.place(spot.row) / len(column.ranked)
        border = {"edgecolor": blues()(quality), "linewidth": 1.5}
    text_top = y + side / 2 - LINE_HEIGHT * len(lines) / 2
    if spot.picture:
        board.picture(x, y, scaled(spot.picture, side), side)
        text_top = y + side + 6
    board.frame(x, y, side, **border)
    for k, line in enumerate(lines):
        board.text(
            x + side / 2, text_top + k * LINE_HEIGHT, line, ha="center", bold=best and k == 0
        )


def _lines(texts: list[str], width: float) -> list[str]:
    """Break texts into at most MAX_LINES lines of `width` pixels."""
    lines = []
    for text in texts:
        lines += wrapped(text, width, 2, bold=text.startswith("★"))
    return lines[:MAX_LINES]


def _axes(column: PictureColumn) -> list[str]:
    """Return the parameters of the axes: the one down, if two are possible, and the one across.

    A parameter that varies only together with the first says nothing new, and is no second axis.
    """
    counts = {name: len(_values(column, name)) for name in column.varying}
    possible = [name for name, count in counts.items() if 2 <= count <= MAX_VALUES]
    chosen = PREFERRED if all(name in possible for name in PREFERRED) else possible
    ordered = sorted(chosen, key=lambda name: -counts[name])
    others = [name for name in ordered[1:] if not _vary_together(column, ordered[0], name)]
    return [*ordered[:1], *others[:1]]


def _vary_together(column: PictureColumn, one: str, other: str) -> bool:
    """Return whether each value of one parameter occurs with one value of the other only."""
    pairs = {tuple(format_param(name, row.params) for name in (one, other)) for row in column.rows}
    return len(pairs) == len(_values(column, one)) == len(_values(column, other))


def _values(column: PictureColumn, name: str) -> list[str]:
    """Return the texts of the values of a parameter, in ascending order of the values."""
    texts = {format_param(name, row.params): row.params.get(name) for row in column.rows}
    return sorted(texts, key=lambda text: value_order(texts[text]))


def _side(natural: int, across: int, down: int, left: int) -> int:
    """Return the side in pixels that all pictures get.

    natural: the side of the largest picture; the result is a multiple of it if there is room, so
    that no picture is blurred. across, down: the numbers of columns and rows; left: the pixels
    before the first column.
    """
    usual = (USUAL_WIDTH - left) // across - GAP
    by_width = (MAX_SIDE - left) // across - GAP
    by_height = (MAX_SIDE - HEADER_HEIGHT - 2 * LINE_HEIGHT) // down - 14 - MAX_LINES * LINE_HEIGHT
    side = min(max(usual, MIN_PICTURE), MAX_PICTURE, by_width, by_height)
    if natural > side:
        return side
    return max(side // natural * natural, min(side, MIN_PICTURE))


def _spots(column: PictureColumn, names: list[str]) -> dict[tuple[str, str], _Spot]:
    """Return what the map shows, by the texts of two values: down ("" without one) and across."""
    places: dict[tuple[str, str], list[ReportRow]] = {}
    for row in column.rows:
        texts = [format_param(name, row.params) for name in names]
        places.setdefault((texts[0] if len(texts) == 2 else "", texts[-1]), []).append(row)
    spots = {}
    for values, rows in places.items():
        rows.sort(key=lambda row: (column.place(row), not column.has_picture(row)))
        others = [name for name in column.varying if name not in names]
        spots[values] = _spot(column, rows[0], len(rows), others if len(others) < 3 else [])
    return spots


def _spot(column: PictureColumn, row: ReportRow, count: int, others: list[str]) -> _Spot:
    """Return what the map shows where `count` rows share two values.

    row: the best of them; others: the further parameters by which the row is named.
    """
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
