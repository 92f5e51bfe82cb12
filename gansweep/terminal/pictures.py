"""Draw pictures in a terminal, where one character shows two pixels as an upper half block."""

from __future__ import annotations

from pathlib import Path

from rich.color import Color
from rich.style import Style
from rich.text import Text

from gansweep.terminal.console import console


def can_draw() -> bool:
    """Return whether the console is a terminal with at least 256 colours."""
    return console.is_terminal and console.color_system in ("truecolor", "256")


def draw(path: Path, columns: int) -> Text:
    """Return the picture as text of at most `columns` characters in a line.

    Raises OSError if the file cannot be read as a picture.
    """
    from PIL import Image

    with Image.open(path) as picture:
        picture.load()
        pixels = picture.convert("RGB")
    width = max(2, min(columns, pixels.width))
    height = max(2, round(pixels.height * width / pixels.width) // 2 * 2)
    pixels = pixels.resize((width, height), Image.Resampling.BOX)
    text = Text()
    for y in range(0, height, 2):
        for x in range(width):
            upper, lower = (Color.from_rgb(*_rgb(pixels, x, y + i)) for i in (0, 1))
            text.append("▀", Style(color=upper, bgcolor=lower))
        text.append("\n")
    return text


def _rgb(pixels: object, x: int, y: int) -> tuple[int, int, int]:
    """Return the colour of one pixel of an RGB picture."""
    return pixels.getpixel((x, y))  # type: ignore[attr-defined]
