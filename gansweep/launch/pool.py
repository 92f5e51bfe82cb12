"""A pool of slots: jobs wait in order, start where there is room, end one way or another.

It knows nothing of runs: a job is a function and its arguments. Nothing waits for a batch: a slot
that is free takes the next job.
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
    """`function(*arguments, place)` in a process of its own.

    seconds, memory_mib: what it will probably take, where that is known; alone: nothing else may
    run on its device meanwhile; log: where its output goes.
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
    """Where a job runs. slot: its number on its device; threads: CPU threads it may use."""

    slot: int
    device: Device
    threads: int

    def describe(self) -> dict[str, Any]:
        """For a run's history, and what the job is to use."""
        told = {"slot": f"{self.device.label}:{self.slot}", "threads": self.threads}
        # Where the driver tells of no GPU, torch may still know one.
        return told | ({"device": "cuda"} if self.device.kind == "cuda" else {})


@dataclass
class Running:
    """A job in its process."""

    job: Job
    place: Place
    process: Process

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.process.started


class Pool:
    """Slots on devices. jobs_per_device: a number, or None for as many as fit.

    threads: CPU threads of a job; on CPU cores a job takes as many cores.
    """

    def __init__(
        self, devices: Sequence[Device], *, jobs_per_device: int | None = None, threads: int = 1
    ) -> None:
        self.devices = list(devices)
        self.jobs_per_device = jobs_per_device
        self.threads = threads
        self.waiting: list[Job] = []
        self.running: list[Running] = []
        self.stopping = False

    def most_jobs(self) -> int:
        """Slots there can be at most."""
        return sum(self.jobs_per_device or d.most_jobs(self.threads) for d in self.devices)

    def submit(self, job: Job, *, first: bool = False) -> None:
        """Let the job wait for a slot, behind the others or before them."""
        self.waiting.insert(0 if first else len(self.waiting), job)

    def wait(self, seconds: float) -> list[tuple[Running, Ended]]:
        """Start what fits, then return what has ended, after at most so many seconds."""
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
        """Start nothing more; ask what runs to write a checkpoint and end."""
        self.stopping = True
        for running in self.running:
            running.process.stop()

    def kill(self) -> None:
        """End everything at once, and wait until it has."""
        self.stopping = True
        for running in self.running:
            running.process.kill()
        while self.running:
            self.wait(1)

    def start(self) -> None:
        """Start what fits."""
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
        """The first in line, unless a longer one would then end after all the others."""
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
        """The least busy device with room for the job."""
        fitting = [device for device in self.devices if self._fits(job, device)]
        return min(fitting, key=lambda d: len(self._on(d)), default=None)

    def _on(self, device: Device) -> list[Running]:
        return [r for r in self.running if r.place.device is device]

    def _fits(self, job: Job, device: Device) -> bool:
        there = self._on(device)
        if not there:
            return True
        if job.alone or any(r.job.alone for r in there):
            return False
        if self.jobs_per_device is not None:
            return len(there) < self.jobs_per_device
        if len(there) >= device.most_jobs(self.threads):
            return False
        needs = [device.need(j.memory_mib) for j in (job, *(r.job for r in there))]
        known = [need for need in needs if need is not None]
        return len(known) == len(needs) and sum(known) <= HEADROOM * device.free_mib
