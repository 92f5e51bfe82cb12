"""Print all messages through one console, which uses colours and bars only on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from rich.console import Console, ConsoleOptions
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.segment import Segment

from gansweep.store.errors import printable
from gansweep.terminal.streams import replace_what_cannot_be_encoded

T = TypeVar("T")

replace_what_cannot_be_encoded()


class _Console(Console):
    def print(self, *objects: Any, **options: Any) -> None:
        """Print like rich's console, with control characters escaped (see `printable`)."""
        texts = (printable(o) if isinstance(o, str) else o for o in objects)
        super().print(*texts, **options)

    def render(self, renderable: Any, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Render with control characters escaped, in tables and live views too."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)

    def on_broken_pipe(self) -> None:
        """Drop all further output, as its reader (`… | head`) has ended; the sweep continues."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


console = _Console(highlight=False, soft_wrap=True, emoji=False, markup=False)


def fitted(line: str) -> str:
    """Leave out the last parts of a line that a terminal would break. Two blanks separate parts.

    The first two parts stay: the title of a run and its result. A log gets the whole line.
    """
    parts = line.split("  ")
    while console.is_terminal and len(parts) > 2 and len("  ".join(parts)) > console.width:
        parts.pop()
    return "  ".join(parts)


def track(items: Iterable[T], total: int, description: str) -> Iterator[T]:
    """Yield the `total` items of `items`, with a progress bar if the console is a terminal."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        yield from bar.track(items, total=total, description=description)
