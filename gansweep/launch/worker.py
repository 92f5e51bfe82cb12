"""A worker: it trains run after run of a sweep that other workers, on any machine, train too.

There is no master: a run belongs to the worker that holds its folder (store/lease.py). A worker may
join and leave at any time.
"""

from __future__ import annotations

import dataclasses
import math
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from gansweep.launch import processes
from gansweep.launch.retry import RETRIES, lost_attempts
from gansweep.launch.sweep import LocalSweep
from gansweep.launch.task import PlannedRun, SweepTask
from gansweep.store import lease
from gansweep.store.errors import Held, UserError
from gansweep.store.manifest import Manifest, read_manifest
from gansweep.store.run import FAILED, Run
from gansweep.store.work import Work, read_work, stop_asked
from gansweep.terminal.console import console, fitted
from gansweep.training.job import finished, record_failure
from gansweep.training.summary import summary

UNFINISHED = 75  # exit code of a worker that left early: EX_TEMPFAIL, try again later
MARGIN = 120.0  # seconds before the end of --hours at which the runs write their checkpoints
PATIENCE = 1.5  # leases for which a worker without a run waits for runs of dead workers
LOOK = 2.0  # seconds between two looks for a free run
NEVER = "0"  # sorts before every time: a run that fails meanwhile is not trained again


class Queue:
    """The feed of a worker's slots: the runs of a sweep that are not finished and that nobody has.

    A worker begins at a random row, so that few workers want the same run. It leaves when it has
    found no free run for PATIENCE leases: by then, runs of dead workers have become free.
    """

    def __init__(self, out: str | Path, manifest: Manifest, work: Work) -> None:
        self.out = out
        self.work = work
        self.titles = dict(manifest.titles)
        ids = [run_id for run_id in self.titles if run_id not in manifest.pruned]
        first = random.randrange(len(ids)) if ids else 0
        self._open = ids[first:] + ids[:first]
        self._mine: set[str] = set()
        self._looked = time.monotonic()
        self._idle_since = math.inf  # until the first look
        self._found = True  # whether the last look has found a run

    def more(self) -> bool:
        """Return whether a run may be free, now or soon."""
        return bool(self._open) and time.monotonic() - self._idle_since < PATIENCE * lease.seconds()

    def next(self) -> PlannedRun | None:
        """Return a free run, or None if there is none at present."""
        now = time.monotonic()
        if not self._found and now - self._looked < min(LOOK, lease.seconds() / lease.BEATS):
            return None
        self._looked = now
        self._idle_since = min(self._idle_since, now)
        for run_id in list(self._open):
            planned = None if run_id in self._mine else self._free(run_id)
            if planned is not None:
                self._mine.add(run_id)
                self._found, self._idle_since = True, now
                return planned
        self._found = False
        return None

    def _free(self, run_id: str) -> PlannedRun | None:
        """Return the run if it is free. Runs that are finished are forgotten."""
        run = Run(self.out, run_id)
        status = run.status()
        failed_at = ""
        if status in FAILED:
            failed_at = run.failed_at()
        elif status == "interrupted" and lost_attempts(run.read_history()) > RETRIES:
            why = "its machine ended several times while it was trained"
            with suppress(Held), run.owned():
                record_failure(run, "killed", why, "Died")
                run.record("ended", cause="killed", why=why)
                console.print(f"{self.titles[run_id]}  failed: {why}")
            return None
        if status == "running":
            return None
        if status == "done" and finished(run):
            self._open.remove(run_id)
            return None
        if status in FAILED and self.work.retry.get(run_id) != failed_at:
            self._open.remove(run_id)
            return None
        lease.clear(run.folder)
        return PlannedRun(run, self.titles[run_id], planned=failed_at or NEVER)

    def ended(self, run_id: str, outcome: str) -> None:
        """Receive the outcome of a run; one that another worker holds may become free again."""
        self._mine.discard(run_id)
        if outcome == "held":
            self._found = False  # the next look has time
            return
        self._idle_since = time.monotonic()
        if run_id in self._open:
            self._open.remove(run_id)
        if outcome == "done":
            result = Run(self.out, run_id).read_result()
            console.print(fitted(f"{self.titles[run_id]}  {summary(result)}"))

    def runs_to_prune(self) -> list[str]:
        """Return no runs: only searches prune."""
        return []

    def best(self) -> str:
        """Return no text for the live view."""
        return ""


def node() -> str:
    """Return the name of this machine for people, that of Slurm's node in a job."""
    return os.environ.get("SLURMD_NODENAME") or socket.gethostname()


class Leaving:
    """Tells why a worker leaves. in_time: whether its time is nearly over."""

    def __init__(self) -> None:
        self.in_time = False

    def leave(self, *_: int | FrameType | None) -> None:
        """Stop this process as SIGTERM does, as its time is nearly over."""
        self.in_time = True
        os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def limited(hours: float | None) -> Iterator[Leaving]:
    """Stop this process shortly before `hours` are over, or at Slurm's warning, SIGUSR2."""
    leaving = Leaving()
    before = signal.signal(signal.SIGUSR2, leaving.leave)
    timer = None
    if hours is not None:
        seconds = hours * 3600
        timer = threading.Timer(max(seconds - MARGIN, seconds / 2), leaving.leave)
        timer.daemon = True
        timer.start()
    try:
        yield leaving
    finally:
        if timer is not None:
            timer.cancel()
        signal.signal(signal.SIGUSR2, before)


def check_not_stopped(out: str | Path, name: str) -> None:
    """Raise UserError if the sweep was asked to stop."""
    if stop_asked(out, name):
        raise UserError(
            f"sweep {name} was stopped: gansweep resume {name} continues it, and "
            f"gansweep stop {name} --withdraw lets workers join again"
        )


def work_on(out: str | Path, name: str) -> bool:
    """Train free runs of a sweep until none is left. Returns whether it was ended before.

    Raises UserError for an unknown sweep or an error of the disk.
    """
    manifest, work = read_manifest(out, name), read_work(out, name)
    processes.warm_up()
    task = SweepTask(
        name=name,
        out=str(out),
        planned=NEVER,
        jobs_per_device=work.jobs_per_device,
        fail_fast=work.fail_fast,
        device=work.device,
        threads=work.threads,
    )
    queue = Queue(out, manifest, work)
    sweep = LocalSweep(task, [], feed=queue, waits=False)
    devices = sweep.pool.devices
    sweep.pool.devices = [dataclasses.replace(d, label=f"{node()}/{d.label}") for d in devices]
    slots = sweep.pool.most_jobs()
    console.print(f"worker of sweep {name} on {node()}: {slots} slot{'s' if slots > 1 else ''}")
    try:
        sweep.run()
    except KeyboardInterrupt:
        return True
    outcomes = list(sweep.outcomes.values())
    console.print(
        f"no run of sweep {name} is free: this worker has trained {outcomes.count('done')}"
    )
    return False
