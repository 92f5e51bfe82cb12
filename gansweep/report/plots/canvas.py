"""Lays out figures in pixels, so that no sample picture between the texts is blurred."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gansweep.report.plots.style import DPI, INK, plain

if TYPE_CHECKING:
    from PIL.Image import Image

FONT_SIZE = 8.0  # points
LINE_HEIGHT = 15  # pixels
MAX_LENGTH = 1000  # characters of a text


class Board:
    """A figure whose parts are placed in pixels from its upper left corner.

    width, height: in pixels.
    """

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.figure import Figure

        self.width, self.height = round(width), round(height)
        # The renderer rounds down: a hair more than whole pixels gives exactly that many.
        size = ((self.width + 0.01) / DPI, (self.height + 0.01) / DPI)
        self.figure = Figure(size, DPI, facecolor="white")

    def picture(self, x: float, y: float, image: Image, side: float) -> None:
        """Draw a picture in the middle of the square of `side` pixels whose corner is (x, y)."""
        import numpy as np

        x, y = x + (side - image.width) // 2, y + (side - image.height) // 2
        bottom = self.height - y - image.height
        self.figure.figimage(np.asarray(image), round(x), round(bottom), origin="upper")

    def text(self, x: float, y: float, text: str, **style: Any) -> None:
        """Write one line; (x, y) is its upper left corner unless `ha` or `va` says otherwise.

        style: `size` in points, `bold`, and what `Figure.text` takes.
        """
        bold, size = style.pop("bold", False), style.pop("size", FONT_SIZE)
        style = {"ha": "left", "va": "top", "color": INK, **style}
        position = x / self.width, 1 - y / self.height
        weight = "bold" if bold else "normal"
        self.figure.text(*position, plain(text, MAX_LENGTH), size=size, weight=weight, **style)

    def frame(self, x: float, y: float, side: float, **style: Any) -> None:
        """Draw a frame around a square of `side` pixels. style: what `Rectangle` takes."""
        from matplotlib.patches import Rectangle
        from matplotlib.transforms import IdentityTransform

        margin = style.get("linewidth", 1.0) * DPI / 72 / 2  # the line lies outside the square
        style = {"fill": False, "snap": False, **style}
        corner = (x - margin, self.height - y - side - margin)
        patch = Rectangle(corner, side + 2 * margin, side + 2 * margin, **style)
        patch.set_transform(IdentityTransform())
        self.figure.add_artist(patch)


def open_picture(path: Path) -> Image | None:
    """Read a picture as RGB. Returns None if the file is missing or damaged."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return picture.convert("RGB")
    except Exception:  # decoders raise many classes for damaged files
        return None


def scaled(image: Image, side: int) -> Image:
    """Scale a picture to fit a square of `side` pixels.

    The factor of an enlargement is a whole number, so that all pixels stay equally large.
    """
    from PIL import Image

    longer = max(image.size)
    if longer <= side:
        factor = side // longer
        size = image.width * factor, image.height * factor
        return image.resize(size, Image.Resampling.NEAREST)
    size = max(1, image.width * side // longer), max(1, image.height * side // longer)
    return image.resize(size, Image.Resampling.LANCZOS)


def text_width(text: str, size: float = FONT_SIZE, bold: bool = False) -> float:
    """Return the width of one line of text in pixels. size: in points."""
    return _measure(" ".join(text.split()), size, bold)


def shortened(text: str, width: float, size: float = FONT_SIZE, bold: bool = False) -> str:
    """Replace the middle of a text by `…` until it is at most `width` pixels wide."""
    flat = " ".join(text.split())
    kept = len(flat)
    while kept > 1 and text_width(flat, size, bold) > width:
        kept = min(kept - 1, max(1, int(kept * width / text_width(flat, size, bold)) + 1))
        flat = plain(text, kept).replace(r"\$", "$")
    return flat


def wrapped(text: str, width: float, max_lines: int, bold: bool = False) -> list[str]:
    """Break a text into at most `max_lines` lines of at most `width` pixels.

    The last line holds all that is left and is shortened if it is too wide. No line ends at a
    no-break space.
    """
    lines: list[str] = []
    for word in filter(None, text.split(" ")):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and (len(lines) == max_lines or text_width(longer, bold=bold) <= width):
            lines[-1] = longer
        else:
            lines.append(word)
    return [shortened(line, width, bold=bold) for line in lines]


@lru_cache(4096)
def _measure(text: str, size: float, bold: bool) -> float:
    from matplotlib.font_manager import FontProperties

    font = FontProperties(size=size, weight="bold" if bold else "normal")
    width, _, _ = _renderer().get_text_width_height_descent(text, font, False)
    return float(width)


@lru_cache(1)
def _renderer() -> Any:
    from matplotlib.backends.backend_agg import RendererAgg

    return RendererAgg(1, 1, DPI)
