"""The slots in which the runs of a sweep train on this machine."""

from __future__ import annotations

from gansweep.launch.devices import find_devices
from gansweep.launch.pool import Pool
from gansweep.launch.task import SweepTask
from gansweep.store.estimate import LATEST, Estimates


def make_pool(task: SweepTask) -> Pool:
    """Return the slots for a sweep: by default, one for each core on a CPU."""
    devices = find_devices(task.device)
    threads = task.threads or 1
    if task.threads is None and task.jobs_per_device is not None:
        threads = max(1, devices[0].cores // task.jobs_per_device)
    return Pool(
        devices, jobs_per_device=task.jobs_per_device, threads=threads, at_most=task.at_most
    )


def make_estimates(task: SweepTask, pool: Pool, latest: int = LATEST) -> Estimates:
    """Return the estimated costs of runs in these slots, from the `latest` finished runs."""
    return Estimates(task.out, pool.devices[0].kind, pool.threads, latest)
