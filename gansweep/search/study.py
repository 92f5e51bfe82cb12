"""Opens the Optuna study of a search, and fails the trials that a killed search has left."""

from __future__ import annotations

import random
import time
import uuid
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from gansweep.config import DEFAULTS
from gansweep.plugins import PRUNERS, SAMPLERS, Direction
from gansweep.report.stored_study import (
    ALIVE,
    DEAD,
    SEARCHER,
    VIOLATIONS,
    constraints_of,
    database_url,
    open_storage,
)
from gansweep.search.samplers import has_named_constraints
from gansweep.store import lease
from gansweep.store.errors import UserError
from gansweep.store.passwords import without_password

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

    from gansweep.config import Config

# A search on another machine counts as killed when this process has seen no sign of life of it for
# HEARTBEAT_TIMEOUT leases, or at once if the last sign is older than CLOCKS seconds: no two clocks
# differ by so much. A search that is judged wrongly loses a trial; the runs themselves have leases.
HEARTBEAT_INTERVAL = 0.5  # leases between two signs of life
HEARTBEAT_TIMEOUT = 5.0
CLOCKS = 3600.0
RELEASED = 0.0  # the last sign of a search that leaves the trial to others
MAX_OPEN_ATTEMPTS = 4  # to open a storage


def open_study(
    settings: Config,
    name: str,
    folder: Path,
    directions: Sequence[Direction],
    shared: dict[str, Any],
) -> optuna.Study:
    """Open the study `name`, or create it.

    folder: where the journal is if `settings.storage` is None; directions: `minimize` or `maximize`
    for each objective; shared: what all trials share, as JSON, which is stored in the study. Raises
    UserError if the study was created with other shared settings, if the storage cannot be reached
    or if a package is missing.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    warnings.filterwarnings("ignore", category=FutureWarning, module="optuna")
    sampler, pruner = _sampler(settings), PRUNERS[settings.pruner].build()
    for attempt in range(1, MAX_OPEN_ATTEMPTS + 1):
        try:
            study = optuna.create_study(
                study_name=name,
                storage=open_storage(settings.storage, folder),
                sampler=sampler,
                pruner=pruner,
                directions=list(directions),
                load_if_exists=True,
            )
            if study.get_trials(deepcopy=False):  # the seed alone would repeat the same proposals
                study.sampler.reseed_rng()
            stored = study.user_attrs.get("meant")
            if stored is None:
                study.set_user_attr("meant", shared)
            break
        except UserError:
            raise
        except Exception as error:  # each database has its own exceptions
            if attempt < MAX_OPEN_ATTEMPTS:  # concurrent creations of the tables fail
                time.sleep(attempt * random.uniform(0.2, 0.6))
                continue
            reason = without_password(" ".join(str(error).split())[:200])
            where = without_password(settings.storage or str(folder))
            raise UserError(f"storage={where} cannot be used: {reason}") from None
    if stored is not None and _without_defaults(stored) != _without_defaults(shared):
        keys = dict.fromkeys([*shared, *stored])
        differing = [key for key in keys if stored.get(key) != shared.get(key)]
        words = _differences(stored, shared, differing)
        longer = ""
        if words.startswith(("steps=", "epochs=")) and " and " not in words:
            longer = f". Its trials are trained longer by python -m gansweep extend {name}"
        raise UserError(
            f"study {name} was created with {words}; choose another name=…, or type the same space "
            f"again{longer}"
        )
    return study


def _differences(stored: dict[str, Any], shared: dict[str, Any], differing: list[str]) -> str:
    """Return in words what a study was created with: `another space`, `steps=200, not steps=400`.

    Parameters are named if both calls have one data set, so that they can be compared.
    """
    words = []
    if "settings" in differing:
        (was, *more), (now, *others) = stored["settings"], shared["settings"]
        names = [n for n in now if n in was and was[n] != now[n]]
        names.sort(key=lambda n: n not in ("steps", "epochs"))
        if more or others or "data" in names:
            words.append("other data or settings")
        else:
            words += [f"{n}={was[n]}, not {n}={now[n]}" for n in names]
    words += [f"another {key}" for key in differing if key != "settings"]
    return " and ".join(words) or "other settings"


def _without_defaults(shared: dict[str, Any]) -> dict[str, Any]:
    """Return what trials share without the parameters that have their default values.

    A study of an older version does not know the parameters that were declared later.
    """
    settings = [
        {name: value for name, value in base.items() if value != DEFAULTS.get(name, base)}
        for base in shared.get("settings", [])
    ]
    return {**shared, "settings": settings}


def check_study(settings: Config, two_objectives: bool) -> None:
    """Raise UserError for settings that `open_study` would refuse, without writing anything."""
    if two_objectives and not SAMPLERS[settings.sampler].several:
        raise UserError(f"sampler={settings.sampler} supports one objective; use tpe or nsga2")
    if two_objectives and not PRUNERS[settings.pruner].several:
        raise UserError(f"pruner={settings.pruner} supports one objective; use asha or none")
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


def set_constraints(trial: optuna.Trial, dead: float, violations: dict[str, float]) -> None:
    """Store by how much a trial violates its constraints, for samplers and for `feasible`.

    dead: 0 if its runs are alive, else a loss. A sampler with only infeasible trials can thus
    compare these. violations: by how much it violates each condition of `constraint=`.
    """
    stored = constraint_attributes(dead, violations)
    for name, value in stored.items():
        trial.set_user_attr(name, value)
    if has_named_constraints():
        for name, violation in constraints_of(stored).items():
            trial.set_constraint(name, violation)


def constraint_attributes(dead: float, violations: dict[str, float]) -> dict[str, Any]:
    """Return the user attributes of a trial from which `constraints_of` reads the violations."""
    return {DEAD: dead, **({VIOLATIONS: violations} if violations else {})}


_watch = lease.Watch()


class SearchProcess:
    """Marks trials as those of this process, which holds a lock as long as it lives."""

    def __init__(self, folder: Path) -> None:
        self.id = uuid.uuid4().hex[:12]
        path = folder / "searchers" / f"{self.id}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path)
        self._lock.acquire()
        self._last_heartbeat = time.monotonic()
        self.describe = {"id": self.id, "host": lease.host(), "lock": str(path.resolve())}

    def claim(self, trial: optuna.Trial) -> None:
        """Mark a trial as one of this process."""
        trial.set_user_attr(SEARCHER, self.describe)
        trial.set_user_attr(ALIVE, time.time())

    def release(self, trial: optuna.Trial) -> None:
        """Leave a trial that is not finished to other processes."""
        trial.set_user_attr(ALIVE, RELEASED)

    def heartbeat(self, trials: list[optuna.Trial]) -> bool:
        """Store that these trials are being trained, once in HEARTBEAT_INTERVAL.

        Returns whether it was time for that.
        """
        if time.monotonic() - self._last_heartbeat <= HEARTBEAT_INTERVAL * lease.seconds():
            return False
        self._last_heartbeat = time.monotonic()
        for trial in trials:
            with suppress(RuntimeError):  # another search has taken over the trial
                trial.set_user_attr(ALIVE, time.time())
        return True

    def close(self) -> None:
        """Release and remove the lock."""
        self._lock.release()
        Path(self.describe["lock"]).unlink(missing_ok=True)


def fail_abandoned_trials(study: optuna.Study) -> int:
    """Fail the running trials of killed searches and enqueue their settings again.

    A retried trial resumes its runs from their checkpoints. Returns the number of failed trials.
    """
    from optuna.trial import TrialState

    failed = 0
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if not _abandoned(study, trial):
            continue
        try:
            study.tell(trial.number, state=TrialState.FAIL)
        except (ValueError, RuntimeError):  # another search was quicker
            continue
        failed += 1
        if trial.params:
            study.enqueue_trial(trial.params, user_attrs={"again": trial.number})
    return failed


def _abandoned(study: optuna.Study, trial: FrozenTrial) -> bool:
    """Return whether the search that runs a trial was killed or has left it.

    The lock shows it on this machine; for another machine, the signs of life decide.
    """
    last_sign = trial.user_attrs.get(ALIVE)
    if last_sign == RELEASED:
        return True
    process = trial.user_attrs.get(SEARCHER)
    if process is not None and process["host"] == lease.host():
        path = Path(process["lock"])
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
    if last_sign is None:  # the trial is not claimed yet, or another program asked for it
        started = trial.datetime_start
        last_sign = started.timestamp() if started else 0.0
    name = f"{study.study_name} {trial.number}"
    timeout = HEARTBEAT_TIMEOUT * lease.seconds()
    silent = _watch.silent(name, last_sign, timeout)
    return silent >= timeout or time.time() - float(last_sign) > CLOCKS
