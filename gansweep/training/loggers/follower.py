"""Forward what a run's files contain to open loggers, each record once to each logger.

The files are the only source, so that a tracker receives the same of a run that trains with
`logger=` and of a run that is exported later. `loggers.json` in the run's folder says how far each
tracker has come: a resumed run continues its trackers, and a repeated export sends nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from gansweep.plugins import LOGGERS
from gansweep.store.json_files import parse, with_step
from gansweep.store.records import LoggerRecord
from gansweep.store.run import Run, write_json
from gansweep.training.loggers.base import Logger, attempt_of, result_digest
from gansweep.training.loggers.content import evaluation, outcome, params_of, training

# The streams of a run's folder, and the function that names the numbers of a line.
STREAMS: dict[str, Callable[[Any], dict[str, float]]] = {
    "metrics": training,
    "evaluations": evaluation,
}
Received = dict[str, Any]  # a `LoggerRecord`, whose fields are also accessed by a variable name


class Follower:
    """Open loggers of one run, and the position in each of its streams.

    failed: receives the name of a logger that has raised an exception, and the exception. This
    logger gets nothing more.
    """

    def __init__(
        self, run: Run, names: Sequence[str], failed: Callable[[str, Exception], object]
    ) -> None:
        self.run = run
        self._failed = failed
        self._streams = {"metrics": _Stream(run.metrics), "evaluations": _Stream(run.evaluations)}
        self._all = _read(run)
        self._open: dict[str, Logger] = {}
        for name in names:
            with self._guarded(name):
                self._start(name)
        self._write()

    def _start(self, name: str) -> None:
        """Open one logger, and write the parameters unless it continues."""
        record = self.run.read_config()
        if record is None:
            raise ValueError(f"{self.run.config} is missing or damaged")
        earlier = cast("LoggerRecord", _earlier(self.run, name, self._all))
        logger: Logger = LOGGERS[name].build(self.run, record, earlier)
        self._open[name] = logger
        received: Received = {**logger.received()}
        if not received:
            logger.params(params_of(record))
        received |= {"place": _place(self.run, name), "attempt": attempt_of(self.run)}
        self._all[name] = {**received, "id": logger.id, "status": "running"}

    def forward(self) -> None:
        """Forward what has been appended since the last call."""
        lines = {name: stream.new_lines() for name, stream in self._streams.items()}
        pictures = self.run.sample_pictures()
        sent = [name for name in list(self._open) if self._forward_to(name, lines, pictures)]
        if sent:
            self._write()

    def _forward_to(
        self, name: str, lines: dict[str, list[Any]], pictures: dict[int, Path]
    ) -> bool:
        """Forward what one tracker has not received yet, and return whether that is anything."""
        received = dict(self._all[name])
        rows: dict[int, dict[str, float]] = {}
        for stream, numbers in STREAMS.items():
            for line in lines[stream]:
                if line["step"] > received.get(stream, -1):
                    rows.setdefault(line["step"], {}).update(numbers(line))
                    received[stream] = line["step"]
        new = {step: p for step, p in pictures.items() if step > received.get("pictures", -1)}
        if not rows and not new:
            return False
        with self._guarded(name):
            logger = self._open[name]
            for step in sorted({*rows, *new}):
                if rows.get(step):
                    logger.scalars(step, rows[step])
                if step in new:
                    logger.picture(step, "samples", new[step])
                    received["pictures"] = step
            logger.flush()
            self._all[name] = received
        return True

    def close(self, status: str) -> None:
        """Forward the rest and, if the run has a result, the result; then close all loggers."""
        self.forward()
        for name in list(self._open):
            with self._guarded(name):
                self._close(self._open[name], self._all[name], status)
        self._open.clear()
        self._write()

    def _close(self, logger: Logger, received: Received, status: str) -> None:
        result, digest = self.run.read_result(), result_digest(self.run)
        if result is not None and received.get("result") != digest:
            step = result.get("steps") or max(0, received.get("metrics", 0))
            logger.scalars(step, outcome(result))
            for path in (self.run.best_picture, self.run.nearest):
                if path.is_file():
                    logger.picture(step, path.stem, path)
            received["result"] = digest
        logger.close(status)
        received["status"] = status

    def _write(self) -> None:
        """Write how far each tracker has come. A disk that refuses it ends the logging."""
        try:
            write_json(self.run.loggers, {"loggers": self._all})
        except OSError as error:
            for name in list(self._open):
                with self._guarded(name):
                    raise error

    @contextmanager
    def _guarded(self, name: str) -> Iterator[None]:
        """Report an exception in the `with` block, and close the logger that has raised it."""
        try:
            yield
        except Exception as error:
            logger = self._open.pop(name, None)
            if logger is not None:
                with suppress(Exception):
                    logger.close("interrupted")
            self._failed(name, error)


def up_to_date(run: Run, name: str, status: str) -> bool:
    """Return whether the tracker has received the status and all that the run's files contain."""
    received = _earlier(run, name, _read(run))
    last = {"pictures": max(run.sample_pictures(), default=-1)}
    last["metrics"] = max((line["step"] for line in run.read_metrics(last=1)), default=-1)
    last["evaluations"] = max((line["step"] for line in run.read_evaluations()), default=-1)
    return (
        received.get("status") == status
        and received.get("result", "") == result_digest(run)
        and all(step <= received.get(stream, -1) for stream, step in last.items())
    )


class _Stream:
    """A stream of JSON lines, of which each call returns the lines since the call before."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.read = 0  # the number of bytes that were read

    def new_lines(self) -> list[Any]:
        data = b""
        with suppress(OSError), self.path.open("rb") as stream:
            stream.seek(self.read)
            data = stream.read()
        whole = data[: data.rfind(b"\n") + 1]
        self.read += len(whole)
        found = []
        for line in whole.splitlines():
            with suppress(ValueError):  # a kill has cut off the line
                found.append(parse(line.decode("utf-8", "replace")))
        return with_step([value for value in found if isinstance(value, dict)])


def _read(run: Run) -> dict[str, Received]:
    """Return what each tracker has received; nothing if the file is missing or damaged."""
    record = run.examine(run.loggers)[0]
    return {} if record is None else dict(record["loggers"])


def _place(run: Run, name: str) -> str:
    place: str = LOGGERS[name].build.place(run)  # type: ignore[attr-defined]
    return place


def _earlier(run: Run, name: str, known: dict[str, Received]) -> Received:
    """Return what the tracker has received of the present attempt in its present place."""
    received = known.get(name, {})
    same = received.get("attempt") == attempt_of(run) and received.get("place") == _place(run, name)
    return received if same else {}
