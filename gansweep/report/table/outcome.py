"""What became of one run, read from its folder."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gansweep.plugins import METRICS, Registry
from gansweep.report.table.judged import headline, remainder
from gansweep.store.run import Run, read_json, was_edited
from gansweep.training.metrics.equilibrium import FLAGS, alive


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
    config: dict[str, Any]
    result: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    @property
    def seed(self) -> int:
        return int(self.run_id.rpartition("-s")[2])

    @property
    def judge(self) -> dict[str, Any]:
        """What the judge says of a run that is done; empty if it was not judged."""
        return (self.result.get("judge") or {}) if self.status == "done" else {}

    @property
    def score(self) -> dict[str, Any]:
        """The metrics at the equilibrium, by name."""
        return self.judge.get("score", {})

    @property
    def primary(self) -> str:
        """The name of the metric that ranks it."""
        return self.judge.get("primary", "")

    @property
    def value(self) -> float | None:
        """Its distance by the primary metric."""
        return self.score.get(self.primary)

    @property
    def alive(self) -> bool:
        """Can it be the best? Not if it never started, collapsed or diverged."""
        return alive(self.judge.get("flags", ()))

    @property
    def judged(self) -> str:
        """`FD (LeNet) 93.1 at epoch 2.4, still improving, collapsed`."""
        return " ".join([headline(self.judge), *remainder(self.judge)]) if self.judge else ""


def read_outcome(run: Run, thumbnail: str = "equilibrium") -> Outcome:
    """What the folder of one run tells; a file that cannot be read is named in the note.

    thumbnail: the picture of the `equilibrium` (where there is one) or of the `last` step.
    """
    found = {path: _read(path, shape) for path, shape in _shapes(run).items()}
    config, result, failure, environment = found.values()
    broken = [path for path, value in found.items() if value is None and path.exists()]
    status = "done" if result is not None else run.status()
    if run.result in broken:
        status = "damaged"
    chosen = [run.best_picture] if thumbnail == "equilibrium" else []
    picture = next((path for path in (*chosen, run.picture) if path.is_file()), None)
    note = ""
    if status == "done":
        if picture is None or not run.picture.is_file():
            note = "picture missing: run the sweep again to draw it"
    elif status != "damaged":
        note = _why_not_done(run, status, failure or {})
    if broken:
        names = ", ".join(path.name for path in broken)
        # A sweep sees for itself what is no JSON at all.
        readable = any(read_json(path) is not None for path in broken)
        remedy = "delete it and " if readable else ""
        note = f"{names} damaged: {remedy}run the sweep again"
    elif config is not None and was_edited(run.id, config):
        note = f"{run.config.name} was edited, it is not what the id says: run the sweep again"
        config = None
    return Outcome(
        run.id,
        status,
        picture,
        note,
        config or {},
        result or {},
        environment or {},
        run.last_words() if status in ("failed", "diverged") else [],
    )


# What a report needs of a run's files: names and types. A flipped bit can leave valid JSON.
_NUMBER = (int, float)
_TEXT = (str, type(None))
_CONFIG = {
    "identity": {
        "steps": int, "batch_size": int, "gen_width": _NUMBER, "disc_width": _NUMBER,
        "precision": str, "data": {"images": int},
    },
    "data": {"name": str, "images": int, "size": int},
}  # fmt: skip
_RESULT = {"training_seconds": _NUMBER, "epochs": _NUMBER}
_JUDGE = {"primary": METRICS, "second": METRICS, "score": {}, "flags": list}
_SCORE = {
    "n": int, "reals": int, "held_out": bool, "own_test": bool, "shared": bool, "net": str,
}  # fmt: skip
_EQUILIBRIUM = {"step": int, "epoch": _NUMBER, "label": str}
_ENVIRONMENT = {
    "device": str, "hardware": str, "packages": {"torch": str}, "gansweep": str, "commit": _TEXT,
}  # fmt: skip


def _shapes(run: Run) -> dict[Path, dict[str, Any]]:
    return {
        run.config: _CONFIG,
        run.result: _RESULT,
        run.failure: {"error": str},
        run.environment: _ENVIRONMENT,
    }


def _read(path: Path, shape: dict[str, Any]) -> dict[str, Any] | None:
    """The object in `path`; None if it is missing, damaged or not of the shape."""
    value = read_json(path)
    if value is None or not _fits(value, shape):
        return None
    judge = value.get("judge")
    if judge:
        metrics = dict.fromkeys((judge.get("primary"), judge.get("second")), _NUMBER)
        if not _fits(judge, {**_JUDGE, "score": {**_SCORE, **metrics}}):
            return None
        if not all(flag in FLAGS for flag in judge["flags"]):
            return None
        if judge.get("equilibrium") and not _fits(judge["equilibrium"], _EQUILIBRIUM):
            return None
    return value


def _fits(value: Any, shape: Any) -> bool:
    """shape: a type or several, a registry of valid names, or an object's shape."""
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(
            name in value and _fits(value[name], of) for name, of in shape.items()
        )
    if isinstance(shape, Registry):
        return isinstance(value, str) and value in shape
    return isinstance(value, shape)


def _why_not_done(run: Run, status: str, failure: dict[str, Any]) -> str:
    if status in ("failed", "diverged"):
        note = run.why_failed()
        if failure.get("cause") in ("killed", "crashed") and failure.get("log"):
            note += f"; its last words: {failure['log'][-1]}"
        return note
    if status == "planned":
        return "not trained yet"
    note = "running" if status == "running" else "interrupted: run the sweep again"
    lines = run.latest_metrics(1)
    return note + (f" (step {lines[-1].get('step')})" if lines else "")


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
        result={},
    )


def warnings_of(run: Outcome) -> list[str]:
    """The severe things that the judge says of a run, in words: `collapsed`, `never started`."""
    return [FLAGS[flag].word for flag in run.judge.get("flags", []) if FLAGS[flag].severe]
