"""What became of one run, read from its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gansweep.plugins import METRICS
from gansweep.report.table.judged import headline, marks, remainder
from gansweep.store.check import number
from gansweep.store.records import (
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
    """One run as a table shows it.

    picture: its sample grid, if there is one, of the equilibrium or the last; note: what went
    wrong; log: the last lines it wrote, of a run that failed.
    """

    run_id: str
    status: str
    picture: Path | None
    note: str
    config: RunConfig | None
    result: Result | None = None
    environment: Environment | None = None
    log: list[str] = field(default_factory=list)

    @property
    def seed(self) -> int:
        return int(self.run_id.rpartition("-s")[2])

    @property
    def judge(self) -> JudgeRecord | None:
        """What the judge says of a run that is done; None if it was not judged."""
        return self.result.get("judge") if self.result and self.status == "done" else None

    @property
    def score(self) -> Mapping[str, Any]:
        """The metrics at the equilibrium, by name."""
        return self.judge["score"] if self.judge else {}

    @property
    def primary(self) -> str:
        """The name of the metric that ranks it."""
        return self.judge["primary"] if self.judge else ""

    @property
    def equilibrium(self) -> EquilibriumRecord | None:
        """Where it was best."""
        return self.judge.get("equilibrium") if self.judge else None

    @property
    def value(self) -> float | None:
        """Its distance by the primary metric."""
        return number(self.score, self.primary)

    @property
    def flags(self) -> list[str]:
        """What is wrong with it, by the names in its record."""
        return self.judge["flags"] if self.judge else []

    def measured(self) -> list[tuple[str, float]]:
        """Each distance or share of its score that this version knows, by its label, and the one
        that ranks it."""
        names = dict.fromkeys([*METRICS.names(), self.primary])
        values = [(METRICS.entry(name).label, number(self.score, name)) for name in names]
        return [(label, value) for label, value in values if value is not None]

    @property
    def alive(self) -> bool:
        """Can it be the best? Not if it never started, collapsed or diverged."""
        return alive(self.flags)

    @property
    def headline(self) -> str:
        """`FD (LeNet) 93.1`."""
        return headline(self.judge) if self.judge else ""

    @property
    def remainder(self) -> list[str]:
        """What follows the headline: `at epoch 2.4, still improving, collapsed`."""
        return remainder(self.judge) if self.judge else []

    @property
    def marks(self) -> list[str]:
        """The flags in words."""
        return marks(self.judge) if self.judge else []

    @property
    def judged(self) -> str:
        """`FD (LeNet) 93.1 at epoch 2.4, still improving, collapsed`."""
        return " ".join([self.headline, *self.remainder])


def read_outcome(run: Run, thumbnail: str = "equilibrium") -> Outcome:
    """What the folder of one run tells; a file that is damaged is named in the note.

    thumbnail: the picture of the `equilibrium` (where there is one) or of the `last` step.
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
        note = f"{run.config.name} was edited, it is not what the id says: run the sweep again"
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
    """`result.json damaged (…): …`, with what mends it. Nothing needs to be deleted for that."""
    if fault == NO_JSON:
        return f"{path.name} damaged: run the sweep again"
    remedy = ""
    if path == run.config:
        remedy = ": run the sweep again to write it anew"
    elif path in (run.result, run.failure):
        remedy = ": run the sweep again with retry=failed to train it anew"
    return f"{path.name} damaged ({fault}){remedy}"


def _why_not_done(run: Run, status: str, failure: Failure | None) -> str:
    if status in FAILED:
        note = run.why_failed()
        if failure and failure.get("cause") in ("killed", "crashed") and failure.get("log"):
            note += f"; its last words: {failure['log'][-1]}"
        return note
    if status == "planned":
        return "not trained yet"
    note = "running" if status == "running" else "interrupted: run the sweep again"
    lines = run.latest_metrics(1)
    return note + (f" (step {lines[-1]['step']})" if lines else "")


def single(run: Run, outcome: Outcome, name: str) -> Outcome:
    """One picture of a run (`clean`, `dirty`), to stand in a column of its own."""
    path: Path = getattr(run, name)
    there = path.is_file()
    return replace(
        outcome,
        run_id=f"{name}-{run.id}",
        status="done" if there else outcome.status,
        picture=path if there else None,
        note="" if there else "–",
        result=None,
    )


def warnings_of(run: Outcome) -> list[str]:
    """The severe things that the judge says of a run, in words: `collapsed`, `never started`."""
    flags = map(flag_of, run.flags)
    return [flag.word for flag in flags if flag.severe]
