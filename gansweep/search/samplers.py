"""What proposes the settings of a search, and what prunes its hopeless trials: each a function.

Optuna is imported only when one of them is called, as the command line and the help need the names.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gansweep.plugins import PRUNERS, SAMPLERS
from gansweep.report.stored_study import DEAD

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

# Percent of the budget: where ASHA's and Hyperband's first rung is, and what others wait for.
FIRST_RUNG = 10


def sampler(
    name: str, *, model: bool = False, several: bool = True
) -> Callable[[Callable[[int], BaseSampler]], Any]:
    """Register a function of the seed. Its ImportError names the package that it lacks.

    model: does it learn one, and propose at random before? several: does it know two objectives?
    """
    return SAMPLERS.register(name, model=model, several=several)


def tells_constraints() -> bool:
    """Can a trial tell its constraints itself (Optuna 5)?"""
    from optuna.trial import Trial

    return hasattr(Trial, "set_constraint")


def _constraints() -> dict[str, Any]:
    """Before Optuna 5 a sampler had to be told how to find the constraints."""
    return {} if tells_constraints() else {"constraints_func": _violation}


def _violation(trial: FrozenTrial) -> tuple[float]:
    return (float(trial.user_attrs.get(DEAD, 0)),)


@sampler("tpe", model=True)
def tpe(seed: int) -> BaseSampler:
    from optuna.samplers import TPESampler

    return TPESampler(seed=seed, constant_liar=True, **_constraints())  # trials overlap


@sampler("gp", model=True)
def gp(seed: int) -> BaseSampler:
    from optuna.samplers import GPSampler

    known = "constraints_func" in inspect.signature(GPSampler).parameters  # not in Optuna 4.1
    return GPSampler(seed=seed, **(_constraints() if known else {}))


@sampler("cmaes", several=False)
def cmaes(seed: int) -> BaseSampler:
    import cmaes  # noqa: F401  # Optuna would notice only after some trials
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


# --- Pruners. Resources are percents of the budget. -----------------------------------------------


@PRUNERS.register("asha")
def asha() -> BasePruner:
    from optuna.pruners import SuccessiveHalvingPruner

    return SuccessiveHalvingPruner(min_resource=FIRST_RUNG, reduction_factor=4)


@PRUNERS.register("hyperband")
def hyperband() -> BasePruner:
    from optuna.pruners import HyperbandPruner

    return HyperbandPruner(min_resource=FIRST_RUNG, max_resource=100, reduction_factor=3)


@PRUNERS.register("median")
def median() -> BasePruner:
    from optuna.pruners import MedianPruner

    return MedianPruner(n_startup_trials=5, n_warmup_steps=FIRST_RUNG)


@PRUNERS.register("patient")
def patient() -> BasePruner:
    from optuna.pruners import PatientPruner

    return PatientPruner(None, patience=5)


@PRUNERS.register("none")
def none() -> BasePruner:
    from optuna.pruners import NopPruner

    return NopPruner()
