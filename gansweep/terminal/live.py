"""A live view that stays clean when the terminal is made narrower or wider."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.control import Control
from rich.live import Live
from rich.live_render import LiveRender
from rich.segment import ControlType, Segment

from gansweep.terminal.console import console

_UP = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2))


class LiveView(Live):
    """A live view on gansweep's console, which `update` draws and which vanishes at its end."""

    def __init__(self) -> None:
        super().__init__(console=console, auto_refresh=False, transient=True)
        self._live_render = _Frame(console)

    def show(self, renderable: RenderableType) -> None:
        """Draw the renderable in place of the last one."""
        self.update(renderable, refresh=True)


class _Frame(LiveRender):
    """The lines on the screen. It knows how many rows they take in a terminal of another width.

    A terminal that becomes narrower breaks long lines into several rows. Without counting these,
    parts of the old view would stay on the screen.
    """

    def __init__(self, shown_on: Console) -> None:
        super().__init__("")
        self._console = shown_on
        self._lengths: list[int] = []

    def rows(self) -> int:
        """Return the number of the terminal's rows that the drawn lines take at its width now."""
        width = max(1, self._console.width)
        return sum(max(1, math.ceil(length / width)) for length in self._lengths)

    def position_cursor(self) -> Control:
        """Return the control codes that erase the drawn lines and move to their beginning."""
        if not self._lengths:
            return Control()
        return Control(
            ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2), *_UP * (self.rows() - 1)
        )

    def restore_cursor(self) -> Control:
        """Return the control codes that erase the drawn lines, with the cursor one line below."""
        if not self._lengths:
            return Control()
        return Control(ControlType.CARRIAGE_RETURN, *_UP * self.rows())

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self.renderable, options, pad=False)
        lines = [_without_blanks(line) for line in lines[: max(1, options.size.height - 1)]]
        self._lengths = [Segment.get_line_length(line) for line in lines]
        self._shape = (max(self._lengths, default=0), len(lines))
        for number, line in enumerate(lines):
            if number:
                yield Segment.line()
            yield from line


def _without_blanks(line: Iterable[Segment]) -> list[Segment]:
    """Return a line without the blanks at its end, which would become rows in a narrow terminal."""
    kept = [*line]
    while kept and not kept[-1].control and not kept[-1].text.strip():
        kept.pop()
    if kept and not kept[-1].control:
        kept[-1] = kept[-1]._replace(text=kept[-1].text.rstrip())
    return kept
