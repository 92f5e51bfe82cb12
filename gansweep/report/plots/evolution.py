"""Draws the samples of a run during training, all of the same latents: strips and animations."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gansweep.report.plots.canvas import LINE_HEIGHT, Board, open_picture, scaled, shortened
from gansweep.report.plots.style import INK, RED
from gansweep.report.table.columns import ReportRow
from gansweep.report.table.outcome import warnings_of
from gansweep.report.table.picture_column import PictureColumn
from gansweep.store.run import Run, write_if_new

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_STRIPS, MAX_PICTURES = 5, 8  # strips of the best rows; pictures in a strip
SIDE, GAP, MARGIN = 112, 8, 14  # pixels
MAX_FRAMES = 60  # of an animation
DURATION, LAST_DURATION = 5.0, 1.5  # seconds: all frames but the last; the last frame
BAR_HEIGHT, CAPTION_HEIGHT = 4, 20  # pixels


def spaced(steps: Sequence[int], count: int) -> list[int]:
    """Choose at most `count` (at least 2) steps evenly. The first and the last are among them."""
    if len(steps) <= count:
        return list(steps)
    return [steps[round(i * (len(steps) - 1) / (count - 1))] for i in range(count)]


def draw_strips(column: PictureColumn) -> tuple[Any, str] | None:
    """Draw a strip of pictures over the steps for each of the best rows and for the worst.

    Returns the figure and its alt text, or None if no row has two pictures.
    """
    rows = column.leaders(MAX_STRIPS)
    worst = max(column.ranked, key=column.loss, default=None)
    if worst is not None and all(row is not worst for row in rows):
        rows = [*rows, worst]
    strips = [(row, chosen) for row in rows if len(chosen := _chosen(column, row)) > 1]
    if not strips:
        return None
    side = SIDE + GAP
    width = 2 * MARGIN - GAP + side * max(max(len(chosen) for _, chosen in strips), 5)
    height = 2 * LINE_HEIGHT + SIDE + LINE_HEIGHT + 16
    board = Board(width, MARGIN + LINE_HEIGHT + 6 + len(strips) * height)
    rows_shown = "the best rows" if column.ranked else "the first rows"
    title = f"{column.heading}: {rows_shown} over time" + "; ● nearest the equilibrium" * bool(
        column.ranked
    )
    title = shortened(title, width - 2 * MARGIN, 9, bold=True)
    board.text(MARGIN, MARGIN - 4, title, size=9, bold=True)
    for i, (row, chosen) in enumerate(strips):
        y = MARGIN + LINE_HEIGHT + 10 + i * height
        result, name = _heading(column, row)
        board.text(MARGIN, y, shortened(result, width - 2 * MARGIN, bold=True), bold=True)
        board.text(MARGIN, y + LINE_HEIGHT, shortened(name, width - 2 * MARGIN))
        best = _nearest(column, row, list(chosen))
        for j, (step, picture) in enumerate(chosen.items()):
            x, top = MARGIN + j * side, y + 2 * LINE_HEIGHT + 3
            board.picture(x, top, scaled(picture, SIDE), SIDE)
            text = f"step {step:,}" if j == 0 else f"{step:,}"
            if step == best:
                board.frame(x, top, SIDE, edgecolor=RED, linewidth=2.5)
                text = f"● {text}"
            board.text(x + SIDE / 2, top + SIDE + 5, text, ha="center", bold=step == best)
    return board.figure, f"Samples of {column.heading} over time, of {rows_shown}"


def _heading(column: PictureColumn, row: ReportRow) -> tuple[str, str]:
    """Return the two lines above a strip: the result of the row and its name."""
    if not column.judged(row):
        return "", column.name(row)
    count = len(column.ranked)
    rank = f"{column.place(row) + 1} of {count}"
    if column.is_best(row):
        rank = f"★ best of {count}"
    elif row is max(column.ranked, key=column.loss):
        rank = f"worst of {count}"
    words = [column.value(row), *warnings_of(column.shown(row))]
    return f"{rank}:  {', '.join(words)}", column.name(row)


def _equilibrium(column: PictureColumn, row: ReportRow) -> int | None:
    """Return the step of the equilibrium, or None if the run was never better than untrained."""
    equilibrium = column.shown(row).equilibrium
    return equilibrium["step"] if equilibrium and equilibrium["step"] > 0 else None


def _nearest(column: PictureColumn, row: ReportRow, steps: list[int]) -> int | None:
    """Return the step that is nearest to the equilibrium, or None without an equilibrium."""
    best = _equilibrium(column, row)
    return None if best is None else min(steps, key=lambda step: abs(step - best))


def _chosen(column: PictureColumn, row: ReportRow) -> dict[int, Image]:
    """Return pictures by step: evenly chosen, the one nearest to the equilibrium among them."""
    run = column.run(column.shown(row))
    steps = list(run.sample_pictures())
    chosen = spaced(steps, MAX_PICTURES)
    best = _nearest(column, row, steps) if steps else None
    if best is not None and best not in chosen:
        inner = chosen[1:-1]
        chosen[chosen.index(min(inner, key=lambda step: abs(step - best)))] = best
    pictures = {step: open_picture(run.sample(step)) for step in sorted(chosen)}
    return {step: picture for step, picture in pictures.items() if picture}


def write_animation(run: Run, path: Path, size: int = 224) -> bool:
    """Write the run's samples over the steps as a looping WebP or GIF, by the suffix of `path`.

    size: the side of a frame in pixels, approximately, since pictures are scaled by whole factors.
    Returns False and writes nothing if fewer than two pictures can be read. Raises ValueError for
    another suffix.
    """
    codec = {".webp": "WEBP", ".gif": "GIF"}.get(path.suffix.lower())
    if codec is None:
        raise ValueError(f"{path.name}: .webp or .gif")
    steps = spaced(list(run.sample_pictures()), MAX_FRAMES)
    pictures = [(step, p) for step in steps if (p := open_picture(run.sample(step)))]
    if len(pictures) < 2:
        return False
    last = pictures[-1][0]
    side = pictures[-1][1].size
    frames = [
        _frame(picture, step, last, size) for step, picture in pictures if picture.size == side
    ]
    if len(frames) < 2:
        return False
    milliseconds = round(1000 * min(max(DURATION / len(frames), 0.08), 0.5))
    durations = [milliseconds] * (len(frames) - 1) + [round(1000 * LAST_DURATION)]
    style: dict[str, Any] = {"lossless": True, "method": 4}
    if codec == "GIF":
        style, frames = {"optimize": True}, [_paletted(frame) for frame in frames]
    stream = io.BytesIO()
    first, *others = frames
    first.save(
        stream, codec, save_all=True, append_images=others, duration=durations, loop=0, **style
    )
    write_if_new(path, stream.getvalue())
    return True


def _frame(picture: Image, step: int, last: int, size: int) -> Image:
    """Return a frame: the picture, a bar below it that shows the progress, and the step."""
    from PIL import Image, ImageDraw

    factor = max(1, round(max(picture.size) / size))
    picture = picture.reduce(factor) if factor > 1 else _enlarged(picture, size)
    frame = Image.new("RGB", (picture.width, picture.height + BAR_HEIGHT + CAPTION_HEIGHT), "white")
    frame.paste(picture, (0, 0))
    draw = ImageDraw.Draw(frame)
    done = round(picture.width * step / last)
    draw.rectangle((0, picture.height, picture.width, picture.height + BAR_HEIGHT - 1), "#DDDDDD")
    draw.rectangle((0, picture.height, max(done, 1) - 1, picture.height + BAR_HEIGHT - 1), RED)
    draw.text((4, picture.height + BAR_HEIGHT + 3), f"step {step:,}", INK, font=_font())
    return frame


def _enlarged(picture: Image, size: int) -> Image:
    from PIL import Image

    factor = max(1, round(size / max(picture.size)))
    larger = picture.width * factor, picture.height * factor
    return picture.resize(larger, Image.Resampling.NEAREST)


def _font() -> Any:
    """Return the font that the plots use too."""
    from matplotlib import get_data_path
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), 12)


def _paletted(frame: Image) -> Image:
    """Reduce a frame to 256 colours without dithering; grey pictures lose the bar's tint only."""
    from PIL import Image

    return frame.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
