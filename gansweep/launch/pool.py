"""A pool of slots, which starts waiting jobs in order as soon as a device has room for them.

A job is a function and its arguments; this module does not depend on runs. Jobs are not grouped in
batches: a free slot takes the next job.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from gansweep.launch.child import Ended
from gansweep.launch.devices import HEADROOM, Device
from gansweep.launch.processes import Process, keep_warm


@dataclass
class Job:
    """A call `function(*arguments, place)` in a separate process.

    key: the name of the job; log: the file of its output; seconds, memory_mib: its estimated time
    and peak memory, or None if they are unknown; alone: whether it needs a device for itself.
    """

    key: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    log: Path | None = None
    seconds: float | None = None
    memory_mib: int | None = None
    alone: bool = False


@dataclass
class Place:
    """The place of a job. slot: its number on the device; threads: its number of CPU threads."""

    slot: int
    device: Device
    threads: int

    def describe(self) -> dict[str, Any]:
        """Return the place as the job's last argument, in the form of a run's history."""
        place = {"slot": f"{self.device.label}:{self.slot}", "threads": self.threads}
        # The device `cpu` is left out: torch may find a GPU that the driver does not list.
        return place | ({"device": "cuda"} if self.device.kind == "cuda" else {})


@dataclass
class Running:
    """A running job."""

    job: Job
    place: Place
    process: Process

    @property
    def elapsed(self) -> float:
        """The seconds since the job was started."""
        return time.monotonic() - self.process.started


class Pool:
    """The slots of several devices, and the jobs that wait for them or run in them.

    jobs_per_device: the number of slots on a device, or None for as many as fit; at_most: a limit
    for as many as fit; threads: the CPU threads of a job, and the CPU cores of a job that trains on
    the CPU.
    """

    def __init__(
        self,
        devices: Sequence[Device],
        *,
        jobs_per_device: int | None = None,
        threads: int = 1,
        at_most: int | None = None,
    ) -> None:
        self.devices = list(devices)
        self.jobs_per_device = jobs_per_device
        self.threads = threads
        self.at_most = at_most
        self.waiting: list[Job] = []
        self.running: list[Running] = []
        self.stopping = False

    def most_jobs(self) -> int:
        """Return the greatest possible number of slots."""
        return sum(self.jobs_per_device or self._most(device) for device in self.devices)

    def _most(self, device: Device) -> int:
        """Return how many jobs run at a time on a device if memory suffices."""
        most = device.most_jobs(self.threads)
        return most if self.at_most is None else min(most, self.at_most)

    def submit(self, job: Job, *, first: bool = False) -> None:
        """Add a job at the end of the queue, or at its start if `first` is set."""
        self.waiting.insert(0 if first else len(self.waiting), job)

    def wait(self, seconds: float) -> list[tuple[Running, Ended]]:
        """Start the jobs that fit, and wait for at most `seconds`. Returns the jobs that ended."""
        if not self.stopping:
            keep_warm()
        self.start()
        connections = [r.process.connection for r in self.running]
        if connections:
            wait(connections, seconds)
        else:
            time.sleep(0 if self.waiting else seconds)
        ended = []
        for running in list(self.running):
            how = running.process.ended()
            if how is not None:
                self.running.remove(running)
                ended.append((running, how))
        return ended

    def stop(self) -> None:
        """Start no more jobs, and ask the running jobs to write a checkpoint and end."""
        self.stopping = True
        for running in self.running:
            running.process.stop()

    def kill(self) -> None:
        """Kill all running jobs, and wait for their ends."""
        self.stopping = True
        for running in self.running:
            running.process.kill()
        while self.running:
            self.wait(1)

    def start(self) -> None:
        """Start waiting jobs while there is room for the next one."""
        while self.waiting and not self.stopping:
            job = self._next()
            device = self._room_for(job)
            if device is None:
                return
            self.waiting.remove(job)
            taken = {r.place.slot for r in self._on(device)}
            slot = min(set(range(len(taken) + 1)) - taken)
            place = Place(slot, device, self.threads)
            process = Process(
                job.function,
                (*job.arguments, place.describe()),
                log=job.log,
                environment=device.environment(),
            )
            self.running.append(Running(job, place, process))

    def _next(self) -> Job:
        """Return the first waiting job, or the longest one if it would otherwise end last."""
        first = self.waiting[0]
        known = [job for job in self.waiting if job.seconds is not None]
        if len(known) < 2 or first.alone:
            return first
        longest = max(known, key=lambda job: job.seconds or 0)
        assert longest.seconds is not None
        others = sum(job.seconds or 0 for job in known) - longest.seconds
        others += sum(max(0.0, (r.job.seconds or 0) - r.elapsed) for r in self.running)
        return longest if longest.seconds > others / self.most_jobs() else first

    def _room_for(self, job: Job) -> Device | None:
        """Return the device with the fewest jobs that has room for the job, or None."""
        fitting = [device for device in self.devices if self._fits(job, device)]
        return min(fitting, key=lambda d: len(self._on(d)), default=None)

    def _on(self, device: Device) -> list[Running]:
        """Return the running jobs of a device."""
        return [r for r in self.running if r.place.device is device]

    def _fits(self, job: Job, device: Device) -> bool:
        """Return whether a device has room for a job. An empty device always has."""
        running = self._on(device)
        if not running:
            return True
        if job.alone or any(r.job.alone for r in running):
            return False
        if self.jobs_per_device is not None:
            return len(running) < self.jobs_per_device
        if len(running) >= self._most(device):
            return False
        needs = [device.need(j.memory_mib) for j in (job, *(r.job for r in running))]
        known = [need for need in needs if need is not None]
        return len(known) == len(needs) and sum(known) <= HEADROOM * device.free_mib
