"""Registers the samplers, which propose the settings of a search, and the pruners of bad trials.

Each sampler or pruner is a function that imports Optuna only when it is called, because the help
needs only the names.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gansweep.plugins import PRUNERS, SAMPLERS
from gansweep.report.stored_study import constraints_of
from gansweep.search.rungs import FACTOR, FIRST_RUNG

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial


def sampler(
    name: str, *, model: bool = False, several: bool = True
) -> Callable[[Callable[[int], BaseSampler]], Any]:
    """Return a decorator that registers a function of the seed as a sampler.

    model: whether the sampler learns a model and proposes at random at first; several: whether it
    supports two objectives. If a package is missing, the function raises ImportError with its name.
    """
    return SAMPLERS.register(name, model=model, several=several)


def has_named_constraints() -> bool:
    """Return whether trials have `set_constraint` (Optuna 5)."""
    from optuna.trial import Trial

    return hasattr(Trial, "set_constraint")


def _constraints() -> dict[str, Any]:
    """Return the keyword arguments of a sampler by which it finds constraints.

    Samplers of Optuna 5 read named constraints; those of Optuna 4 take a function.
    """
    return {} if has_named_constraints() else {"constraints_func": _violation}


def _violation(trial: FrozenTrial) -> tuple[float]:
    """Return the sum of all violations, as the number of constraints must be that of any trial."""
    return (sum(max(0.0, v) for v in constraints_of(trial.user_attrs).values()),)


@sampler("tpe", model=True)
def tpe(seed: int) -> BaseSampler:
    from optuna.samplers import TPESampler

    return TPESampler(seed=seed, constant_liar=True, **_constraints())  # trials run concurrently


@sampler("gp", model=True)
def gp(seed: int) -> BaseSampler:
    from optuna.samplers import GPSampler

    constrained = "constraints_func" in inspect.signature(GPSampler).parameters  # not Optuna 4.1
    return GPSampler(seed=seed, **(_constraints() if constrained else {}))


@sampler("cmaes", several=False)
def cmaes(seed: int) -> BaseSampler:
    import cmaes  # noqa: F401  # Optuna imports it only after some trials
    from optuna.samplers import CmaEsSampler

    return CmaEsSampler(seed=seed)


@sampler("qmc")
def qmc(seed: int) -> BaseSampler:
    from optuna.samplers import QMCSampler

    return QMCSampler(seed=seed, scramble=True)


@sampler("random")
def random(seed: int) -> BaseSampler:
    from optuna.samplers import RandomSampler

    return RandomSampler(seed=seed)


@sampler("nsga2")
def nsga2(seed: int) -> BaseSampler:
    from optuna.samplers import NSGAIISampler

    return NSGAIISampler(seed=seed, **_constraints())


@sampler("nsga3")
def nsga3(seed: int) -> BaseSampler:
    from optuna.samplers import NSGAIIISampler

    return NSGAIIISampler(seed=seed, **_constraints())


# --- Pruners: their resource is the percentage of a run's steps -----------------------------------
# `several` says whether trials with two objectives are pruned too, which search/rungs.py does.


@PRUNERS.register("asha", several=True)
def asha() -> BasePruner:
    from optuna.pruners import SuccessiveHalvingPruner

    return SuccessiveHalvingPruner(min_resource=FIRST_RUNG, reduction_factor=FACTOR)


@PRUNERS.register("hyperband", several=False)
def hyperband() -> BasePruner:
    from optuna.pruners import HyperbandPruner

    return HyperbandPruner(min_resource=FIRST_RUNG, max_resource=100, reduction_factor=3)


@PRUNERS.register("median", several=False)
def median() -> BasePruner:
    from optuna.pruners import MedianPruner

    return MedianPruner(n_startup_trials=5, n_warmup_steps=FIRST_RUNG)


@PRUNERS.register("patient", several=False)
def patient() -> BasePruner:
    from optuna.pruners import PatientPruner

    return PatientPruner(None, patience=5)


@PRUNERS.register("none", several=True)
def none() -> BasePruner:
    from optuna.pruners import NopPruner

    return NopPruner()
