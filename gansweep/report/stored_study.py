"""Read the Optuna study of a search: open its storage, count its trials, find the best setting.

The study is an ordinary Optuna study that other programs can read too.
"""

from __future__ import annotations

import inspect
import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gansweep.notation import format_measured, format_value
from gansweep.plugins import METRICS
from gansweep.report.table.pareto import pareto_front
from gansweep.report.table.text import format_count
from gansweep.store.errors import UserError
from gansweep.store.passwords import without_password

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

MAX_FRONT = 5  # points of a Pareto front that the summary of a search names
GRACE = 10  # seconds; an older lock of a journal belongs to a process that has ended
# User attributes of trials: run ids; why a trial failed or was pruned; the process that runs the
# trial, and the time of its last sign of life; whether the trial is not counted; by how much it
# fails to be alive, and by how much it violates each condition of the search's constraint; the
# standard error of the value; two objectives at the percentages where trials are pruned.
RUNS, WHY, SEARCHER, ALIVE, UNCOUNTED, DEAD, VIOLATIONS, ERROR, RUNGS = (
    "runs", "why", "searcher", "alive", "uncounted", "dead", "violations", "error", "rungs",
)  # fmt: skip


def read_study(storage: str | None, name: str, manifest: Path) -> optuna.Study:
    """Load the study of a search. Raises UserError if it cannot be read."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        return optuna.load_study(study_name=name, storage=open_storage(storage, manifest.parent))
    except Exception as error:
        reason = without_password(" ".join(str(error).split())[:200])
        needs_password = storage is not None and "@" in storage
        remedy = "; give its password with --storage URL" if needs_password else ""
        raise UserError(f"study {name} cannot be read: {reason}{remedy}") from None


def best_setting(
    study: optuna.Study,
    label: str,
    metric: str = "",
    places: Mapping[str, int] | None = None,
) -> list[str]:
    """Return a sentence on the best setting, and the command that trains it.

    For two objectives, the sentences and commands are those of the Pareto front. Returns an empty
    list without a feasible trial, for more objectives, or if the best trial has no command. label,
    metric: the first objective's label and the name of its metric; places: of a search by eye the
    place of each run in the votes.
    """
    good = [t for t in study.get_trials(deepcopy=False) if feasible(t)]
    if not good or len(study.directions) > 2:
        return []
    if len(study.directions) == 2:
        return _front(study, good, label, metric)
    best = best_of(study, good)
    rated = [trial for trial in good if trial.user_attrs[RUNS][0] in places] if places else []
    if places and rated:
        good = rated
        best = min(good, key=lambda trial: places[trial.user_attrs[RUNS][0]])
    shown = _settings(best)
    if not best.user_attrs.get("command"):
        return []
    value = value_text(best, metric)
    of = f"{len(good)}{' that meet the constraint' if constrained(good) else ''}"
    of += " by eye" if rated else ""
    sentence = f"Trial {best.number} is the best of {of}: {label} {value} ({shown})."
    return [sentence, best.user_attrs["command"]]


def constrained(trials: Sequence[FrozenTrial]) -> bool:
    """Return whether the trials are of a search with `constraint=`."""
    return any(trial.user_attrs.get(VIOLATIONS) for trial in trials)


def _settings(trial: FrozenTrial) -> str:
    return ", ".join(f"{name} {_shown(value)}" for name, value in trial.params.items())


def _front(study: optuna.Study, good: list[FrozenTrial], label: str, metric: str) -> list[str]:
    """Return sentences on the first MAX_FRONT points of the Pareto front, and their commands."""
    front = pareto_front(study, good)
    labels = study.metric_names or [label, "second value"]
    lines = [
        f"The Pareto front has {format_count(len(front), 'point')} of "
        f"{format_count(len(good), 'trial')}"
        f"{' that meet the constraint' if constrained(good) else ''}, the best {labels[0]} first:"
    ]
    for trial in front[:MAX_FRONT]:
        values = f"{labels[0]} {value_text(trial, metric)}, {labels[1]} {trial.values[1]:,.4g}"
        lines.append(f"Trial {trial.number}: {values} ({_settings(trial)})")
    if len(front) > MAX_FRONT:
        lines.append(f"The table has the other {format_count(len(front) - MAX_FRONT, 'point')}.")
    commands = [trial.user_attrs.get("command") for trial in front[:MAX_FRONT]]
    found = [command for command in commands if command]
    return [*lines, "\n".join(found)] if found else []


def sign_of(study: optuna.Study) -> int:
    """Return 1 if less of the first objective is better, -1 if more is better."""
    return 1 if study.directions[0].name == "MINIMIZE" else -1


def best_of(study: optuna.Study, trials: Sequence[FrozenTrial]) -> FrozenTrial:
    """Return the best of these trials by the first objective."""
    return min(trials, key=lambda trial: sign_of(study) * trial.values[0])


def value_text(trial: FrozenTrial, metric: str = "") -> str:
    """Format the first value of a complete trial; its standard error limits the digits."""
    digits = METRICS[metric].digits if metric in METRICS else 1
    return format_measured(trial.values[0], digits, trial.user_attrs.get(ERROR))


def _shown(value: Any) -> str:
    return format_value(float(f"{value:.4g}") if isinstance(value, float) else value)


def open_storage(url: str | None, folder: Path) -> Any:
    """Return an Optuna storage: the database `url`, or study.journal in `folder` for None.

    Raises UserError for an invalid URL or a missing database package.
    """
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    if url is None:
        folder.mkdir(parents=True, exist_ok=True)
        # Absolute, as the lock is a link to this path: a relative link would dangle.
        path = str(folder.resolve() / "study.journal")
        lock = _journal_lock(path)

        class Journal(JournalFileBackend):
            def append_logs(self, logs: list[dict[str, Any]]) -> None:
                end_half_record(Path(path), lock)
                super().append_logs(logs)

        return JournalStorage(Journal(path, lock_obj=lock))
    return RDBStorage(database_url(url), engine_kwargs={"pool_pre_ping": True})


def database_url(url: str) -> str:
    """Return the URL of `storage=` in SQLAlchemy's form. Opens no connection, writes nothing.

    Raises UserError for an invalid URL, or if the package for the database is missing.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError

    if url.startswith("postgresql://"):  # psycopg 3 if installed, else SQLAlchemy's default
        with suppress(ModuleNotFoundError):
            import psycopg  # noqa: F401

            url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    try:
        create_engine(url)
    except ArgumentError:  # includes an unknown kind of database
        raise UserError(
            f"storage={without_password(url)} is not a database URL; write sqlite:///FILE or postgresql://…"
        ) from None
    except ModuleNotFoundError as error:
        shown = without_password(url)
        raise UserError(f"storage={shown} needs {error.name}: pip install {error.name}") from None
    return url


def _journal_lock(path: str) -> Any:
    """Return Optuna's lock for a journal; remove the lock that a killed search has left."""
    from optuna.storages.journal import JournalFileSymlinkLock

    left = Path(path + ".lock")
    if left.is_symlink() and not left.exists():  # a running writer's link has an existing target
        left.unlink(missing_ok=True)
    if "grace_period" in inspect.signature(JournalFileSymlinkLock).parameters:
        return JournalFileSymlinkLock(path, grace_period=GRACE)
    # Optuna 4.1 waits for a stale lock for ever. A running writer holds a lock for milliseconds.
    with suppress(FileNotFoundError):
        while time.time() - left.lstat().st_mtime < GRACE:
            time.sleep(0.1)
        left.unlink()
    return JournalFileSymlinkLock(path)


def end_half_record(journal: Path, lock: Any) -> None:
    """Repair the last line of a journal that a kill or a full disk has cut off.

    Optuna ignores a line without a line end, but would append the next record to this line. A
    complete record gets its missing line end; an incomplete one is deleted. Waits for `lock`.
    """
    if not _has_half_record(journal):
        return
    lock.acquire()
    try:
        if _has_half_record(journal):  # another writer may have repaired the line
            with journal.open("r+b") as stream:
                data = stream.read()
                start = data.rfind(b"\n") + 1
                try:
                    json.loads(data[start:])
                    stream.write(b"\n")
                except ValueError:
                    stream.truncate(start)
    finally:
        lock.release()


def _has_half_record(journal: Path) -> bool:
    """Return whether the journal's last line has no line end."""
    if not journal.exists() or not journal.stat().st_size:
        return False
    with journal.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read() != b"\n"


def constraints_of(user_attrs: Mapping[str, Any]) -> dict[str, float]:
    """Return by how much a trial violates each of its constraints; 0 or less: it does not.

    They are that its runs are alive, and the conditions of `constraint=`.
    """
    return {"alive": user_attrs.get(DEAD) or 0.0, **user_attrs.get(VIOLATIONS, {})}


def violated(trial: FrozenTrial) -> str:
    """Return the conditions of `constraint=` that a trial violates, in words; empty if none."""
    found = trial.user_attrs.get(VIOLATIONS, {})
    return " and ".join(text for text, violation in found.items() if violation > 0)


def feasible(trial: FrozenTrial) -> bool:
    """Return whether a trial has a value and meets all constraints."""
    meets = all(violation <= 0 for violation in constraints_of(trial.user_attrs).values())
    return trial.values is not None and meets


def counted(trial: FrozenTrial) -> bool:
    """Return whether a trial counts towards the number that `trials=` asks for.

    Trials of a warm start, of a search that was killed, and with a setting that another trial has,
    do not count.
    """
    from optuna.trial import TrialState

    if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
        return not trial.user_attrs.get(UNCOUNTED)
    if trial.state == TrialState.FAIL:
        return WHY in trial.user_attrs and not trial.user_attrs.get(UNCOUNTED)
    return trial.state == TrialState.RUNNING
