"""The Optuna study of a search: its sampler and pruner, and what a search that died has left."""

from __future__ import annotations

import random
import socket
import time
import uuid
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from gansweep.plugins import PRUNERS, SAMPLERS, Direction
from gansweep.report.stored_study import (
    ALIVE,
    DEAD,
    SEARCHER,
    database_url,
    open_storage,
)
from gansweep.search.samplers import tells_constraints
from gansweep.store.errors import UserError
from gansweep.store.passwords import without_password

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

    from gansweep.config import Config

BEAT = 30.0  # seconds between two signs of life of a search, for those on other machines
TRIES = 4  # to open a storage
SILENCE = 300.0  # after so many without one it is dead


def open_study(
    settings: Config,
    name: str,
    folder: Path,
    directions: Sequence[Direction],
    meant: dict[str, Any],
) -> optuna.Study:
    """The study `name`, created if it is not there.

    directions: `minimize` or `maximize`, of each objective; meant: what all its trials share, JSON;
    another call's must be equal. Raises UserError if it is not, if the storage cannot be reached or
    a package is missing.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    warnings.filterwarnings("ignore", category=FutureWarning, module="optuna")
    sampler, pruner = _sampler(settings), PRUNERS[settings.pruner].build()
    for attempt in range(1, TRIES + 1):
        try:
            study = optuna.create_study(
                study_name=name,
                storage=open_storage(settings.storage, folder),
                sampler=sampler,
                pruner=pruner,
                directions=list(directions),
                load_if_exists=True,
            )
            if study.get_trials(deepcopy=False):  # else it would propose the same ones again
                study.sampler.reseed_rng()
            before = study.user_attrs.get("meant")
            if before is None:
                study.set_user_attr("meant", meant)
            break
        except UserError:
            raise
        except Exception as error:  # each database has errors of its own
            if attempt < TRIES:  # two that create its tables at once get in each other's way
                time.sleep(attempt * random.uniform(0.2, 0.6))
                continue
            reason = without_password(" ".join(str(error).split())[:200])
            where = without_password(settings.storage or str(folder))
            raise UserError(f"storage={where} cannot be used: {reason}") from None
    if before is not None and before != meant:
        differing = [key for key in meant if before.get(key) != meant[key]]
        raise UserError(
            f"study {name} was begun with another {' and '.join(differing)}; "
            "choose another name=…, or type the same space again"
        )
    return study


def check_study(settings: Config, two_objectives: bool) -> None:
    """Refuse what `open_study` would refuse, without a study. It writes nothing."""
    if two_objectives and not SAMPLERS[settings.sampler].several:
        raise UserError(f"sampler={settings.sampler} knows one objective; use tpe or nsga2")
    _sampler(settings)
    if settings.storage is not None:
        database_url(settings.storage)


def _sampler(settings: Config) -> optuna.samplers.BaseSampler:
    try:
        return SAMPLERS[settings.sampler].build(settings.seed)
    except ImportError as error:
        missing = error.name or "a package"
        raise UserError(
            f"sampler={settings.sampler} needs {missing}: pip install {missing}"
        ) from None


def mark_dead(trial: optuna.Trial, violation: float) -> None:
    """Being alive is a constraint: whatever its distance, a dead trial is no good one.

    violation: 0 for one that is alive, else its distance, so that a sampler that has seen only
    dead ones knows which of them came nearer.
    """
    trial.set_user_attr(DEAD, violation)
    if tells_constraints():
        trial.set_constraint("alive", violation)


class Searcher:
    """This process, as one that searches: its lock lives as long as it does."""

    def __init__(self, folder: Path) -> None:
        self.id = uuid.uuid4().hex[:12]
        path = folder / "searchers" / f"{self.id}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path)
        self._lock.acquire()
        self._beaten = time.monotonic()
        self.describe = {"id": self.id, "host": socket.gethostname(), "lock": str(path.resolve())}

    def claim(self, trial: optuna.Trial) -> None:
        """Mark a trial as this process's."""
        trial.set_user_attr(SEARCHER, self.describe)
        trial.set_user_attr(ALIVE, time.time())

    def beat(self, trials: list[optuna.Trial]) -> None:
        """Now and then, tell the others that these are being trained."""
        if time.monotonic() - self._beaten > BEAT:
            self._beaten = time.monotonic()
            for trial in trials:
                trial.set_user_attr(ALIVE, time.time())

    def close(self) -> None:
        self._lock.release()
        Path(self.describe["lock"]).unlink(missing_ok=True)


def tell_the_dead(study: optuna.Study) -> int:
    """Tell FAIL for the running trials of searches that have died, and try their settings again.

    Their runs go on from their checkpoints. Returns how many there were.
    """
    from optuna.trial import TrialState

    found = 0
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if not _dead(trial):
            continue
        try:
            study.tell(trial.number, state=TrialState.FAIL)
        except (ValueError, RuntimeError):  # another search was quicker
            continue
        found += 1
        if trial.params:
            study.enqueue_trial(trial.params, user_attrs={"again": trial.number})
    return found


def _dead(trial: FrozenTrial) -> bool:
    searcher = trial.user_attrs.get(SEARCHER)
    if searcher is not None and searcher["host"] == socket.gethostname():
        path = Path(searcher["lock"])
        if not path.exists():
            return True
        lock = FileLock(path, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            return False
        lock.release()
        path.unlink(missing_ok=True)
        return True
    alive = trial.user_attrs.get(ALIVE)
    if alive is None:  # between asking and claiming, or not of ours
        began = trial.datetime_start
        alive = began.timestamp() if began else 0.0
    return time.time() - float(alive) > SILENCE
