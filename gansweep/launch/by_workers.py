"""Train a sweep by workers on a cluster: tell them what to do, submit them, and follow them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from omegaconf import OmegaConf

from gansweep.launch.follow import Workers, follow
from gansweep.launch.local import job_return, value_of
from gansweep.launch.ray_workers import RayWorkers
from gansweep.launch.slurm import SlurmWorkers
from gansweep.launch.task import SweepTask
from gansweep.store.errors import UserError
from gansweep.store.listing import begin_listing
from gansweep.store.manifest import read_manifest
from gansweep.store.run import Run
from gansweep.store.work import Work


def workers_for(task: Any, engine: str, settings: dict[str, Any]) -> Workers:
    """Return the workers for a sweep; nothing is started yet.

    engine: `slurm` or `ray`; settings: those of hydra.launcher. Raises UserError for a task of
    another program's sweeper, and for an invalid setting.
    """
    if not isinstance(task, SweepTask):
        raise UserError(f"slots={engine} trains only runs that gansweep's sweepers plan")
    plain: dict[str, Any] = {
        name: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        for name, value in settings.items()
    }
    if plain["workers"] < 1:
        raise UserError(f"workers={plain['workers']}: a sweep needs one worker or more")
    if engine == "ray":
        return RayWorkers(task.out, task.name, plain)
    return SlurmWorkers(task.out, task.name, plain)


def launch(
    task: SweepTask, job_overrides: Sequence[Sequence[str]], workers: Workers
) -> list[JobReturn]:
    """Train the runs that the overrides name by workers, as Hydra's `Launcher.launch`."""
    train(task, [value_of(overrides, "run_id") for overrides in job_overrides], workers)
    return [job_return(task, overrides) for overrides in job_overrides]


def train(task: SweepTask, run_ids: list[str], workers: Workers) -> None:
    """Train runs of a sweep, whose manifest is written, by workers, and follow them.

    Raises KeyboardInterrupt after Ctrl-C, while the workers go on, and after `gansweep stop`.
    """
    failed = [run for run_id in run_ids if (run := Run(task.out, run_id)).failed()]
    work = Work(
        jobs_per_device=task.jobs_per_device,
        threads=task.threads,
        device=task.device,
        fail_fast=task.fail_fast,
        retry={run.id: run.failed_at() for run in failed},
    )
    work.write(task.out, task.name)
    manifest = read_manifest(task.out, task.name)
    begin_listing(task.out, task.name, manifest.titles.keys() - set(run_ids))
    follow(manifest, task.out, run_ids, work, workers)
