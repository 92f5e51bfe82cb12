"""A sweep that is described in Python and trained by the command line."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gansweep.api.process import Ended, run_command
from gansweep.api.results import Results
from gansweep.api.views import Lines, NotebookView, view_for
from gansweep.config import DEFAULTS
from gansweep.store.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

FAILED, INVALID = 1, 2  # exit codes: see the README
SHOWN = 5  # failed runs that a message names
PLANNED = re.compile(
    r"  (?P<run>[0-9a-f]{10}-s\d+)  (?P<title>.*)  "
    r"(?P<state>to judge|to train(?: \(\w+\))?)(?:  about (?P<about>[\d:]+))?"
)


class SweepError(UserError):
    """A sweep could not be run, or runs of it have failed.

    code: the exit code of the command; results: the results, None if nothing was planned.
    """

    def __init__(self, message: str, code: int = INVALID, results: Results | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.results = results


@dataclass(frozen=True)
class Plan:
    """What a sweep would train. text: what the command prints for plan=true."""

    text: str

    def table(self) -> pd.DataFrame:
        """Return the runs to train or to judge: run (its id), title, state and about.

        about: the estimated time of the run as minutes:seconds, None if it is not known. For a
        search the table is empty.
        """
        import pandas as pd

        found = [
            match.groupdict() for match in map(PLANNED.fullmatch, self.text.splitlines()) if match
        ]
        return pd.DataFrame(found, columns=["run", "title", "state", "about"])

    def __repr__(self) -> str:
        return self.text


class Sweep:
    """A grid, a list of rows or a search. Nothing is planned or trained before `run`.

    words: the command line after `python -m gansweep -m`; cwd: the folder in which it runs;
    reports: the folder of reports.
    """

    def __init__(self, words: list[str], cwd: Path, reports: str) -> None:
        self._words = words
        self._cwd = cwd
        self._reports = reports

    @property
    def command(self) -> str:
        """The command line of the sweep, for a shell."""
        return shlex.join(["python", "-m", "gansweep", "-m", *self._words])

    def plan(self) -> Plan:
        """Return what `run` would train, and how long it would take; train nothing.

        Raises SweepError, with the one-line message of the command, for invalid parameters.
        """
        view = Lines(write=False)
        ended = run_command(["-m", *self._words, "plan=true"], self._cwd, view)
        if ended.code:
            raise SweepError(ended.message, ended.code)
        return Plan("\n".join(view.lines))

    def run(self, *, check: bool = False, show: bool = True) -> Results:
        """Train what is missing, write the report, and return the results.

        The runs, their ids and their folders are those of the command line, in a process of its
        own. An interrupt lets the running runs write checkpoints and raises KeyboardInterrupt; the
        same call resumes the sweep. show: whether to show the progress. check: whether to raise
        SweepError if runs have failed or are missing. Raises SweepError, with the one-line message
        of the command, for invalid parameters and for a disk that refuses a file.
        """
        view = view_for(show)
        try:
            ended = run_command(["-m", *self._words], self._cwd, view)
        except KeyboardInterrupt as interrupt:
            if isinstance(view, NotebookView):
                view.end(None, str(interrupt))
            raise
        results = self._results(ended)
        failure = self._failure(ended, results)
        if isinstance(view, NotebookView):
            view.end(results, failure)
        if failure and (check or results is None or ended.code != FAILED):
            raise SweepError(failure, ended.code, results)
        assert results is not None
        return results

    def _results(self, ended: Ended) -> Results | None:
        if ended.manifest is None:
            return None
        reports = self._cwd / self._reports
        return Results([ended.manifest.parent.name], ended.manifest.parents[2], reports)

    def _failure(self, ended: Ended, results: Results | None) -> str:
        """Return why the command failed, or which runs did; empty if all is done."""
        if not ended.code and results is not None:
            return ""
        if not ended.code:
            return "the command has written no sweep; .plan() shows what it would train"
        if ended.code != FAILED or results is None:
            return ended.message
        failed = [f"{run}: {why}" for run, why in results.failed().items()]
        if not failed:
            return f"{results!r}: not all runs are done; the same call resumes the sweep"
        more = f"; and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
        what = "1 run has failed" if len(failed) == 1 else f"{len(failed)} runs have failed"
        return f"{what}: {'; '.join(failed[:SHOWN])}{more}"

    def __repr__(self) -> str:
        return f"sweep, not run yet: {self.command}"


def make_sweep(words: list[str], cwd: Path, given: dict[str, Any]) -> Sweep:
    """Return a sweep. given: its parameters, of which `reports` counts here."""
    for name, remedy in (("plan", "call .plan()"), ("run_id", "gansweep.run(ID) opens a run")):
        if name in given:
            raise UserError(f"{name} is no parameter of a sweep in Python: {remedy}")
    return Sweep(words, cwd, str(given.get("reports", DEFAULTS["reports"])))
