"""The run folder: the contract between launching, training and reporting.

Only this module has the names of the files in a run folder. The status of a run is derived from
its files and never stored. Every file is written under a temporary name and then renamed, so a
reader sees the old file or the new one. The streams are an exception: lines are appended to them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, cast

from gansweep.store import lease
from gansweep.store.errors import Held
from gansweep.store.json_files import (
    append_line,
    ends_with,
    finite,
    parse,
    read_bytes,
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
from gansweep.store.steps import by_step

SCHEMA = 4  # version of the identity, raised when equal parameters no longer give equal numbers
PNG_END = b"IEND\xaeB`\x82"  # the last chunk of a PNG file
NO_JSON = "the file is no JSON object"
FAILED = ("failed", "diverged")  # statuses of runs that are retried only on request


def write_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file, then rename it to `path`, whose folder is made if needed.

    Raises Held if this process has lost the run to whose folder `path` belongs.
    """
    try:
        _write_and_rename(path, write)
    except FileNotFoundError:
        if path.parent.exists():
            raise
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_and_rename(path, write)


def _write_and_rename(path: Path, write: Callable[[Path], object]) -> None:
    with lease.fence(path) as folder:
        temporary = folder / f".{uuid.uuid4().hex[:12]}{path.suffix}"
        try:
            write(temporary)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write `data`, which is on the disk before the file is renamed."""

    def write(temporary: Path) -> None:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())

    write_file(path, write)


def write_text(path: Path, text: str) -> None:
    write_file(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_if_new(path: Path, content: str | bytes) -> bool:
    """Write a file unless it already has this content. Returns whether it was written."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    if path.exists() and path.read_bytes() == data:
        return False
    write_file(path, lambda temporary: temporary.write_bytes(data))
    return True


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON, with null for numbers that are not finite."""
    write_text(path, _as_json(value))


def _as_json(value: Any) -> str:
    return json.dumps(finite(value), indent=2, allow_nan=False) + "\n"


def _sync(folder: Path) -> None:
    """Write the names in `folder` to the disk, if the file system supports that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in `path`, or None if the file is missing or damaged."""
    return _read_json(path)[0]


def _read_json(path: Path) -> tuple[dict[str, Any] | None, bool]:
    """Return the JSON object in `path` or None, and whether there is something at `path`."""
    try:
        value = parse(read_bytes(path).decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None, False
    except (OSError, ValueError):
        value = None
    return (value if isinstance(value, dict) else None), True


def damaged(path: Path) -> bool:
    """Return whether `path` exists but cannot be read as a JSON object."""
    return _read_json(path) == (None, True)


RUN_ID = re.compile(r"[0-9a-f]{10}-s\d+")  # the form of `Run.make_id`
# Fields of the identity that a run's parameters have in another form, or not at all.
DERIVED = ("reuse_fake", "steps", "data")


def row_key(identity: dict[str, Any], schema: int = SCHEMA) -> str:
    """Return a hash, 10 hex digits, of an identity: the parameters that can change the numbers."""
    canonical = json.dumps({"schema": schema, **identity}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:10]


def was_edited(run_id: str, config: Mapping[str, Any]) -> bool:
    """Return whether config.json was edited, so that the run's id is not the hash of its values."""
    identity, params = config.get("identity"), config.get("params")
    if not RUN_ID.fullmatch(run_id) or not isinstance(identity, dict):
        return False  # other checks report a run id or a record that is invalid
    key, _, seed = run_id.rpartition("-s")
    if all(row_key(identity, schema) != key for schema in range(1, SCHEMA + 10)):  # also newer ones
        return True
    if not isinstance(params, dict):
        return False
    shared = {n: v for n, v in identity.items() if v is not None and n in params}
    if any(params[name] != value for name, value in shared.items() if name not in DERIVED):
        return True
    widths = (identity.get("gen_width"), identity.get("disc_width"))
    return params.get("seed") != int(seed) or params.get("width") not in (None, *widths)


class Run:
    """The folder of one configuration with one seed: `OUT/runs/KEY-sSEED`."""

    def __init__(self, out: str | Path, run_id: str) -> None:
        self.id = run_id
        self.folder = Path(out) / "runs" / run_id
        self.config = self.folder / "config.json"
        self.environment = self.folder / "environment.json"
        self.metrics = self.folder / "metrics.jsonl"
        self.samples = self.folder / "samples"
        self.averages = self.folder / "averages"
        self.picture = self.folder / "samples.png"
        self.evaluations = self.folder / "judge.jsonl"
        self.best = self.folder / "best.ckpt"
        self.best_images = self.folder / "best.npz"
        self.best_picture = self.folder / "best.png"
        self.nearest = self.folder / "nearest.png"
        self.dirty = self.folder / "dirty.png"
        self.clean = self.folder / "clean.png"
        self.last = self.folder / "last.ckpt"
        self.final = self.folder / "final.ckpt"
        self.state = self.folder / "state.ckpt"
        self.parent = self.folder / "parent.json"
        self.result = self.folder / "result.json"
        self.failure = self.folder / "failure.json"
        self.history = self.folder / "history.jsonl"
        self.loggers = self.folder / "loggers.json"
        self.script = self.folder / "script/"
        self.log = self.folder / "log.txt"

    @staticmethod
    def make_id(identity: dict[str, Any], seed: int) -> str:
        return f"{row_key(identity)}-s{seed}"

    def sample(self, step: int) -> Path:
        """Return the path of the sample picture of one step."""
        return self.samples / f"step_{step:06d}.png"

    def sample_pictures(self) -> dict[int, Path]:
        """Return the existing sample pictures by step, in ascending order."""
        return by_step(self.samples, self.sample)

    def snapshot(self, step: int) -> Path:
        """Return the path of the averages of weights after one step."""
        return self.averages / f"step_{step:06d}.ckpt"

    def snapshots(self) -> dict[int, Path]:
        """Return the existing averages of weights by step, in ascending order."""
        return by_step(self.averages, self.snapshot)

    def read_config(self) -> RunConfig | None:
        """Return the configuration, or None if its file is missing or damaged."""
        return cast("RunConfig | None", self.examine(self.config)[0])

    def read_environment(self) -> Environment | None:
        """Return the machine and software, or None if the file is missing or damaged."""
        return cast("Environment | None", self.examine(self.environment)[0])

    def read_result(self) -> Result | None:
        """Return the result, or None if its file is missing or damaged."""
        return cast("Result | None", self.examine(self.result)[0])

    def read_failure(self) -> Failure | None:
        """Return why the last attempt failed, or None if the file is missing or damaged."""
        return cast("Failure | None", self.examine(self.failure)[0])

    def examine(self, path: Path) -> tuple[dict[str, Any] | None, str]:
        """Return the record in a JSON file of this run, and what is wrong with the file. The record
        is None if the file is missing or damaged; the text is empty unless it is damaged."""
        record, exists = _read_json(path)
        if record is None:
            return None, NO_JSON if exists else ""
        if found := fault_of(path.name, record):
            return None, found
        if path == self.result:
            upgrade(cast("Result", record))
        return record, ""

    def status(self) -> str:
        """Return `done`, `running`, `failed`, `diverged`, `interrupted` or `planned`.

        A diverged run failed as its loss was no longer finite; a planned run has not been started.
        """
        try:
            names = self._names()  # one request to a file server, not six
        except (FileNotFoundError, NotADirectoryError):
            return "planned"
        if self.result.name in names and read_json(self.result) is not None:
            return "done"
        if lease.LEASES in names:
            if lease.living(self.folder):
                return "running"
            if read_json(self.result) is not None:
                return "done"  # it has ended meanwhile
        failure = read_json(self.failure) if self.failure.name in names else None
        if failure is not None:
            return "diverged" if failure.get("cause") == "diverged" else "failed"
        started = not names.isdisjoint((self.metrics.name, self.last.name, self.script.name))
        return "interrupted" if started else "planned"

    def _names(self) -> set[str]:
        """Return the names in the folder. Raises OSError if there is none."""
        return {path.name for path in self.folder.iterdir()}

    def failed(self) -> bool:
        """Return whether the status is `failed` or `diverged`."""
        return self.status() in FAILED

    def failed_at(self) -> str:
        """Return the time of the recorded failure; empty if there is none, or without a time."""
        failure = self.read_failure()
        return failure.get("time", "") if failure else ""

    def why_failed(self) -> str:
        """Return the error of the last attempt, after `failed: ` unless the run diverged."""
        failure = self.read_failure() or {"error": "unknown"}
        return ("" if failure.get("cause") == "diverged" else "failed: ") + failure["error"]

    def describe_failure(self) -> str:
        """Return why the run failed, with the path of its log if there is one."""
        return self.why_failed() + (f" (log: {self.log})" if self.log.exists() else "")

    def complete(self) -> bool:
        """Return whether the run is done and its sample picture is complete."""
        return self.status() == "done" and ends_with(self.picture, PNG_END)

    def judged(self) -> dict[str, Any] | None:
        """Return the judge's record in the result, which was not examined, or None."""
        return cast("dict[str, Any] | None", (read_json(self.result) or {}).get("judge"))

    @contextmanager
    def owned(
        self, wait: bool = False, on_loss: Callable[[], object] = lambda: None
    ) -> Iterator[None]:
        """Hold the run: no other process, on no host, trains it meanwhile; see lease.py.

        wait: whether to wait for another process that holds the run, rather than to raise Held;
        on_loss: called if another host has taken over, as this process did not answer for long.
        """
        while (held := lease.take(self.folder, on_loss)) is None:
            if not wait:
                raise Held(f"run {self.id} is being trained by another process")
            time.sleep(0.1)
        try:
            yield
        finally:
            held.release()

    def plan(self, config: RunConfig) -> None:
        """Write the resolved configuration, unless the file already has it."""
        if read_json(self.config) != config:
            write_json(self.config, config)

    def rewind(self, step: int) -> None:
        """Remove what an unfinished attempt wrote after `step`, or everything if `step` is 0.

        The best weights and their picture are removed because their step is unknown here; the
        checkpoint contains the best weights up to its own step. The history and the log are kept
        because they cover all attempts.
        """
        stale = [self.final, self.state, self.result, self.failure, self.best, self.best_picture]
        by_step = (*self.sample_pictures().items(), *self.snapshots().items())
        stale += [path for number, path in by_step if number > step]
        # Temporary files of killed processes of earlier versions are hidden and have a suffix.
        folders = (self.folder, self.samples, self.averages)
        stale += [path for f in folders for path in f.glob(".*.*") if path.is_file()]
        if step == 0:
            stale += [self.metrics, self.picture, self.last, self.parent]
            stale += [self.evaluations, self.nearest, self.dirty, self.clean, self.best_images]
            shutil.rmtree(self.script, ignore_errors=True)
        names = self._names()
        for path in stale:
            if path.parent != self.folder or path.name in names:
                path.unlink(missing_ok=True)
        for stream in (self.metrics, self.evaluations):
            if stream.exists():
                kept = [line for line in with_step(read_lines(stream)) if line["step"] <= step]
                write_text(stream, "".join(json.dumps(line) + "\n" for line in kept))

    def finish(self, result: Mapping[str, Any], *, keep: bool = False) -> None:
        """Write the result, and then remove the checkpoint; with `keep`, it is the final state.

        The result is on the disk before the removal, so a power cut leaves one of the two files.
        """
        write_bytes(self.result, _as_json(dict(result)).encode())
        _sync(self.folder)
        if keep and self.last.exists():
            self.last.replace(self.state)
        self.last.unlink(missing_ok=True)

    def append_metrics(self, line: MetricsLine) -> None:
        """Append a line of metrics, with null for numbers that are not finite."""
        append_line(self.metrics, line)

    def append_evaluation(self, line: EvaluationLine) -> None:
        """Append the judge's evaluation, with null for numbers that are not finite."""
        append_line(self.evaluations, line)

    def read_evaluations(self, last: int | None = None) -> list[EvaluationLine]:
        """Return the judge's evaluations so far, in order, or only the `last` ones."""
        return with_step(read_lines(self.evaluations, tail=last))

    def read_metrics(self, last: int | None = None) -> list[MetricsLine]:
        """Return the complete lines of metrics so far, or only the `last` ones."""
        return with_step(read_lines(self.metrics, tail=last))

    def record(self, event: str, **facts: Any) -> None:
        """Append an event to the history: an attempt has `started` or `ended`."""
        append_line(self.history, {"event": event, "time": now(), **facts})

    def read_history(self) -> list[Event]:
        """Return the events of the run in order: the start and end of every attempt."""
        events = read_lines(self.history)
        return cast("list[Event]", [e for e in events if not fault_of(self.history.name, e)])

    def log_tail(self, count: int = 5) -> list[str]:
        """Return the last `count` lines of the log that are not blank."""
        with suppress(OSError):
            text = tail_of(self.log, 8192).decode("utf-8", "replace")
            return [line.rstrip() for line in text.splitlines() if line.strip()][-count:]
        return []


def now() -> str:
    """Return the time (UTC) as text that sorts by time."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
