"""The interface of a logger, which is an adapter from a run to one tracker."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from gansweep.plugins import LOGGERS
from gansweep.store.errors import UserError
from gansweep.store.records import LoggerRecord, RunConfig
from gansweep.store.run import Run

Value = str | int | float | bool
PROJECT = "gansweep"  # the project or experiment in a tracker, unless its own variable names one


class Logger:
    """One run in one tracker.

    A subclass opens its tracker in `__init__` and raises any exception if the tracker fails: the
    run then goes on without it. `id` is the name of the run in the tracker. The methods are called
    in the order of the steps, and never twice with the same values.
    """

    id: str = ""

    def __init__(self, run: Run, record: RunConfig, earlier: LoggerRecord) -> None:
        """Open a run.

        record: its config.json. earlier: what this tracker has received of the present attempt
        (see `LoggerRecord`), which is to be continued; if it is empty, the tracker starts anew.
        """
        self.run = run
        self.record = record
        self.earlier = earlier

    @staticmethod
    def place(run: Run) -> str:
        """Return where the tracker stores the run; empty if that is in the run's folder.

        After a change of the place, the whole run is written again.
        """
        return ""

    def received(self) -> LoggerRecord:
        """Return what the tracker has received of this attempt, by default `earlier`."""
        return self.earlier

    def params(self, values: Mapping[str, Value]) -> None:
        """Write the parameters of the run. The method is called once, before the others."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write numbers by name, such as `loss/d` or `distance/fd_lenet`, after a step."""

    def picture(self, step: int, name: str, path: Path) -> None:
        """Write a PNG file, which shows 4×4 images, as the picture `name` after a step."""

    def flush(self) -> None:
        """Write what is buffered, so that a killed process loses nothing of it."""

    def close(self, status: str) -> None:
        """Close the run with its status: `done`, `failed`, `diverged` or `interrupted`."""


def last_step(received: LoggerRecord) -> int:
    """Return the last step of which a tracker has received something, or −1."""
    streams = (received.get("metrics"), received.get("evaluations"), received.get("pictures"))
    return max((step for step in streams if step is not None), default=-1)


def attempt_of(run: Run) -> str:
    """Return the time at which the run was last trained from the start.

    The numbers of an attempt that was abandoned, as after a failure, are not those of the next one.
    Runs of early versions have no history, and their attempt is an empty text.
    """
    starts = [e for e in run.read_history() if e["event"] == "started" and not e.get("step")]
    return starts[-1]["time"] if starts else ""


def attempt_key(run: Run) -> str:
    """Return six hex digits that differ between the attempts of a run."""
    return hashlib.sha256(attempt_of(run).encode()).hexdigest()[:6]


def result_digest(run: Run) -> str:
    """Return a hash of the result, which a later judgement replaces; empty without a result."""
    with suppress(OSError):
        return hashlib.sha256(run.result.read_bytes()).hexdigest()[:12]
    return ""


def check_installed(names: Iterable[str], option: str = "logger=") -> None:
    """Raise UserError, with the command that installs it, if the package of a logger is missing.

    option: what the user has written before the name, for the message.
    """
    for name in names:
        facts = LOGGERS[name].facts
        package = facts.get("package")
        if package and find_spec(package) is None:
            install = facts.get("install") or package
            raise UserError(f"{option}{name} needs the package {package}: pip install '{install}'")
