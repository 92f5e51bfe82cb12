"""Show the output of a sweep's command: in a terminal, in a notebook, as lines, or not at all."""

from __future__ import annotations

import html
import io
import sys
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from gansweep.launch.follow import sweep_progress
from gansweep.launch.progress import SweepProgress, render
from gansweep.report.render.files import data_uri
from gansweep.report.render.html_table import escape, picture
from gansweep.store.errors import UserError, printable
from gansweep.store.manifest import read_manifest
from gansweep.store.run import Run

if TYPE_CHECKING:
    from gansweep.api.process import View
    from gansweep.api.results import Results

LINES = 8  # lines of the command's output below the progress
PICTURES = 8  # pictures of running runs
WIDTH = 110  # characters of the progress
UPDATE = 1.0  # seconds between two updates, more if reading the files takes long
FORMAT = '<pre style="font-family:monospace; line-height:1.3; margin:0">{code}</pre>'


def view_for(show: bool) -> View:
    """Return the view that fits the place where this process shows its output."""
    if not show:
        return Lines(write=False)
    if in_notebook():
        return NotebookView()
    stdout = sys.__stdout__
    if stdout is not None and sys.stdout is stdout and stdout.isatty():
        return TerminalView()
    return Lines()


def in_notebook() -> bool:
    """Return whether this is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class TerminalView:
    """The command writes to the terminal itself, with its own live view."""

    inherits = True

    def line(self, text: str) -> None:
        """Do nothing, as the command writes its lines itself."""

    def tick(self, manifest: Path | None) -> None:
        """Do nothing, as the command updates its view itself."""


class Lines:
    """Prints the lines of the command, and keeps them. write: whether to print them."""

    inherits = False

    def __init__(self, write: bool = True) -> None:
        self.write = write
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        """Print a line, and keep it."""
        self.lines.append(text)
        if self.write:
            print(text, flush=True)

    def tick(self, manifest: Path | None) -> None:
        """Do nothing between the lines."""


class NotebookView:
    """Shows the progress and the latest pictures in the output of a notebook's cell, in place."""

    inherits = False

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=LINES)
        self._due = 0.0
        self._handle: Any = None
        self._show(_as_typed("planning …"))

    def line(self, text: str) -> None:
        """Show a line of the command below the progress, at the next update."""
        self._lines.append(text)

    def tick(self, manifest: Path | None) -> None:
        """Show the present progress if the last update is long enough ago."""
        started = time.monotonic()
        if started < self._due:
            return
        parts = []
        if manifest is not None:
            with suppress(UserError):  # the command has just begun to write
                parts += _progress(manifest)
        parts.append(_as_typed(*self._lines))
        self._show("\n".join(parts))
        now = time.monotonic()
        self._due = now + max(UPDATE, 4 * (now - started))

    def end(self, results: Results | None, failure: str = "") -> None:
        """Show the table with pictures, or the last lines of a command without results."""
        parts = [_as_typed(failure)] if failure else []
        if results is None:
            parts.append(_as_typed(*self._lines))
        else:
            parts += [_as_typed(repr(results)), results.to_html()]
            results.was_shown()
        self._show("\n".join(parts))

    def _show(self, text: str) -> None:
        from IPython.display import HTML, display

        if self._handle is None:
            self._handle = display(HTML(text), display_id=True)
        else:
            self._handle.update(HTML(text))


def _progress(manifest: Path) -> list[str]:
    """Return the progress of a sweep, and the latest pictures of its running runs, as HTML."""
    out = manifest.parents[2]
    progress = sweep_progress(read_manifest(out, manifest.parent.name), out)
    images = []
    for line in progress.running[:PICTURES]:
        steps = Run(out, line.run_id).sample_pictures()
        with suppress(Exception):  # the picture is shown when it is complete
            step, path = list(steps.items())[-1]
            label = escape(f"{line.title}, step {step}")
            images.append(f"<div>{picture(data_uri(path), label)}{label}</div>")
    shown = '<div style="display:flex; gap:12px; flex-wrap:wrap; font-size:small">{}</div>'
    return [_as_html(progress), *([shown.format("".join(images))] if images else [])]


def _as_typed(*lines: str) -> str:
    """Return lines with their spaces, as HTML."""
    return FORMAT.format(code=html.escape(printable("\n".join(lines))))


def _as_html(progress: SweepProgress) -> str:
    """Return the live view of a terminal as HTML."""
    console = Console(
        record=True, file=io.StringIO(), width=WIDTH, force_terminal=True,
        color_system="truecolor", legacy_windows=False, highlight=False, emoji=False,
        force_jupyter=False,  # in a kernel rich would display what is printed
    )  # fmt: skip
    console.print(render(progress))
    return console.export_html(inline_styles=True, code_format=FORMAT)
