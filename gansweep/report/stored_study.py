"""The Optuna study of a search, as its storage has it: opened, counted, and its best setting.

It is an ordinary study: anything that reads Optuna's storages reads it.
"""

from __future__ import annotations

import inspect
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gansweep.plugins import METRICS
from gansweep.report.table.text import format_measured
from gansweep.store.errors import UserError
from gansweep.store.passwords import without_password

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

GRACE = 10  # seconds after which the lock of a journal is taken for a dead writer's
# User attributes of trials.
RUNS, WHY, SEARCHER, ALIVE, UNCOUNTED, DEAD, ERROR = (
    "runs", "why", "searcher", "alive", "uncounted", "dead", "error",
)  # fmt: skip


def read_study(storage: str | None, name: str, manifest: Path) -> optuna.Study:
    """The study of a search, to look at. Raises UserError if it cannot be read."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        return optuna.load_study(study_name=name, storage=open_storage(storage, manifest.parent))
    except Exception as error:
        reason = without_password(" ".join(str(error).split())[:200])
        needs_password = storage is not None and "@" in storage
        remedy = "; give its password with --storage URL" if needs_password else ""
        raise UserError(f"study {name} cannot be read: {reason}{remedy}") from None


def best_setting(study: optuna.Study, label: str, metric: str = "") -> list[str]:
    """A sentence, and the command that trains the best setting; nothing if there is none.

    label, metric: of the first objective.
    """
    good = [t for t in study.get_trials(deepcopy=False) if feasible(t)]
    if not good or len(study.directions) > 1:
        return []
    best = best_of(study, good)
    shown = ", ".join(f"{n} {_shown(v)}" for n, v in best.params.items())
    if not best.user_attrs.get("command"):
        return []
    value = value_text(best, metric)
    sentence = f"The best of {len(good)}: {label} {value} in trial {best.number} ({shown})."
    return [sentence, best.user_attrs["command"]]


def sign_of(study: optuna.Study) -> int:
    """1 if less of the first objective is better, -1 if more is."""
    return 1 if study.directions[0].name == "MINIMIZE" else -1


def best_of(study: optuna.Study, trials: Sequence[FrozenTrial]) -> FrozenTrial:
    """The best of these by the first objective."""
    return min(trials, key=lambda trial: sign_of(study) * trial.values[0])


def value_text(trial: FrozenTrial, metric: str = "") -> str:
    """The value of a trial that has one, with the digits that its error leaves meaning."""
    digits = METRICS[metric].digits if metric in METRICS else 1
    return format_measured(trial.values[0], digits, trial.user_attrs.get(ERROR))


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def open_storage(url: str | None, folder: Path) -> Any:
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    if url is None:
        folder.mkdir(parents=True, exist_ok=True)
        # Absolute: the lock is a link to it, which a relative path would leave dangling.
        path = str(folder.resolve() / "study.journal")
        lock = _journal_lock(path)

        class Journal(JournalFileBackend):
            def append_logs(self, logs: list[dict[str, Any]]) -> None:
                end_half_record(Path(path), lock)
                super().append_logs(logs)

        return JournalStorage(Journal(path, lock_obj=lock))
    return RDBStorage(database_url(url), engine_kwargs={"pool_pre_ping": True})


def database_url(url: str) -> str:
    """`storage=` as SQLAlchemy takes it. Nothing is connected to, and nothing written.

    Raises UserError for what is no URL of a database, or one whose package is missing.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError

    if url.startswith("postgresql://"):  # whichever driver is there
        with suppress(ModuleNotFoundError):
            import psycopg  # noqa: F401

            url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    try:
        create_engine(url)
    except ArgumentError:  # also of a kind of database that nobody knows
        raise UserError(
            f"storage={without_password(url)} is no database URL; write sqlite:///FILE or postgresql://…"
        ) from None
    except ModuleNotFoundError as error:
        shown = without_password(url)
        raise UserError(f"storage={shown} needs {error.name}: pip install {error.name}") from None
    return url


def _journal_lock(path: str) -> Any:
    """The lock that every other reader of journals uses; one of a killed search is broken."""
    from optuna.storages.journal import JournalFileSymlinkLock

    left = Path(path + ".lock")
    if left.is_symlink() and not left.exists():  # nobody's: the journal of a living writer exists
        left.unlink(missing_ok=True)
    if "grace_period" in inspect.signature(JournalFileSymlinkLock).parameters:
        return JournalFileSymlinkLock(path, grace_period=GRACE)
    # Optuna 4.1 would wait for it for ever. A living writer holds it for milliseconds.
    with suppress(FileNotFoundError):
        while time.time() - left.lstat().st_mtime < GRACE:
            time.sleep(0.1)
        left.unlink()
    return JournalFileSymlinkLock(path)


def end_half_record(journal: Path, lock: Any) -> None:
    """End the last line of a journal that a kill or a full disk has cut off.

    Optuna reads no line without an end, but would write the next record into it. A record of which
    only the end of the line is missing is kept.
    """
    if not _has_half_record(journal):
        return
    lock.acquire()
    try:
        if _has_half_record(journal):  # else a living writer has ended it meanwhile
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
    if not journal.exists() or not journal.stat().st_size:
        return False
    with journal.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read() != b"\n"


def feasible(trial: FrozenTrial) -> bool:
    """Complete, and alive."""
    return trial.values is not None and not trial.user_attrs.get(DEAD)


def counted(trial: FrozenTrial) -> bool:
    """Does this trial count as one of those that were asked for?

    Not those told to the study from elsewhere, those of a dead search, and those that proposed
    what another trial has.
    """
    from optuna.trial import TrialState

    if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
        return not trial.user_attrs.get(UNCOUNTED)
    if trial.state == TrialState.FAIL:
        return WHY in trial.user_attrs and not trial.user_attrs.get(UNCOUNTED)
    return trial.state == TrialState.RUNNING
