"""The outcome of one run, read from its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gansweep.plugins import METRICS
from gansweep.report.table.judged import best_average, headline, marks, remainder
from gansweep.store.check import number
from gansweep.store.records import (
    EmaLength,
    Environment,
    EquilibriumRecord,
    Failure,
    JudgeRecord,
    Result,
    RunConfig,
)
from gansweep.store.run import FAILED, NO_JSON, Run, was_edited
from gansweep.training.metrics.equilibrium import alive, flag_of


@dataclass
class Outcome:
    """One run, as tables show it.

    picture: the sample grid of the equilibrium or of the last step, None if there is none; note:
    why the run is not done, or what is wrong with its files; log: the last lines of a failed run;
    outside: the conditions of its search's `constraint=` that its trial violates.
    """

    run_id: str
    status: str
    picture: Path | None
    note: str
    config: RunConfig | None
    result: Result | None = None
    environment: Environment | None = None
    log: list[str] = field(default_factory=list)
    outside: str = ""

    @property
    def seed(self) -> int:
        return int(self.run_id.rpartition("-s")[2])

    @property
    def judge(self) -> JudgeRecord | None:
        """The judge's record; None if the run is not done or was not judged."""
        return self.result.get("judge") if self.result and self.status == "done" else None

    @property
    def score(self) -> Mapping[str, Any]:
        """The metrics at the equilibrium, by name; empty if the run was not judged."""
        return self.judge["score"] if self.judge else {}

    @property
    def primary(self) -> str:
        """The name of the primary metric, which ranks the run; empty if it was not judged."""
        return self.judge["primary"] if self.judge else ""

    @property
    def equilibrium(self) -> EquilibriumRecord | None:
        """The step with the best value; None if it is not known."""
        return self.judge.get("equilibrium") if self.judge else None

    @property
    def best_average(self) -> EmaLength | None:
        """The best length of a post-hoc EMA; None for a run without post_hoc_ema."""
        return best_average(self.judge) if self.judge else None

    @property
    def value(self) -> float | None:
        """The value of the primary metric; None if it is not known."""
        return number(self.score, self.primary)

    @property
    def flags(self) -> list[str]:
        """The names of the flags in the judge's record."""
        return self.judge["flags"] if self.judge else []

    def measured(self) -> list[tuple[str, float]]:
        """Return (label, value) of the registered metrics, and of the primary one."""
        names = dict.fromkeys([*METRICS.names(), self.primary])
        values = [(METRICS.entry(name).label, number(self.score, name)) for name in names]
        return [(label, value) for label, value in values if value is not None]

    @property
    def alive(self) -> bool:
        """Whether the run can be the best: it has no severe flag, and violates no constraint.

        Severe are: never learned, collapsed, diverged, memorised, and unknown flags.
        """
        return alive(self.flags) and not self.outside

    @property
    def headline(self) -> str:
        """The primary metric with its value: `FD (LeNet) 93.1`."""
        return headline(self.judge) if self.judge else ""

    @property
    def remainder(self) -> list[str]:
        """The texts after the headline: `at epoch 2.4, still improving, collapsed`."""
        texts = remainder(self.judge) if self.judge else []
        return [*texts, f"(violates {self.outside})"] if self.outside else texts

    @property
    def marks(self) -> list[str]:
        """The flags in words, and the conditions that the run violates."""
        words = marks(self.judge) if self.judge else []
        return [*words, f"violates {self.outside}"] if self.outside else words

    @property
    def judged(self) -> str:
        """Headline and remainder: `FD (LeNet) 93.1 at epoch 2.4, still improving, collapsed`."""
        return " ".join([self.headline, *self.remainder])


def read_outcome(run: Run, thumbnail: str = "equilibrium") -> Outcome:
    """Read the outcome of a run from its folder. The note names damaged files.

    thumbnail: `equilibrium` selects the picture of the equilibrium if there is one, `last` the
    picture of the last step.
    """
    files = (run.config, run.result, run.failure, run.environment)
    records: dict[Path, Any] = {}
    faults: dict[Path, str] = {}
    for path in files:
        records[path], faults[path] = run.examine(path)
    status = "done" if records[run.result] else run.status()
    if faults[run.result]:
        status = "damaged"
    chosen = [run.best_picture] if thumbnail == "equilibrium" else []
    picture = next((path for path in (*chosen, run.picture) if path.is_file()), None)
    note = ""
    if status == "done":
        if picture is None or not run.picture.is_file():
            note = "picture missing: run the sweep again to draw it"
    elif status != "damaged":
        note = _why_not_done(run, status, records[run.failure])
    config = records[run.config]
    if any(faults.values()):
        note = "; ".join(_damage(run, path, fault) for path, fault in faults.items() if fault)
    elif config is not None and was_edited(run.id, config):
        note = f"{run.config.name} was edited and no longer matches the run id: run the sweep again"
        records[run.config] = None
    return Outcome(
        run.id,
        status,
        picture,
        note,
        records[run.config],
        records[run.result],
        records[run.environment],
        run.log_tail() if status in FAILED else [],
    )


def _damage(run: Run, path: Path, fault: str) -> str:
    """Describe a damaged file and the remedy: `result.json damaged (…): run the sweep again …`."""
    if fault == NO_JSON:
        return f"{path.name} damaged: run the sweep again"
    remedy = ""
    if path == run.config:
        remedy = ": run the sweep again to restore the file"
    elif path in (run.result, run.failure):
        remedy = ": run the sweep again with retry=failed to repeat the training"
    return f"{path.name} damaged ({fault}){remedy}"


def _why_not_done(run: Run, status: str, failure: Failure | None) -> str:
    """Return the note of a run that is not done, with its last step or last log line."""
    if status in FAILED:
        note = run.why_failed()
        if failure and failure.get("cause") in ("killed", "crashed") and failure.get("log"):
            note += f"; last line of the log: {failure['log'][-1]}"
        return note
    if status == "planned":
        return "not trained yet"
    lines = run.read_metrics(last=1)  # the checkpoint may be some steps later
    if status == "running":
        return "running" + (f" (step {lines[-1]['step']})" if lines else "")
    after = f" after step {lines[-1]['step']}" if lines else ""
    return f"interrupted{after}: run the sweep again"


def single(run: Run, outcome: Outcome, name: str) -> Outcome:
    """Return an outcome that shows one single picture of a run, `clean` or `dirty`."""
    path: Path = getattr(run, name)
    exists = path.is_file()
    return replace(
        outcome,
        run_id=f"{name}-{run.id}",
        status="done" if exists else outcome.status,
        picture=path if exists else None,
        note="" if exists else "–",
        result=None,
    )


def warnings_of(run: Outcome) -> list[str]:
    """Return why a run cannot be the best, in words: `collapsed`, `violates training_time<60`."""
    flags = map(flag_of, run.flags)
    words = [flag.word for flag in flags if flag.severe]
    return [*words, f"violates {run.outside}"] if run.outside else words
