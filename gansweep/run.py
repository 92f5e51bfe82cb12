"""The run folder: the contract between launching, training and reporting.

Only this file spells the names of a run folder's files. A run's status is derived from what is
there, never stored. Every file is written beside its name and renamed into place, so a reader
sees the old file or the new one; the metrics stream is appended to, line by line.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from gansweep.errors import UserError

SCHEMA = 1  # of the identity: raise it when equal parameters no longer mean equal numbers


def write_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary neighbour of `path`, then rename it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        # mkstemp makes private files; results are meant to be read like any other file.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    write_file(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, allow_nan=True) + "\n")


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in `path`; None if it is missing or damaged (see `damaged`)."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def damaged(path: Path) -> bool:
    """Is `path` there, but not readable as a JSON object?"""
    return path.exists() and read_json(path) is None


def _whole_png(path: Path) -> bool:
    """Is `path` there, down to a PNG's last chunk?"""
    try:
        return path.read_bytes().endswith(b"IEND\xaeB`\x82")
    except OSError:
        return False


def row_key(identity: dict[str, Any]) -> str:
    """A short hash of the resolved, typed parameters (seed apart) that can change the numbers."""
    canonical = json.dumps({"schema": SCHEMA, **identity}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:10]


class Run:
    """One configuration, one seed, one folder: `OUT/runs/KEY-sSEED`."""

    def __init__(self, out: str | Path, run_id: str) -> None:
        self.id = run_id
        self.folder = Path(out) / "runs" / run_id
        self.config = self.folder / "config.json"
        self.environment = self.folder / "environment.json"
        self.metrics = self.folder / "metrics.jsonl"
        self.samples = self.folder / "samples"
        self.picture = self.folder / "samples.png"
        self.last = self.folder / "last.ckpt"
        self.final = self.folder / "final.ckpt"
        self.result = self.folder / "result.json"
        self.failure = self.folder / "failure.json"
        self.log = self.folder / "log.txt"
        self._lock = self.folder / ".lock"

    @staticmethod
    def make_id(identity: dict[str, Any], seed: int) -> str:
        return f"{row_key(identity)}-s{seed}"

    def sample(self, step: int) -> Path:
        """The sample picture of one step."""
        return self.samples / f"step_{step:06d}.png"

    def status(self) -> str:
        """`done`, `running`, `failed`, `interrupted` or `planned` (nothing trained yet)."""
        if read_json(self.result) is not None:
            return "done"
        if self._owned():
            return "running"
        if read_json(self.failure) is not None:
            return "failed"
        return "interrupted" if self.metrics.exists() else "planned"

    def complete(self) -> bool:
        """Done, with everything a table needs: nothing to train or to draw again."""
        return self.status() == "done" and _whole_png(self.picture)

    def _owned(self) -> bool:
        if not self._lock.exists():
            return False
        try:
            with FileLock(self._lock, timeout=0):
                return False
        except Timeout:
            return True
        except OSError:  # a read-only folder: nobody can be writing there
            return False

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Hold the run. Raises UserError if another process holds it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            # A reader that looks at the status holds the lock for an instant: wait a little.
            with FileLock(self._lock, timeout=2):
                yield
        except Timeout:
            raise UserError(f"run {self.id} is being trained by another process") from None

    def plan(self, config: dict[str, Any]) -> None:
        """Write the resolved configuration, unless the very same is already there."""
        if read_json(self.config) != config:
            write_json(self.config, config)

    def clear(self) -> None:
        """Remove what an earlier, unfinished attempt left behind."""
        stale = [self.metrics, self.picture, self.last, self.final, self.result]
        stale += [self.failure, self.log, *self.samples.glob("*.png")]
        # Half-written neighbours that a killed process left: hidden, and the lock is not one.
        stale += [p for p in self.folder.glob(".*.*") if p.is_file()]
        for path in stale:
            path.unlink(missing_ok=True)

    def append_metrics(self, line: dict[str, float]) -> None:
        """Add a line to the stream; what is not finite is null, as JSON has no NaN."""
        with self.metrics.open("a", encoding="utf-8") as stream:
            finite = {k: v if math.isfinite(v) else None for k, v in line.items()}
            stream.write(json.dumps(finite) + "\n")

    def read_metrics(self) -> list[dict[str, Any]]:
        """The metrics so far; a line that is only half written is left out."""
        lines = []
        with suppress(OSError):
            for text in self.metrics.read_text(encoding="utf-8").splitlines():
                with suppress(ValueError):
                    lines.append(json.loads(text))
        return lines
