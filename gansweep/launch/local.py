"""`hydra/launcher=gansweep_local`, and how the job of a cluster trains its run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    from omegaconf import DictConfig


def prepare(task: Any) -> SweepTask:
    """Take a sweep's task, and let the server import meanwhile. Raises UserError for others'."""
    if not isinstance(task, SweepTask):
        raise UserError(
            f"hydra/launcher={LAUNCHER} trains what gansweep's own sweepers plan; "
            f"leave out hydra/sweeper, or choose {GRID} or {SEARCH}"
        )
    processes.warm_up()
    return task


def launch(task: SweepTask, job_overrides: Sequence[Sequence[str]]) -> list[JobReturn]:
    """Hydra's `Launcher.launch`: train the runs that the overrides name."""
    run_ids = [_value(overrides, "run_id") for overrides in job_overrides]
    sweep = LocalSweep(task, run_ids)
    sweep.run()
    return [_job_return(task, overrides) for overrides in job_overrides]


@dataclass
class IsolatedTask(SweepTask):
    """Trains in a process of its own, as our own launcher does: whatever happens is recorded."""

    def __call__(self, cfg: DictConfig) -> Result:
        return train_isolated(replace(self, out=cfg.out), cfg.run_id)


def train_isolated(task: SweepTask, run_id: str) -> Result:
    """In a cluster's job: one run on the devices that the scheduler has given to this job.

    Raises RuntimeError if it failed, Stopped if it was asked to stop.
    """
    prepare(task)
    if task.threads is None:
        cores = os.environ.get("SLURM_CPUS_PER_TASK") or os.environ.get("OMP_NUM_THREADS") or "1"
        task = replace(task, threads=int(cores))
    sweep = LocalSweep(task, [run_id])
    try:
        sweep.run()
    except KeyboardInterrupt:  # which would end this job without an answer
        raise stop.Stopped("was asked to stop") from None
    run = Run(task.out, run_id)
    result = run.read_result()
    if result is None:
        failure = run.read_failure() or {"error": "it ended without a result"}
        raise RuntimeError(failure["error"])
    return result


def _value(overrides: Sequence[str], name: str) -> str:
    return next(o.partition("=")[2] for o in overrides if o.startswith(f"{name}="))


def _job_return(task: SweepTask, overrides: Sequence[str]) -> JobReturn:
    run = Run(task.out, _value(overrides, "run_id"))
    done = JobReturn(overrides=overrides, task_name=run.id)
    result, failure = run.read_result(), run.read_failure()
    if result is not None:
        done.status, done.return_value = JobStatus.COMPLETED, result
    elif failure is not None:
        done.status, done.return_value = JobStatus.FAILED, RuntimeError(failure["error"])
    return done  # else unknown: it was not trained to its end
