"""The Optuna study of a search: its sampler and pruner, and what a search that died has left."""

from __future__ import annotations

import inspect
import random
import socket
import time
import uuid
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from gansweep.report.stored_study import (
    ALIVE,
    DEAD,
    SEARCHER,
    database_url,
    open_storage,
)
from gansweep.store.errors import UserError

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

    from gansweep.config import Config

BEAT = 30.0  # seconds between two signs of life of a search, for those on other machines
TRIES = 4  # to open a storage
SILENCE = 300.0  # after so many without one it is dead
# Percent of the budget: where ASHA's and Hyperband's first rung is, and what others wait for.
FIRST_RUNG = 10


def open_study(
    settings: Config, name: str, folder: Path, objectives: int, meant: dict[str, Any]
) -> optuna.Study:
    """The study `name`, created if it is not there.

    meant: what all its trials share, JSON; another call's must be equal. Raises UserError if it
    is not, if the storage cannot be reached or a package is missing.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    warnings.filterwarnings("ignore", category=FutureWarning, module="optuna")
    sampler, pruner = _sampler(settings), _pruner(settings.pruner)
    for attempt in range(1, TRIES + 1):
        try:
            study = optuna.create_study(
                study_name=name,
                storage=open_storage(settings.storage, folder),
                sampler=sampler,
                pruner=pruner,
                directions=["minimize"] * objectives,
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
            reason = " ".join(str(error).split())[:200]
            where = settings.storage or folder
            raise UserError(f"storage={where} cannot be used: {reason}") from None
    if before is not None and before != meant:
        differing = [key for key in meant if before.get(key) != meant[key]]
        raise UserError(
            f"study {name} was begun with another {' and '.join(differing)}; "
            "choose another name=…, or type the same space again"
        )
    return study


def check_study(settings: Config, objectives: int) -> None:
    """Refuse what `open_study` would refuse, without a study: writes nothing."""
    if objectives > 1 and settings.sampler == "cmaes":
        raise UserError(f"sampler={settings.sampler} knows one objective; use tpe or nsga2")
    _sampler(settings)
    if settings.storage is not None:
        database_url(settings.storage)


def _sampler(settings: Config) -> optuna.samplers.BaseSampler:
    from optuna import samplers

    seed = settings.seed
    # Before Optuna 5 a sampler had to be told how to find the constraints.
    known: dict[str, Any] = {} if _tells_constraints() else {"constraints_func": _violation}
    try:
        match settings.sampler:
            case "tpe":  # constant_liar: trials overlap
                return samplers.TPESampler(seed=seed, constant_liar=True, **known)
            case "gp":
                if "constraints_func" not in inspect.signature(samplers.GPSampler).parameters:
                    known = {}  # Optuna 4.1's knows none
                return samplers.GPSampler(seed=seed, **known)
            case "cmaes":
                import cmaes  # noqa: F401  # Optuna would notice only after some trials

                return samplers.CmaEsSampler(seed=seed)
            case "qmc":
                return samplers.QMCSampler(seed=seed, scramble=True)
            case "nsga2":
                return samplers.NSGAIISampler(seed=seed, **known)
            case "nsga3":
                return samplers.NSGAIIISampler(seed=seed, **known)
            case _:
                return samplers.RandomSampler(seed=seed)
    except ImportError as error:
        missing = error.name or "a package"
        raise UserError(
            f"sampler={settings.sampler} needs {missing}: pip install {missing}"
        ) from None


def _tells_constraints() -> bool:
    """Can a trial tell its constraints itself (Optuna 5)?"""
    from optuna.trial import Trial

    return hasattr(Trial, "set_constraint")


def _violation(trial: FrozenTrial) -> tuple[float]:
    return (float(trial.user_attrs.get(DEAD, 0)),)


def mark_dead(trial: optuna.Trial, violation: float) -> None:
    """Being alive is a constraint: whatever its distance, a dead trial is no good one.

    violation: 0 for one that is alive, else its distance, so that a sampler that has seen only
    dead ones knows which of them came nearer.
    """
    trial.set_user_attr(DEAD, violation)
    if _tells_constraints():
        trial.set_constraint("alive", violation)


def _pruner(name: str) -> optuna.pruners.BasePruner:
    """Resources are percents of the budget."""
    from optuna import pruners

    match name:
        case "asha":
            return pruners.SuccessiveHalvingPruner(min_resource=FIRST_RUNG, reduction_factor=4)
        case "hyperband":
            return pruners.HyperbandPruner(
                min_resource=FIRST_RUNG, max_resource=100, reduction_factor=3
            )
        case "median":
            return pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=FIRST_RUNG)
        case "patient":
            return pruners.PatientPruner(None, patience=5)
        case _:
            return pruners.NopPruner()


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
