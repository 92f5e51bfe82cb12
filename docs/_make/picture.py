"""Record a sweep in a terminal, and the gallery that it ends in, as the moving picture sweep.webp.

`make picture` trains six settings on digits in an empty folder (two minutes on two cores), draws
the terminal with Pillow and takes pictures of the gallery with Chromium.
"""

from __future__ import annotations

import fcntl
import functools
import os
import pty
import select
import shutil
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import pyte
from PIL import Image, ImageDraw, ImageFont

ARGUMENTS = ["-m", "lr=2e-3,1e-3,5e-4", "beta1=0.1,0.5", "data=mnist5k"]
COLUMNS, LINES = 100, 27
CELL = (8, 17)  # pixels of a character
MARGIN = 14
SIZE = (COLUMNS * CELL[0] + 2 * MARGIN, LINES * CELL[1] + 2 * MARGIN)
EVERY = 5.0  # seconds of the sweep between two pictures
COLOURS = {
    "default": "#d8dee9", "black": "#3b4252", "red": "#e06c75", "green": "#98c379",
    "brown": "#e5c07b", "blue": "#61afef", "magenta": "#c678dd", "cyan": "#56b6c2",
    "white": "#ffffff", "brightblack": "#7f8694",
}  # fmt: skip
BACKGROUND = "#1e222a"
TARGET = Path(__file__).parents[1] / "sweep.webp"


@functools.cache
def font(bold: bool) -> ImageFont.FreeTypeFont:
    name = "DejaVuSansMono-Bold.ttf" if bold else "DejaVuSansMono.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf" / name), 13)


def drawn(screen: pyte.Screen) -> Image.Image:
    """Draw what a terminal shows."""
    image = Image.new("RGB", SIZE, BACKGROUND)
    pen = ImageDraw.Draw(image)
    for y, line in screen.buffer.items():
        for x, char in line.items():
            if char.data.strip():
                colour = COLOURS.get(char.fg) or f"#{char.fg}"
                place = (MARGIN + x * CELL[0], MARGIN + y * CELL[1])
                pen.text(place, char.data, fill=colour, font=font(char.bold))
    return image


def recorded(folder: Path) -> Iterator[Image.Image]:
    """Run the sweep in a terminal, and yield what it shows every few seconds and at its end."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    stream.feed(f"\x1b[1m$ python -m gansweep {' '.join(ARGUMENTS)}\x1b[0m\r\n".encode())
    yield drawn(screen)
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.environ.update(TERM="xterm-256color", COLUMNS=str(COLUMNS), LINES=str(LINES))
        os.execv(sys.executable, [sys.executable, "-m", "gansweep", *ARGUMENTS])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    due = time.monotonic() + 1
    while True:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                data = os.read(terminal, 1 << 16)
            except OSError:  # the child has ended
                break
            if not data:
                break
            stream.feed(data)
        if time.monotonic() >= due:
            due += EVERY
            yield drawn(screen)
    _, status = os.waitpid(child, 0)
    yield drawn(screen)
    if status:
        raise SystemExit("the sweep has failed")


def gallery(folder: Path) -> Iterator[Image.Image]:
    """Yield pictures of the gallery: its top, and a run."""
    from playwright.sync_api import sync_playwright

    (page_file,) = folder.glob("reports/*/index.html")
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
        page.goto(page_file.resolve().as_uri())
        page.wait_for_timeout(1000)
        for click in ("", "td img, .thumb img, img"):
            if click:
                page.locator(click).first.click()
                page.wait_for_timeout(1000)
            path = folder / "shot.png"
            page.screenshot(path=str(path))
            with Image.open(path) as shot:
                yield shot.convert("RGB")
        browser.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        terminal = [*recorded(folder)]
        pages = [*gallery(folder)]
    # The gallery comes first, as some viewers show the first picture alone.
    frames = [pages[0], *terminal, *pages]
    durations = [2000, 1500, *(150 for _ in terminal[2:]), 4000, *(4000 for _ in pages)]
    frames[0].save(
        TARGET, save_all=True, append_images=frames[1:], duration=durations, loop=0,
        lossless=False, quality=80, method=6, minimize_size=True,
    )  # fmt: skip
    print(f"{TARGET}: {len(frames)} pictures, {TARGET.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
