"""A worker: it trains run after run of a sweep that other workers, on any machine, train too.

There is no master: a run belongs to the worker that holds its folder (store/lease.py). A worker may
join and leave at any time.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
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
from gansweep.launch.stop_request import WARNING
from gansweep.launch.sweep import LocalSweep
from gansweep.launch.task import PlannedRun, SweepTask
from gansweep.store import lease
from gansweep.store.errors import Held, UserError
from gansweep.store.listing import BEGUN, ENDED, FREE, Listing
from gansweep.store.manifest import Manifest, read_manifest
from gansweep.store.run import FAILED, Run
from gansweep.store.work import Work, read_work, stop_asked
from gansweep.terminal.console import console
from gansweep.training.job import finished, record_failure

UNFINISHED = 75  # exit code of a worker that left early: EX_TEMPFAIL, try again later
MARGIN = 120.0  # seconds before the end of --hours at which the runs write their checkpoints
PATIENCE = 1.5  # leases for which a worker without a run waits for runs of dead workers
LOOK = 2.0  # seconds to the next look for a free run, twice as long after each one in vain
LOOKS = 8  # runs of other workers that one look looks at
NEVER = "0"  # sorts before every time: a run that fails meanwhile is not trained again


class Queue:
    """The feed of a worker's slots: the runs of a sweep that are not finished and that nobody has.

    Each worker has an order of its own, so that few workers want the same run. The listing of the
    sweep says which runs the other workers have begun or ended: those that were begun come last,
    for the case that their worker has died, and those that have ended are looked at only if there
    are few others. A worker looks at LOOKS runs that it cannot have, then pauses, longer and
    longer. It leaves when it has found no free run for PATIENCE leases: by then, runs of dead
    workers have become free.
    """

    def __init__(self, out: str | Path, manifest: Manifest, work: Work) -> None:
        self.out = out
        self.work = work
        self.titles = dict(manifest.titles)
        ids = [run_id for run_id in self.titles if run_id not in manifest.pruned]
        self._open = dict.fromkeys(random.sample(ids, len(ids)))
        self._unseen: list[str] = []  # runs that have ended only according to the listing
        self.listing = Listing(out, manifest.name)
        self._mine: set[str] = set()
        self._next_look = 0.0
        self._pause = 0.0  # seconds after the last look, 0 if it has found a run
        self._idle_since = math.inf  # until the first look

    def more(self) -> bool:
        """Return whether a run may be free, now or soon."""
        idle = time.monotonic() - self._idle_since
        return bool(self._open or self._unseen) and idle < PATIENCE * lease.seconds()

    def next(self) -> PlannedRun | None:
        """Return a free run, or None if there is none at present."""
        now = time.monotonic()
        if now < self._next_look:
            return None
        self._idle_since = min(self._idle_since, now)
        planned = self._look()
        now = time.monotonic()
        if planned is None:
            self._pause = max(self._shortest(), min(2 * self._pause, lease.seconds() / 3))
            self._next_look = now + self._pause * random.uniform(0.8, 1)
        else:
            self._mine.add(planned.run.id)
            self.listing.tell(BEGUN, planned.run.id)
            self._pause, self._idle_since = 0.0, now
        return planned

    def _shortest(self) -> float:
        """Return the shortest pause between two looks, in seconds."""
        return min(LOOK, lease.seconds() / lease.BEATS)

    def _look(self) -> PlannedRun | None:
        """Look for a free run, until LOOKS runs were those of other workers."""
        taken: set[str] = set()
        while candidates := self._candidates(taken):
            for run_id in candidates:
                planned = self._free(run_id)
                if planned is not None:
                    return planned
                if run_id in self._open:
                    taken.add(run_id)
                    if run_id not in self.listing.begun:
                        self.listing.tell(BEGUN, run_id)
            self.listing.write()  # workers that begin together share the looks at finished runs
        for _ in range(min(LOOKS - len(taken), len(self._unseen))):
            run_id = self._unseen.pop(random.randrange(len(self._unseen)))
            self._open[run_id] = None
            planned = self._free(run_id)
            if planned is not None:
                return planned
        if not taken:  # nothing is left to wait for, so that the listing is believed
            self._unseen.clear()
        return None

    def _candidates(self, taken: set[str]) -> list[str]:
        """Return the runs to look at next: those that nobody has begun, then the others."""
        for run_id in self.listing.read():
            if run_id in self.listing.ended and run_id in self._open and run_id not in self._mine:
                del self._open[run_id]
                self._unseen.append(run_id)
        own, begun = taken | self._mine, self.listing.begun
        first = (run_id for run_id in self._open if run_id not in begun and run_id not in own)
        last = (run_id for run_id in self._open if run_id in begun and run_id not in own)
        return list(itertools.islice(itertools.chain(first, last), LOOKS - len(taken)))

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
            self._forget(run_id)
            return None
        if status in FAILED and self.work.retry.get(run_id) != failed_at:
            self._forget(run_id)
            return None
        lease.clear(run.folder)
        return PlannedRun(run, self.titles[run_id], planned=failed_at or NEVER)

    def _forget(self, run_id: str) -> None:
        """Forget a run that has ended, and tell the other workers if they do not know it."""
        self._open.pop(run_id, None)
        if run_id not in self.listing.ended:
            self.listing.tell(ENDED, run_id)

    def ended(self, run_id: str, outcome: str) -> None:
        """Receive the outcome of a run; one that another worker holds may become free again."""
        self._mine.discard(run_id)
        if outcome == "held":
            self._next_look = time.monotonic() + self._shortest()
            return
        self._idle_since = time.monotonic()
        if outcome in ("done", "failed"):
            self._forget(run_id)
        else:
            self.listing.tell(FREE, run_id)
            self._open.pop(run_id, None)

    def runs_to_prune(self) -> list[str]:
        """Return no runs: only searches prune. Runs train meanwhile, so the listing can wait."""
        self.listing.write()
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
        """Handle WARNING: stop as SIGTERM does, or by KeyboardInterrupt if nothing is trained."""
        again, self.in_time = self.in_time, True
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            os.kill(os.getpid(), signal.SIGTERM)
        elif not again:
            raise KeyboardInterrupt

    def hear(self) -> None:
        """Receive WARNING from now on, with which a job of Slurm starts blocked (slurm.py)."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {WARNING})


@contextmanager
def limited(hours: float | None) -> Iterator[Leaving]:
    """Stop this process shortly before `hours` are over, or at Slurm's warning."""
    leaving = Leaving()
    before = signal.signal(WARNING, leaving.leave)
    timer = None
    if hours is not None:
        seconds = hours * 3600
        warn = functools.partial(os.kill, os.getpid(), WARNING)
        timer = threading.Timer(max(seconds - MARGIN, seconds / 2), warn)
        timer.daemon = True
        timer.start()
    try:
        yield leaving
    finally:
        if timer is not None:
            timer.cancel()
        signal.signal(WARNING, before)


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
    finally:
        queue.listing.write()
    outcomes = list(sweep.outcomes.values())
    console.print(
        f"no run of sweep {name} is free: this worker has trained {outcomes.count('done')}"
    )
    return False
