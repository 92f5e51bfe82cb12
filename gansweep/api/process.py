"""Run the command of a sweep in a process of its own, and follow its output.

The process of the caller is never forked, so a notebook's kernel may have loaded anything. An
interrupt (Ctrl-C, the stop button of a notebook) is passed on: the running runs write checkpoints.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from gansweep.store.errors import INTERRUPTED, UserError
from gansweep.store.manifest import NOTE

TICK = 0.25  # seconds between two updates of a view
ERROR = "gansweep: error: "


class Interrupted(KeyboardInterrupt):
    """A sweep was interrupted and has written its checkpoints."""

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows."""
        return [str(self)]


class View(Protocol):
    """Shows the output of a command.

    inherits: whether the command writes to the terminal itself.
    """

    inherits: bool

    def line(self, text: str) -> None:
        """Show a line of the command's output."""
        ...

    def tick(self, manifest: Path | None) -> None:
        """Update the view. manifest: the path of the sweep's manifest, None until it is written."""
        ...


@dataclass
class Ended:
    """A command that has ended.

    code: its exit code, negative for a signal; manifest: the sweep that it has written, if any;
    errors: the lines of its standard error.
    """

    code: int
    manifest: Path | None = None
    errors: list[str] = field(default_factory=list)

    @property
    def message(self) -> str:
        """Why the command failed, in one line."""
        found = [line.removeprefix(ERROR) for line in self.errors if line.startswith(ERROR)]
        found = found or [line for line in self.errors if line.strip()]
        if found:
            return found[-1].strip()
        if self.code < 0:
            return f"the command was ended by {signal.Signals(-self.code).name}"
        return f"the command ended with exit code {self.code}"


def run_command(words: list[str], cwd: Path, view: View) -> Ended:
    """Run `python -m gansweep WORDS` in the folder `cwd` to its end.

    Raises Interrupted if the caller was interrupted, after the command has stopped; a second
    interrupt ends the command at once. Raises UserError if the folder does not exist.
    """
    if not cwd.is_dir():
        raise UserError(f"cwd={cwd}: there is no such folder")
    with tempfile.TemporaryDirectory() as folder:
        note = Path(folder) / "manifest"
        environment = {**os.environ, NOTE: str(note)}
        if not view.inherits:
            environment["PYTHONIOENCODING"] = "utf-8"
        sys.stdout.flush()
        process = subprocess.Popen(
            [sys.executable, "-m", "gansweep", *words],
            cwd=cwd, env=environment, stdin=subprocess.DEVNULL,
            stdout=None if view.inherits else subprocess.PIPE, stderr=subprocess.PIPE,
            encoding="utf-8", errors="replace",
            # A terminal and a notebook send an interrupt to a whole group of processes. Of a group
            # of its own the command gets one interrupt, from here, and not two.
            start_new_session=not view.inherits,
        )  # fmt: skip
        ended = Ended(0)
        try:
            _follow(process, view, note, ended)
        finally:
            if process.poll() is None:  # an exception of this process, such as SystemExit
                process.send_signal(signal.SIGINT)
            ended.code = process.wait()
            ended.manifest = _read(note)
    if ended.code in (INTERRUPTED, -signal.SIGINT):
        raise Interrupted("the sweep was interrupted; the same call resumes it")
    return ended


def _follow(process: subprocess.Popen[str], view: View, note: Path, ended: Ended) -> None:
    """Show the output of a command until it ends; interrupt the command if this process is."""
    lines: queue.SimpleQueue[tuple[bool, str | None]] = queue.SimpleQueue()
    streams = [(False, process.stdout), (True, process.stderr)]
    readers = [
        threading.Thread(target=_read_lines, args=(stream, is_error, lines), daemon=True)
        for is_error, stream in streams
        if stream is not None
    ]
    for reader in readers:
        reader.start()
    left = len(readers)
    while left:
        try:
            is_error, line = lines.get(timeout=TICK)
            if line is None:
                left -= 1
            elif not is_error:
                view.line(line)
            else:
                ended.errors.append(line)
                if not line.startswith(ERROR):  # this line becomes the exception
                    print(line, file=sys.stderr)
        except queue.Empty:
            view.tick(_read(note))
        except KeyboardInterrupt:
            if not view.inherits:  # from a terminal the command has got the interrupt too
                process.send_signal(signal.SIGINT)


def _read_lines(
    stream: IO[str], is_error: bool, lines: queue.SimpleQueue[tuple[bool, str | None]]
) -> None:
    """Pass on the lines of a stream, and None at its end."""
    with stream:
        for line in stream:
            lines.put((is_error, line.rstrip("\n")))
    lines.put((is_error, None))


def _read(note: Path) -> Path | None:
    """Return the path of the manifest that the command has written last."""
    return Path(note.read_text(encoding="utf-8")) if note.exists() else None
