"""The run folder: the contract between launching, training and reporting.

Only this file spells the names of a run folder's files. A run's status is derived from what is
there, never stored. Every file is written beside its name and renamed into place, so a reader
sees the old file or the new one; the metrics stream is appended to, line by line.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, cast

from gansweep.store.errors import Held, UserError
from gansweep.store.json_files import (
    append_line,
    finite,
    ordinary,
    parse,
    read_lines,
    tail_of,
    with_step,
)
from gansweep.store.records import (
    Environment,
    EvaluationLine,
    Event,
    Failure,
    MetricsLine,
    Result,
    RunConfig,
    fault_of,
    upgrade,
)

SCHEMA = 4  # of the identity: raise it when equal parameters no longer mean equal numbers
LOCK_PATIENCE = 0.5  # seconds in which a reader of the status must have let go of the lock
NO_JSON = "it is no JSON object"
FAILED = ("failed", "diverged")  # the statuses of runs that are not trained again unasked


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


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write `data`, on the disk before the rename makes it the file."""

    def write(temporary: Path) -> None:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())

    write_file(path, write)


def write_text(path: Path, text: str) -> None:
    write_file(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_if_new(path: Path, content: str | bytes) -> bool:
    """Write a file, unless it has this content already. Returns whether it was written."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    if path.exists() and path.read_bytes() == data:
        return False
    write_file(path, lambda temporary: temporary.write_bytes(data))
    return True


def write_json(path: Path, value: Any) -> None:
    """Write `value`; what is not finite is null, as JSON has no NaN."""
    write_text(path, _as_json(value))


def _as_json(value: Any) -> str:
    return json.dumps(finite(value), indent=2, allow_nan=False) + "\n"


def _sync(folder: Path) -> None:
    """Let the names in `folder` be on the disk; some file systems know no such thing."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in `path`; None if it is missing or damaged (see `damaged`)."""
    try:
        value = parse(ordinary(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def damaged(path: Path) -> bool:
    """Is `path` there, but not readable as a JSON object?"""
    return path.exists() and read_json(path) is None


def _whole_png(path: Path) -> bool:
    """Is `path` there, down to a PNG's last chunk?"""
    try:
        return tail_of(path, 8) == b"IEND\xaeB`\x82"
    except OSError:
        return False


RUN_ID = re.compile(r"[0-9a-f]{10}-s\d+")  # as `Run.make_id` makes it


# What a run's parameters have in another form than its identity, or not at all.
DERIVED = ("reuse_fake", "steps", "data")


def row_key(identity: dict[str, Any], schema: int = SCHEMA) -> str:
    """A short hash of the resolved, typed parameters (seed apart) that can change the numbers."""
    canonical = json.dumps({"schema": schema, **identity}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:10]


def was_edited(run_id: str, config: Mapping[str, Any]) -> bool:
    """Has somebody changed this config.json? Its values are not those that the id is a hash of."""
    identity, params = config.get("identity"), config.get("params")
    if not RUN_ID.fullmatch(run_id) or not isinstance(identity, dict):
        return False  # made up, or damaged: others say so
    key, _, seed = run_id.rpartition("-s")
    if all(row_key(identity, schema) != key for schema in range(1, SCHEMA + 10)):  # newer ones too
        return True
    if not isinstance(params, dict):
        return False
    told = {n: v for n, v in identity.items() if v is not None and n in params}
    if any(params[name] != value for name, value in told.items() if name not in DERIVED):
        return True
    widths = (identity.get("gen_width"), identity.get("disc_width"))
    return params.get("seed") != int(seed) or params.get("width") not in (None, *widths)


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
        self.evaluations = self.folder / "judge.jsonl"
        self.best = self.folder / "best.ckpt"
        self.best_picture = self.folder / "best.png"
        self.nearest = self.folder / "nearest.png"
        self.dirty = self.folder / "dirty.png"
        self.clean = self.folder / "clean.png"
        self.last = self.folder / "last.ckpt"
        self.final = self.folder / "final.ckpt"
        self.result = self.folder / "result.json"
        self.failure = self.folder / "failure.json"
        self.history = self.folder / "history.jsonl"
        self.log = self.folder / "log.txt"
        self._lock = self.folder / ".lock"

    @staticmethod
    def make_id(identity: dict[str, Any], seed: int) -> str:
        return f"{row_key(identity)}-s{seed}"

    def sample(self, step: int) -> Path:
        """The sample picture of one step."""
        return self.samples / f"step_{step:06d}.png"

    def sample_pictures(self) -> dict[int, Path]:
        """The sample pictures that exist, by step, in order. Other files are left out."""
        numbers = (path.stem[5:] for path in self.samples.glob("step_*.png"))
        paths = {int(text): self.sample(int(text)) for text in numbers if text.isdecimal()}
        return {step: path for step, path in sorted(paths.items()) if path.is_file()}

    def read_config(self) -> RunConfig | None:
        """What the run is; None if that is missing or damaged."""
        return cast("RunConfig | None", self.examine(self.config)[0])

    def read_environment(self) -> Environment | None:
        """Where it was trained; None if that is missing or damaged."""
        return cast("Environment | None", self.examine(self.environment)[0])

    def read_result(self) -> Result | None:
        """What became of it; None if that is missing or damaged."""
        return cast("Result | None", self.examine(self.result)[0])

    def read_failure(self) -> Failure | None:
        """Why its last attempt failed; None if it did not, or its record is damaged."""
        return cast("Failure | None", self.examine(self.failure)[0])

    def examine(self, path: Path) -> tuple[dict[str, Any] | None, str]:
        """The record in one of its JSON files, None if it is missing or damaged; and what is wrong
        with it, in words, of one that is damaged."""
        record = read_json(path)
        if record is None:
            return None, NO_JSON if path.exists() else ""
        if found := fault_of(path.name, record):
            return None, found
        if path == self.result:
            upgrade(cast("Result", record))
        return record, ""

    def status(self) -> str:
        """`done`, `running`, `failed`, `diverged`, `interrupted` or `planned` (nothing trained).

        diverged: it failed, as its numbers were no longer finite.
        """
        if read_json(self.result) is not None:
            return "done"
        if self._owned():
            return "running"
        failure = read_json(self.failure)
        if failure is not None:
            return "diverged" if failure.get("cause") == "diverged" else "failed"
        begun = self.metrics.exists() or self.last.exists()
        return "interrupted" if begun else "planned"

    def failed(self) -> bool:
        """Failed in any way."""
        return self.status() in FAILED

    def why_failed(self) -> str:
        """`failed: …` or `diverged: …`."""
        failure = self.read_failure() or {"error": "unknown"}
        error = failure["error"]
        return error if failure.get("cause") == "diverged" else f"failed: {error}"

    def describe_failure(self) -> str:
        """Why it failed, and the log, if it has written one."""
        return self.why_failed() + (f" (log: {self.log})" if self.log.exists() else "")

    def complete(self) -> bool:
        """Done, with everything a table needs: nothing to train or to draw again."""
        return self.status() == "done" and _whole_png(self.picture)

    def judged(self) -> bool:
        """Done, and measured by the judge."""
        return bool((read_json(self.result) or {}).get("judge"))

    def _owned(self) -> bool:
        """Does a living process hold it? Asked with a shared lock: two who ask do not meet."""
        try:
            handle = os.open(self._lock, os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            os.close(handle)
        return False

    @contextmanager
    def owned(self, wait: bool = False) -> Iterator[None]:
        """Hold the run; the system lets go of it when this process dies, however it dies.

        wait: until another process that holds it has ended. Raises Held if it is held.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            # A reader that looks at the status holds the lock for an instant: wait a little.
            until = math.inf if wait else time.monotonic() + LOCK_PATIENCE
            while not _locks(handle):
                if time.monotonic() > until:
                    raise Held(f"run {self.id} is being trained by another process")
                time.sleep(0.05)
            try:
                yield
            finally:
                fcntl.flock(handle, fcntl.LOCK_UN)  # now: a forked process may have it open too
        finally:
            os.close(handle)

    def plan(self, config: RunConfig) -> None:
        """Write the resolved configuration, unless the very same is already there."""
        if read_json(self.config) != config:
            write_json(self.config, config)

    def rewind(self, step: int) -> None:
        """Take back what an unfinished attempt wrote after `step`; 0: everything.

        The best weights and their picture are taken back too: nobody knows here of which step they
        are, and the checkpoint has those of its own time. The history and the log stay: they tell
        of all attempts.
        """
        stale = [self.final, self.result, self.failure, self.best, self.best_picture]
        stale += [path for number, path in self.sample_pictures().items() if number > step]
        # Half-written neighbours that a killed process left: hidden, and the lock is not one.
        stale += [p for f in (self.folder, self.samples) for p in f.glob(".*.*") if p.is_file()]
        if step == 0:
            stale += [self.metrics, self.picture, self.last]
            stale += [self.evaluations, self.nearest, self.dirty, self.clean]
        for path in stale:
            path.unlink(missing_ok=True)
        for stream in (self.metrics, self.evaluations):
            if stream.exists():
                kept = [line for line in with_step(read_lines(stream)) if line["step"] <= step]
                write_text(stream, "".join(json.dumps(line) + "\n" for line in kept))

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write the result; once it is on the disk, remove the checkpoint, which has done its part.

        A power cut leaves one of the two.
        """
        write_bytes(self.result, _as_json(dict(result)).encode())
        _sync(self.folder)
        self.last.unlink(missing_ok=True)

    def append_metrics(self, line: MetricsLine) -> None:
        """Add a line to the stream; what is not finite is null."""
        append_line(self.metrics, line)

    def append_evaluation(self, line: EvaluationLine) -> None:
        """Add what the judge measured at one step; what is not finite is null."""
        append_line(self.evaluations, line)

    def read_evaluations(self) -> list[EvaluationLine]:
        """What the judge measured so far, in order."""
        return with_step(read_lines(self.evaluations))

    def read_metrics(self) -> list[MetricsLine]:
        """The metrics so far; a line that is only half written is left out."""
        return with_step(read_lines(self.metrics))

    def latest_metrics(self, count: int) -> list[MetricsLine]:
        """The last few lines of the metrics, however long the stream is."""
        return with_step(read_lines(self.metrics, tail=count))

    def record(self, event: str, **facts: Any) -> None:
        """Add an event to the history: an attempt that `started`, or how it `ended`."""
        append_line(self.history, {"event": event, "time": now(), **facts})

    def read_history(self) -> list[Event]:
        """What happened to this run, in order: every attempt's start and end."""
        events = read_lines(self.history)
        return cast("list[Event]", [e for e in events if not fault_of(self.history.name, e)])

    def last_words(self, count: int = 5) -> list[str]:
        """The last lines of the log that say anything."""
        with suppress(OSError):
            text = tail_of(self.log, 8192).decode("utf-8", "replace")
            return [line.rstrip() for line in text.splitlines() if line.strip()][-count:]
        return []


def _locks(handle: int) -> bool:
    """Lock an open file, unless another process has locked it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def now() -> str:
    """The time, to be compared as text."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def check_planned(out: str, run_id: str) -> None:
    """Raises UserError unless there is a run of this id: no folder is made for a wrong one."""
    if not RUN_ID.fullmatch(str(run_id)) or not Run(out, str(run_id)).config.exists():
        raise UserError(f"run_id={run_id}: no planned run in {Path(out) / 'runs'}")
