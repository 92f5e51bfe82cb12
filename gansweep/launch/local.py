"""The launcher `hydra/launcher=gansweep_local`, and the training of a run in a cluster's job."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn, JobStatus

from gansweep.launch import processes
from gansweep.launch.names import GRID, LAUNCHER, SEARCH
from gansweep.launch.sweep import LocalSweep
from gansweep.launch.task import SweepTask
from gansweep.store.errors import UserError
from gansweep.store.records import Result
from gansweep.store.run import Run
from gansweep.training import stop

if TYPE_CHECKING:
    from hydra.types import HydraContext
    from omegaconf import DictConfig

    from gansweep.launch.app import App


def prepare(
    task: Any,
    context: HydraContext | None = None,
    config: DictConfig | None = None,
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> SweepTask | App:
    """Start the fork server, which imports torch in the background. Returns what is launched.

    task: Hydra's task function, gansweep's own or that of another application; context, config:
    those of another application; settings: of hydra.launcher. Raises UserError for settings that
    gansweep's own sweeps have in another place, and for its task under another program's sweeper.
    """
    if isinstance(task, SweepTask):
        for name, default in (("jobs_per_device", None), ("threads", None), ("device", "auto")):
            if settings.get(name, default) != default:
                raise UserError(f"hydra.launcher.{name} is for other applications: write {name}=…")
        processes.warm_up()
        return task
    if getattr(task, "__module__", "").startswith("gansweep."):
        raise UserError(
            f"hydra/launcher={LAUNCHER} trains only runs that gansweep's sweepers plan; "
            f"leave out hydra/sweeper, or choose {GRID} or {SEARCH}"
        )
    from gansweep.launch.app import App

    assert context is not None
    assert config is not None
    return App(context, task, config, **settings)


def launch(
    task: SweepTask | App, job_overrides: Sequence[Sequence[str]], first: int = 0
) -> list[JobReturn]:
    """Run the jobs that the overrides name, as Hydra's `Launcher.launch`.

    first: the number of the first job, for other applications.
    """
    if not isinstance(task, SweepTask):
        return task.launch(job_overrides, first)
    run_ids = [value_of(overrides, "run_id") for overrides in job_overrides]
    sweep = LocalSweep(task, run_ids, total=len(task.titles()))
    sweep.run()
    return [job_return(task, overrides) for overrides in job_overrides]


@dataclass
class IsolatedTask(SweepTask):
    """A task that trains in a separate process, so that every way in which it ends is recorded."""

    def __call__(self, cfg: DictConfig) -> Result:
        return train_isolated(replace(self, out=cfg.out), cfg.run_id)


def train_isolated(task: SweepTask, run_id: str) -> Result:
    """Train one run in a cluster's job, on the devices that the scheduler has assigned to the job.

    Returns the result. Raises RuntimeError if the run failed, Stopped if it was asked to stop.
    """
    prepare(task)
    if task.threads is None:
        cores = os.environ.get("SLURM_CPUS_PER_TASK") or os.environ.get("OMP_NUM_THREADS") or "1"
        task = replace(task, threads=int(cores))
    sweep = LocalSweep(task, [run_id])
    try:
        sweep.run()
    except KeyboardInterrupt:  # a KeyboardInterrupt would end this job without an answer
        raise stop.Stopped("was asked to stop") from None
    run = Run(task.out, run_id)
    result = run.read_result()
    if result is None:
        failure = run.read_failure() or {"error": "the run ended without a result"}
        raise RuntimeError(failure["error"])
    return result


def value_of(overrides: Sequence[str], name: str) -> str:
    """Return the value of an override by its name."""
    return next(o.partition("=")[2] for o in overrides if o.startswith(f"{name}="))


def job_return(task: SweepTask, overrides: Sequence[str]) -> JobReturn:
    """Return Hydra's record of a run, with its result or its error."""
    run = Run(task.out, value_of(overrides, "run_id"))
    done = JobReturn(overrides=overrides, task_name=run.id)
    result, failure = run.read_result(), run.read_failure()
    if result is not None:
        done.status, done.return_value = JobStatus.COMPLETED, result
    elif failure is not None:
        done.status, done.return_value = JobStatus.FAILED, RuntimeError(failure["error"])
    return done  # the status stays unknown if the run was not trained to its end
