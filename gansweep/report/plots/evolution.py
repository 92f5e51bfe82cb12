"""A run's samples over time, of the same latents: strips of pictures, and an animation."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gansweep.report.plots.canvas import LINE, Board, open_picture, scaled, shortened
from gansweep.report.plots.style import INK, RED
from gansweep.report.table.columns import ReportRow
from gansweep.report.table.outcome import warnings_of
from gansweep.report.table.picture_column import PictureColumn
from gansweep.store.run import Run, write_if_new

if TYPE_CHECKING:
    from PIL.Image import Image

STRIPS, PICTURES = 5, 8  # rows; steps of each
SIDE, GAP, MARGIN = 112, 8, 14  # pixels
FRAMES = 60  # of an animation
SECONDS, HELD = 5.0, 1.5  # from first to last; the last one's own
BAR, CAPTION = 4, 20  # pixels of height


def spaced(steps: Sequence[int], count: int) -> list[int]:
    """At most so many of them, evenly chosen, the first and the last among them."""
    if len(steps) <= count:
        return list(steps)
    return [steps[round(i * (len(steps) - 1) / (count - 1))] for i in range(count)]


def draw_strips(column: PictureColumn) -> tuple[Any, str] | None:
    """The best rows' pictures over time, and the worst's; None without pictures."""
    rows = column.leaders(STRIPS)
    worst = max(column.ranked, key=column.loss, default=None)
    if worst is not None and all(row is not worst for row in rows):
        rows = [*rows, worst]
    found = [(row, chosen) for row in rows if len(chosen := _chosen(column, row)) > 1]
    if not found:
        return None
    side = SIDE + GAP
    width = 2 * MARGIN - GAP + side * max(max(len(chosen) for _, chosen in found), 5)
    high = 2 * LINE + SIDE + LINE + 16
    board = Board(width, MARGIN + LINE + 6 + len(found) * high)
    what = "the best rows" if column.ranked else "the first rows"
    title = f"{column.heading}: {what} over time" + "; ● nearest the equilibrium" * bool(
        column.ranked
    )
    title = shortened(title, width - 2 * MARGIN, 9, bold=True)
    board.text(MARGIN, MARGIN - 4, title, size=9, bold=True)
    for i, (row, chosen) in enumerate(found):
        y = MARGIN + LINE + 10 + i * high
        head, rest = _heading(column, row)
        board.text(MARGIN, y, shortened(head, width - 2 * MARGIN, bold=True), bold=True)
        board.text(MARGIN, y + LINE, shortened(rest, width - 2 * MARGIN))
        best = _nearest(column, row, list(chosen))
        for j, (step, picture) in enumerate(chosen.items()):
            x, top = MARGIN + j * side, y + 2 * LINE + 3
            board.picture(x, top, scaled(picture, SIDE), SIDE)
            text = f"step {step:,}" if j == 0 else f"{step:,}"
            if step == best:
                board.frame(x, top, SIDE, edgecolor=RED, linewidth=2.5)
                text = f"● {text}"
            board.text(x + SIDE / 2, top + SIDE + 5, text, ha="center", bold=step == best)
    return board.figure, f"Samples of {column.heading} over time, of {what}"


def _heading(column: PictureColumn, row: ReportRow) -> tuple[str, str]:
    """What became of a row, and what it is."""
    if not column.judged(row):
        return "", column.name(row)
    count = len(column.ranked)
    which = f"{column.place(row) + 1} of {count}"
    if column.is_best(row):
        which = f"★ best of {count}"
    elif row is max(column.ranked, key=column.loss):
        which = f"worst of {count}"
    words = [column.value(row), *warnings_of(column.shown(row))]
    return f"{which}:  {', '.join(words)}", column.name(row)


def _equilibrium(column: PictureColumn, row: ReportRow) -> int | None:
    """Its step; None if the run was never better than untrained."""
    found = column.shown(row).equilibrium
    return found["step"] if found and found["step"] > 0 else None


def _nearest(column: PictureColumn, row: ReportRow, steps: list[int]) -> int | None:
    best = _equilibrium(column, row)
    return None if best is None else min(steps, key=lambda step: abs(step - best))


def _chosen(column: PictureColumn, row: ReportRow) -> dict[int, Image]:
    """Pictures by step, evenly chosen; the one nearest the equilibrium is among them."""
    run = column.run(column.shown(row))
    steps = list(run.sample_pictures())
    chosen = spaced(steps, PICTURES)
    best = _nearest(column, row, steps) if steps else None
    if best is not None and best not in chosen:
        inner = chosen[1:-1]
        chosen[chosen.index(min(inner, key=lambda step: abs(step - best)))] = best
    pictures = {step: open_picture(run.sample(step)) for step in sorted(chosen)}
    return {step: picture for step, picture in pictures.items() if picture}


def write_animation(run: Run, path: Path, size: int = 224) -> bool:
    """The run's samples over time as a WebP or a GIF that loops, by the suffix of `path`.

    size: about so many pixels a side. Returns False, and writes nothing, if there are fewer than
    two pictures that can be read. Raises ValueError for another suffix.
    """
    form = {".webp": "WEBP", ".gif": "GIF"}.get(path.suffix.lower())
    if form is None:
        raise ValueError(f"{path.name}: .webp or .gif")
    steps = spaced(list(run.sample_pictures()), FRAMES)
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
    each = round(1000 * min(max(SECONDS / len(frames), 0.08), 0.5))
    durations = [each] * (len(frames) - 1) + [round(1000 * HELD)]
    style: dict[str, Any] = {"lossless": True, "method": 4}
    if form == "GIF":
        style, frames = {"optimize": True}, [_paletted(frame) for frame in frames]
    stream = io.BytesIO()
    first, *others = frames
    first.save(
        stream, form, save_all=True, append_images=others, duration=durations, loop=0, **style
    )
    write_if_new(path, stream.getvalue())
    return True


def _frame(picture: Image, step: int, last: int, size: int) -> Image:
    """The picture, a bar below it for how far it is, and the step's number."""
    from PIL import Image, ImageDraw

    whole = max(1, round(max(picture.size) / size))
    picture = picture.reduce(whole) if whole > 1 else _enlarged(picture, size)
    frame = Image.new("RGB", (picture.width, picture.height + BAR + CAPTION), "white")
    frame.paste(picture, (0, 0))
    draw = ImageDraw.Draw(frame)
    done = round(picture.width * step / last)
    draw.rectangle((0, picture.height, picture.width, picture.height + BAR - 1), "#DDDDDD")
    draw.rectangle((0, picture.height, max(done, 1) - 1, picture.height + BAR - 1), RED)
    draw.text((4, picture.height + BAR + 3), f"step {step:,}", INK, font=_font())
    return frame


def _enlarged(picture: Image, size: int) -> Image:
    from PIL import Image

    times = max(1, round(size / max(picture.size)))
    return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)


def _font() -> Any:
    """The drawings' own."""
    from matplotlib import get_data_path
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), 12)


def _paletted(frame: Image) -> Image:
    """At most 256 colours, without dots: a grey picture loses nothing but the bar's tint."""
    from PIL import Image

    return frame.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
