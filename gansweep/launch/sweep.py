"""The runs of a sweep on this machine's slots: retried by cause, watched, stopped in good order."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from typing import Any, Protocol

from rich.live import Live

from gansweep.launch import processes
from gansweep.launch.child import Ended
from gansweep.launch.devices import find_devices
from gansweep.launch.pool import Job, Pool, Running
from gansweep.launch.progress import SweepProgress, render, run_progress
from gansweep.launch.stop_request import StopRequest
from gansweep.launch.task import PlannedRun, SweepTask
from gansweep.store.errors import FailedInOtherSweep, Held, UserError
from gansweep.store.estimate import LATEST, Cost, Estimates, cost_of, total_seconds
from gansweep.store.run import FAILED, Run
from gansweep.terminal.console import console
from gansweep.training import stop
from gansweep.training.job import cause_of, execute, one_line, record_failure, summary

RETRIES = 2  # of a run that was killed without having written a checkpoint meanwhile
TICK = 0.25  # seconds between two looks at what happens
LAST_WORDS = 20.0  # seconds for the checkpoints when this process has to end
LOOK = 2.0  # seconds between two looks at runs that another sweep trains


def train_run(out: str, run_id: str, title: str, planned: str, place: dict[str, Any]) -> list[str]:
    """In the job's process: train one run where it was given room. Returns what is to be told."""
    said: list[str] = []
    execute(Run(out, run_id), title, planned=planned, place=place, tell=said.append)
    return said


def make_pool(task: SweepTask) -> Pool:
    """The slots for a sweep: a core each on a CPU, or as the task says."""
    devices = find_devices(task.device)
    threads = task.threads or 1
    if task.threads is None and task.jobs_per_device is not None:
        threads = max(1, devices[0].cores // task.jobs_per_device)
    return Pool(devices, jobs_per_device=task.jobs_per_device, threads=threads)


def make_estimates(task: SweepTask, pool: Pool, latest: int = LATEST) -> Estimates:
    """What runs cost in these slots, by so many finished ones."""
    return Estimates(task.out, pool.devices[0].kind, pool.threads, latest)


class Feed(Protocol):
    """Where runs come from while a sweep goes on: a search."""

    def more(self) -> bool:
        """May there be another run?"""
        ...

    def next(self) -> PlannedRun | None:
        """A run for a slot that is free; None if there is none for now."""
        ...

    def ended(self, run_id: str, outcome: str) -> None:
        """A run is `done`, `failed`, `pruned` (as asked for) or `stopped` (with the sweep)."""
        ...

    def runs_to_prune(self) -> list[str]:
        """Return the ids of the running runs that are to be stopped."""
        ...

    def best(self) -> str:
        """A word for the live view."""
        ...


Work = Callable[[str, str, str, str, dict[str, Any]], list[str]]


class LocalSweep:
    """Trains runs that are planned; afterwards `outcomes` says of each what became of it.

    feed: runs that are planned on the way, as slots get free. work: what a job does.
    """

    def __init__(
        self,
        task: SweepTask,
        run_ids: Sequence[str],
        feed: Feed | None = None,
        work: Work = train_run,
    ) -> None:
        self.task = task
        self.feed = feed
        self.work = work
        self._pruned: set[str] = set()
        self.name = task.name
        self.pool = make_pool(task)
        # The only run takes a slot of its own whatever it costs, as those of clusters do.
        alone = feed is None and len(run_ids) == 1
        self.estimates = make_estimates(task, self.pool, 0 if alone else LATEST)
        self.outcomes: dict[str, str] = {}
        self.elsewhere: dict[str, Job] = {}
        self.fault: UserError | None = None
        self._asked = StopRequest()
        self._kills: dict[str, tuple[int, int]] = {}  # in a row, with the same checkpoint
        self._looked = time.monotonic()
        self._costs: dict[str, Cost] = {}
        self._alike: dict[Cost, list[tuple[Job, int]]] = defaultdict(list)
        self._titles = task.titles()
        for run_id in run_ids:
            self._submit(run_id)
        for cost in self._alike:
            self._estimate(cost)

    def _submit(self, run_id: str) -> None:
        run = Run(self.task.out, run_id)
        arguments = (self.task.out, run_id, self._title(run_id), self.task.planned)
        job = Job(run_id, self.work, arguments, log=run.log)
        record = run.read_config()
        steps = record["identity"]["steps"] if record else 0
        self._costs[run_id] = cost_of(record)
        self._alike[self._costs[run_id]].append((job, steps))
        self.pool.submit(job)

    def _take(self) -> None:
        """Runs of the feed for the slots that are free."""
        while self.feed is not None and not self.pool.stopping:
            if self.pool.waiting or len(self.pool.running) >= self.pool.most_jobs():
                return
            planned = self.feed.next()
            if planned is None:
                return
            self._titles[planned.run.id] = planned.title
            self._submit(planned.run.id)
            self._estimate(self._costs[planned.run.id])
            self.pool.start()  # it takes a slot, or its waiting keeps the next from being asked

    def _prune(self) -> None:
        for run_id in self.feed.runs_to_prune() if self.feed else ():
            for running in self.pool.running:
                if running.job.key == run_id:
                    self._pruned.add(run_id)
                    running.process.stop()

    def _busy(self) -> bool:
        if self.pool.waiting or self.pool.running or self.elsewhere:
            return True
        return self.feed is not None and not self.pool.stopping and self.feed.more()

    def _estimate(self, cost: Cost) -> None:
        """Tell the jobs of equal cost what the finished ones took."""
        memory = self.estimates.memory_mib(cost)
        alike = self._alike[cost]
        seconds = {s: self.estimates.seconds(cost, s) for s in {steps for _, steps in alike}}
        for job, steps in alike:
            job.seconds = seconds[steps]
            job.memory_mib = memory

    def _title(self, run_id: str) -> str:
        return self._titles.get(run_id, run_id)

    def run(self) -> None:
        """Train until everything has ended.

        Raises KeyboardInterrupt when asked to stop by Ctrl-C, SIGTERM or SIGHUP, UserError when
        the disk refuses to go on; what has ended by then is kept.
        """
        try:
            with self._asked.listening(), self._view() as view:
                while self._busy():
                    self._take()
                    over = self.pool.wait(TICK)
                    if self._asked.times and not self.pool.stopping:
                        console.print("stopping: running runs write a checkpoint (again: at once)")
                        self.pool.stop()
                    for running, ended in over:
                        self._handle(running, ended)
                    self._prune()
                    self._look_around()
                    processes.reap_strays({r.process.pid for r in self.pool.running})
                    if view is not None:
                        view.update(render(self.progress()), refresh=True)
                    if self.pool.stopping and not self.pool.running:
                        break
        except BaseException as error:
            if not isinstance(error, KeyboardInterrupt):  # a scheduler ends this process, or a bug
                self._checkpoint_all()
            self.pool.kill()
            raise
        finally:
            processes.shut_down()
        if self._asked.times:
            raise KeyboardInterrupt
        if self.fault is not None:
            raise self.fault

    def _checkpoint_all(self) -> None:
        self.pool.stop()
        deadline = time.monotonic() + LAST_WORDS
        while self.pool.running and time.monotonic() < deadline:
            self.pool.wait(TICK)

    def _view(self) -> Any:
        if not console.is_terminal:
            return nullcontext()
        return Live(console=console, auto_refresh=False, transient=True)

    def _handle(self, running: Running, ended: Ended) -> None:
        """What became of a job: an end, or another try."""
        job = running.job
        run = Run(self.task.out, job.key)
        title = self._title(run.id)
        error = ended.error
        if ended.returned or (error is None and run.complete()):
            lines = ended.result or [f"{title}  {summary(run.read_result())}"]
            for line in lines[:-1] if self.feed else lines:  # a feed says more in fewer words
                console.print(line)
            self._end(run, "done")
        elif isinstance(error, Held):
            self.elsewhere[run.id] = job
        elif isinstance(error, FailedInOtherSweep):
            self._failed(run, one_line(error), " in another sweep")
        elif isinstance(error, stop.Stopped) or (self.pool.stopping and error is None):
            if run.id in self._pruned:
                self._end(run, "pruned")
            elif self.pool.stopping:
                self._end(run, "stopped")
            else:  # somebody else asked it to stop: a scheduler, a person
                self._again(running, "was preempted")
        elif error is not None:
            self._raised(running, error)
        else:
            self._died(running, ended)

    def _raised(self, running: Running, error: BaseException) -> None:
        run = Run(self.task.out, running.job.key)
        cause = cause_of(error, run)
        if cause == "disk":
            assert isinstance(error, OSError)
            where = f"{error.filename}: " if error.filename else ""
            self.fault = UserError(
                f"{where}{error.strerror}: nothing more is started; mend it and type the command "
                "again, it goes on from the last checkpoints"
            )
            self._end(run, "stopped")
            self.pool.stop()
        elif cause == "out of memory" and not running.job.alone:
            running.job.alone = True
            with suppress(OSError, Held), run.owned():  # it is not yet the last word
                run.failure.unlink(missing_ok=True)
            self._again(running, "ran out of memory: once more, alone on its device")
        else:
            self._failed(run, one_line(error))

    def _died(self, running: Running, ended: Ended) -> None:
        """Its process ended without a word."""
        run = Run(self.task.out, running.job.key)
        how = ended.how()
        try:
            with run.owned():
                run.record("ended", cause="killed" if ended.killed else "crashed", why=how)
                written = _checkpointed(run)
                kills, before = self._kills.get(run.id, (0, 0))
                kills = kills + 1 if written == before else 1
                self._kills[run.id] = (kills, written)
                again = ended.killed and kills <= RETRIES
                if not again:
                    record_failure(run, "killed" if ended.killed else "crashed", how, "Died")
        except Held:
            self.elsewhere[run.id] = running.job
            return
        except OSError as error:
            self._raised(running, error)
            return
        running.job.alone |= ended.out_of_memory
        if again:
            self._again(running, how)
        else:
            self._failed(run, how)

    def _again(self, running: Running, why: str) -> None:
        console.print(f"{self._title(running.job.key)}  {why}; goes on")
        self.pool.submit(running.job, first=True)

    def _failed(self, run: Run, why: str, where: str = "") -> None:
        said = run.why_failed() if run.failed() else f"failed: {why}"
        console.print(f"{self._title(run.id)}  {said}{where}")
        self._end(run, "failed")
        if self.task.fail_fast and not self.pool.stopping:
            console.print("fail_fast: stopping the others, with checkpoints")
            self.pool.stop()

    def _end(self, run: Run, outcome: str) -> None:
        self.outcomes[run.id] = outcome
        if outcome == "done":
            self.estimates.learn(run)
            self._estimate(self._costs[run.id])
        if self.feed is not None:
            self.feed.ended(run.id, outcome)

    def _look_around(self) -> None:
        """The memory of what runs; what other sweeps have made of the runs that we share."""
        if time.monotonic() - self._looked < LOOK:
            return
        self._looked = time.monotonic()
        for running in self.pool.running:
            lines = Run(self.task.out, running.job.key).latest_metrics(1)
            if running.job.memory_mib is None and lines:
                for job, _ in self._alike[self._costs[running.job.key]]:
                    job.memory_mib = lines[-1].get("memory_mib")
        for run_id, job in list(self.elsewhere.items()):
            run = Run(self.task.out, run_id)
            status = run.status()
            if status == "running":
                continue
            del self.elsewhere[run_id]
            if status == "done" or status in FAILED:
                console.print(f"{self._title(run_id)}  {status} in another sweep")
                self._end(run, "done" if status == "done" else "failed")
            else:
                self.pool.submit(job, first=True)

    def progress(self) -> SweepProgress:
        """What the live view shows."""
        counts = list(self.outcomes.values())
        running = []
        devices = self.pool.devices
        order = sorted(
            self.pool.running, key=lambda r: (devices.index(r.place.device), r.place.slot)
        )
        for r in order:
            line = run_progress(Run(self.task.out, r.job.key), self._title(r.job.key))
            line.slot = r.place.describe()["slot"]  # its history may still tell of an earlier one
            running.append(line)
        left: list[float | None] = [line.seconds_left for line in running]
        waiting = [job.seconds for job in self.pool.waiting]
        whole = [s for s in (*(line.seconds_total for line in running), *waiting) if s is not None]
        left += waiting
        return SweepProgress(
            self.name,
            done=counts.count("done"),
            failed=counts.count("failed"),
            waiting=len(self.pool.waiting),
            running=running,
            in_other_sweeps=len(self.elsewhere),
            seconds_left=total_seconds(left, self.pool.most_jobs(), whole),
            note="stopping" if self.pool.stopping else self.feed.best() if self.feed else "",
        )


def _checkpointed(run: Run) -> int:
    """When its checkpoint was written; 0 if there is none."""
    with suppress(OSError):
        return run.last.stat().st_mtime_ns
    return 0
