"""Drawings that are laid out in pixels: sample pictures, never blurred, with texts between them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gansweep.report.plots.style import DPI, INK, plain

if TYPE_CHECKING:
    from PIL.Image import Image

TEXT = 8.0  # points
LINE = 15  # pixels from a line of text to the next


class Board:
    """A figure of so many pixels, measured from its upper left corner."""

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.figure import Figure

        self.width, self.height = round(width), round(height)
        # A hair more than whole pixels, which the renderer cuts off.
        size = ((self.width + 0.01) / DPI, (self.height + 0.01) / DPI)
        self.figure = Figure(size, DPI, facecolor="white")

    def picture(self, x: float, y: float, image: Image, side: float) -> None:
        """In the middle of a square."""
        import numpy as np

        x, y = x + (side - image.width) // 2, y + (side - image.height) // 2
        bottom = self.height - y - image.height
        self.figure.figimage(np.asarray(image), round(x), round(bottom), origin="upper")

    def text(self, x: float, y: float, text: str, **style: Any) -> None:
        """Its upper left corner at x, y (else by `ha` and `va`). size: points; bold; color."""
        bold, size = style.pop("bold", False), style.pop("size", TEXT)
        style = {"ha": "left", "va": "top", "color": INK, **style}
        at = x / self.width, 1 - y / self.height
        weight = "bold" if bold else "normal"
        self.figure.text(*at, plain(text, 1000), size=size, weight=weight, **style)

    def frame(self, x: float, y: float, side: float, **style: Any) -> None:
        """Around a square, outside of it."""
        from matplotlib.patches import Rectangle
        from matplotlib.transforms import IdentityTransform

        out = style.get("linewidth", 1.0) * DPI / 72 / 2
        style = {"fill": False, "snap": False, **style}
        corner = (x - out, self.height - y - side - out)
        patch = Rectangle(corner, side + 2 * out, side + 2 * out, **style)
        patch.set_transform(IdentityTransform())
        self.figure.add_artist(patch)


def open_picture(path: Path) -> Image | None:
    """A picture in colours; None if the file is missing or damaged."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return picture.convert("RGB")
    except Exception:  # a decoder has many ways to refuse a damaged file
        return None


def scaled(image: Image, side: int) -> Image:
    """As large as fits into a square: enlarged in whole steps, so that pixels stay squares."""
    from PIL import Image

    longest = max(image.size)
    if longest <= side:
        step = side // longest
        return image.resize((image.width * step, image.height * step), Image.Resampling.NEAREST)
    size = max(1, image.width * side // longest), max(1, image.height * side // longest)
    return image.resize(size, Image.Resampling.LANCZOS)


def text_width(text: str, size: float = TEXT, bold: bool = False) -> float:
    """Pixels."""
    return _measure(" ".join(text.split()), size, bold)


def shortened(text: str, width: float, size: float = TEXT, bold: bool = False) -> str:
    """Its middle left out as far as it is wider than so many pixels."""
    flat = " ".join(text.split())
    kept = len(flat)
    while kept > 1 and text_width(flat, size, bold) > width:
        kept = min(kept - 1, max(1, int(kept * width / text_width(flat, size, bold)) + 1))
        flat = plain(text, kept).replace(r"\$", "$")
    return flat


def wrapped(text: str, width: float, most: int, bold: bool = False) -> list[str]:
    """Lines of at most so many pixels; the last of `most` lines is shortened if need be.

    No line ends at a no-break space.
    """
    lines: list[str] = []
    for word in filter(None, text.split(" ")):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and (len(lines) == most or text_width(longer, bold=bold) <= width):
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
