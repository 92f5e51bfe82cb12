"""Train the missing runs of a command that repeats rows of sweeps: confirm, extend, versus."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gansweep.config import Config
from gansweep.launch.follow import Workers
from gansweep.launch.task import PlannedRun, SweepTask
from gansweep.store.manifest import Manifest
from gansweep.store.run import now
from gansweep.store.work import withdraw_stop
from gansweep.terminal.console import console

RETRY = "retry=failed"
PLAN = "plan=true"


def missing_runs(jobs: Sequence[PlannedRun], *, retry: bool) -> tuple[list[PlannedRun], str]:
    """Return the runs to train, and the counts of all runs in words.

    retry: whether runs that have failed before are trained again.
    """
    missing = [job for job in jobs if not job.complete()]
    todo = [job for job in missing if retry or not job.run.failed()]
    failed = len(missing) - len(todo)
    left = f", {failed} failed before ({RETRY} trains them again)" if failed else ""
    return todo, f"{len(jobs) - len(missing)} done{left}, {len(todo)} to train"


def train(
    manifest: Manifest,
    todo: Sequence[PlannedRun],
    config: Config,
    workers_of: Callable[[SweepTask], Workers | None] | None = None,
) -> bool:
    """Write the manifest and train runs. Returns whether the training was interrupted.

    config: that of a run, for the output folder, the device and the threads; workers_of: see
    slots.py.
    """
    from gansweep.launch import by_workers
    from gansweep.launch.local import prepare
    from gansweep.launch.sweep import LocalSweep

    task = SweepTask(
        name=manifest.name,
        out=config.out,
        planned=now(),
        device=config.device,
        threads=config.threads,
    )
    workers = workers_of(task) if workers_of else None
    manifest.write(config.out)
    if not todo:
        return False
    withdraw_stop(config.out, manifest.name)
    run_ids = [job.run.id for job in todo]
    try:
        if workers is not None:
            by_workers.train(task, run_ids, workers)
        else:
            prepare(task)
            LocalSweep(task, run_ids, total=len(manifest.titles)).run()
    except KeyboardInterrupt:
        console.print("\ninterrupted: finished runs are kept; to resume, repeat the command")
        return True
    return False
