"""Train the runs of a sweep in the slots of this machine, with retries and a live view."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from typing import Any, Protocol

from gansweep.launch import processes
from gansweep.launch.child import Ended
from gansweep.launch.ends import RETRIED, cause_of_end, checkpointed
from gansweep.launch.pool import Job, Running
from gansweep.launch.progress import SweepProgress, render, run_progress
from gansweep.launch.retry import Action, decide
from gansweep.launch.slots import make_estimates, make_pool
from gansweep.launch.stop_request import StopRequest
from gansweep.launch.task import PlannedRun, SweepTask
from gansweep.store import lease
from gansweep.store.errors import Held, UserError
from gansweep.store.estimate import LATEST, Cost, cost_of, total_seconds
from gansweep.store.run import FAILED, Run
from gansweep.store.work import ask_to_stop, stop_asked
from gansweep.terminal.console import console, fitted
from gansweep.terminal.live import LiveView
from gansweep.training.job import cause_of, execute, one_line, record_failure
from gansweep.training.summary import summary

TICK = 0.25  # seconds between two checks of the running jobs
CHECKPOINT_SECONDS = 20.0  # time for the checkpoints when this process has to end
POLL_SECONDS = 2.0  # time between two reads of the runs' files
STOPPING = "stopping: running runs write a checkpoint (press Ctrl-C again to stop at once)"


def train_run(out: str, run_id: str, title: str, planned: str, place: dict[str, Any]) -> list[str]:
    """Train one run in the job's process. Returns the lines to print.

    place: see `Place.describe`. The other arguments and the exceptions are those of `execute`.
    """
    lines: list[str] = []
    execute(Run(out, run_id), title, planned=planned, place=place, tell=lines.append)
    return lines


class Feed(Protocol):
    """A source of further runs during a sweep, such as a search."""

    def more(self) -> bool:
        """Return whether there may be another run, now or later."""
        ...

    def next(self) -> PlannedRun | None:
        """Return a run for a free slot, or None if there is none at present."""
        ...

    def ended(self, run_id: str, outcome: str) -> None:
        """Receive the outcome of a run.

        It is `done`, `failed`, `pruned`, `stopped` with the sweep, or `held` by another process.
        """
        ...

    def runs_to_prune(self) -> list[str]:
        """Return the ids of the running runs to stop."""
        ...

    def best(self) -> str:
        """Return a text for the live view, such as the best value so far."""
        ...


# The type of `train_run`.
Work = Callable[[str, str, str, str, dict[str, Any]], list[str]]


class LocalSweep:
    """Trains planned runs, and keeps the outcome of each run that ended (see `Feed.ended`).

    feed: the source of runs that are planned whenever a slot is free; work: the function of a job;
    total: the number of runs in the sweep, for the counter of ended runs (0: no counter); waits:
    whether to wait for runs that another process trains, in case it does not finish them.
    """

    def __init__(
        self,
        task: SweepTask,
        run_ids: Sequence[str],
        feed: Feed | None = None,
        work: Work = train_run,
        total: int = 0,
        waits: bool = True,
    ) -> None:
        self.task = task
        self.feed = feed
        self.work = work
        self.waits = waits
        self._pruned: set[str] = set()
        self.name = task.name
        self.pool = make_pool(task)
        # A single run, such as that of a cluster's job, needs no estimate of its cost. Workers
        # learn from their own runs, as hundreds would read those of all.
        alone = (feed is None and len(run_ids) == 1) or not waits
        self.estimates = make_estimates(task, self.pool, 0 if alone else LATEST)
        self.outcomes: dict[str, str] = {}
        self.in_other_sweeps: dict[str, Job] = {}
        self.fault: UserError | None = None
        self.stop_asked = False  # by `gansweep stop`
        self._stop_request = StopRequest()
        self._kills: dict[str, tuple[int, int]] = {}  # count with the same checkpoint, its time
        self._polled = time.monotonic()
        self._costs: dict[str, Cost] = {}
        self._alike: dict[Cost, list[tuple[Job, int]]] = defaultdict(list)
        self._titles = task.titles() if waits else {}  # a worker's queue has them
        self._total, self._ended = total, total - len(run_ids)
        for run_id in run_ids:
            self._submit(run_id)
        for cost in self._alike:
            self._estimate(cost)

    def _submit(self, run_id: str, planned: str = "") -> None:
        """Add a run to the queue of the pool. planned: when, if not with the sweep."""
        run = Run(self.task.out, run_id)
        arguments = (self.task.out, run_id, self._title(run_id), planned or self.task.planned)
        job = Job(run_id, self.work, arguments, log=run.log)
        # A worker's only slot takes any run, whatever it costs.
        record = run.read_config() if self.waits or self.pool.most_jobs() > 1 else None
        steps = record["identity"]["steps"] or 0 if record else 0
        self._costs[run_id] = cost_of(record)
        self._alike[self._costs[run_id]].append((job, steps))
        self.pool.submit(job)

    def _take(self) -> None:
        """Start runs of the feed in the free slots."""
        while self.feed is not None and not self.pool.stopping:
            if self.pool.waiting or len(self.pool.running) >= self.pool.most_jobs():
                return
            planned = self.feed.next()
            if planned is None:
                return
            self._titles[planned.run.id] = planned.title
            self._submit(planned.run.id, planned.planned)
            self._estimate(self._costs[planned.run.id])
            self.pool.start()  # if the run has to wait for a slot, the loop ends

    def _prune(self) -> None:
        """Ask the runs to stop that the feed prunes."""
        for run_id in self.feed.runs_to_prune() if self.feed else ():
            for running in self.pool.running:
                if running.job.key == run_id:
                    self._pruned.add(run_id)
                    running.process.stop()

    def _busy(self) -> bool:
        """Return whether runs are waiting, running or still to come."""
        if self.pool.waiting or self.pool.running or self.in_other_sweeps:
            return True
        return self.feed is not None and not self.pool.stopping and self.feed.more()

    def _estimate(self, cost: Cost) -> None:
        """Update the estimated time and memory of the jobs of equal cost."""
        memory = self.estimates.memory_mib(cost)
        alike = self._alike[cost]
        seconds = {s: self.estimates.seconds(cost, s) for s in {steps for _, steps in alike}}
        for job, steps in alike:
            job.seconds = seconds[steps]
            job.memory_mib = memory

    def _title(self, run_id: str) -> str:
        return self._titles.get(run_id, run_id)

    def run(self) -> None:
        """Train until all runs have ended.

        Raises KeyboardInterrupt after Ctrl-C, SIGTERM or SIGHUP, and UserError after an error of
        the disk. Finished runs and checkpoints are kept.
        """
        try:
            with self._stop_request.listening(), self._view() as view:
                while self._busy():
                    self._take()
                    finished = self.pool.wait(TICK)
                    if not self.pool.stopping:
                        self._stop_if_asked()
                    self._prune()
                    self._poll_files()
                    for running, ended in finished:
                        self._handle(running, ended)
                    processes.reap_strays({r.process.pid for r in self.pool.running})
                    if view is not None:
                        view.show(render(self.progress()))
                    if self.pool.stopping and not self.pool.running:
                        break
        except BaseException as error:
            if not isinstance(error, KeyboardInterrupt):  # SystemExit or a bug
                self._checkpoint_all()
            self.pool.kill()
            raise
        finally:
            processes.shut_down()
        if self._stop_request.times or self.stop_asked:
            raise KeyboardInterrupt
        if self.fault is not None:
            raise self.fault

    def _stop_if_asked(self) -> None:
        """Stop all runs after a signal or `gansweep stop`."""
        if self._stop_request.times:
            console.print(STOPPING)
        elif self.stop_asked:
            console.print("gansweep stop: running runs write a checkpoint and end")
        else:
            return
        self.pool.stop()

    def _checkpoint_all(self) -> None:
        """Stop all runs, and wait for their checkpoints for CHECKPOINT_SECONDS at most."""
        self.pool.stop()
        deadline = time.monotonic() + CHECKPOINT_SECONDS
        while self.pool.running and time.monotonic() < deadline:
            self.pool.wait(TICK)

    def _view(self) -> Any:
        """Return the live view, or a context of None if the console is no terminal."""
        if not console.is_terminal or console.quiet:
            return nullcontext()
        return LiveView()

    def _handle(self, running: Running, ended: Ended) -> None:
        """Do what the policy decides about a job that has ended; see retry.py."""
        run = Run(self.task.out, running.job.key)
        cause, why = cause_of_end(ended, run, self.pool.stopping)
        action = self._decide(running, run, cause)
        if ended.error is None and cause in ("killed", "crashed"):
            running.job.alone |= ended.out_of_memory
            try:
                with run.owned():
                    run.record("ended", cause=cause, why=why)
                    if action is Action.FAIL:
                        record_failure(run, cause, why, "Died")
            except Held:
                action = Action.WAIT
            except OSError as error:
                ended.error = error
                cause, why = cause_of(error, run), one_line(error)
                action = self._decide(running, run, cause)
        if action is Action.DONE:
            lines = ended.result or [f"{self._title(run.id)}  {summary(run.read_result())}"]
            for line in lines[:-1]:
                console.print(line)
            if self.feed is None or not self.waits:  # a search prints its own last line
                console.print(fitted(f"{self._counter()}{lines[-1]}"))
            self._end(run, "done")
        elif action is Action.WAIT and self.waits:
            self.in_other_sweeps[run.id] = running.job
        elif action in (Action.WAIT, Action.PRUNE, Action.STOP):
            self._end(run, action.value)
        elif action is Action.HALT:
            self._halt(run, ended.error)
        elif action is Action.FAIL:
            elsewhere = " in another sweep" if cause == "failed elsewhere" else ""
            self._failed(run, why, elsewhere)
        else:
            if ended.error is not None and cause != "stopped":
                self._forget_failure(run)
            running.job.alone |= action is Action.RETRY_ALONE
            self._retry(running, why, RETRIED.get(cause if ended.error else "", "resumes"))

    def _decide(self, running: Running, run: Run, cause: str) -> Action:
        """Return what follows the end of a job."""
        return decide(
            cause,
            stopping=self.pool.stopping,
            pruned=run.id in self._pruned,
            alone=running.job.alone,
            kills=self._count_kill(run) if cause == "killed" else 0,
        )

    def _halt(self, run: Run, error: BaseException | None) -> None:
        """Stop the sweep, as a disk refuses to write."""
        assert isinstance(error, OSError)
        where = f"{error.filename}: " if error.filename else ""
        self.fault = UserError(
            f"{where}{error.strerror}: no more runs are started; correct the error and repeat "
            "the command, which resumes from the last checkpoints"
        )
        self._end(run, "stopped")
        self.pool.stop()

    def _forget_failure(self, run: Run) -> None:
        """Remove the record of a failure that is not final."""
        with suppress(OSError, Held), run.owned():
            run.failure.unlink(missing_ok=True)

    def _count_kill(self, run: Run) -> int:
        """Return how often a run was killed, this time included, without a new checkpoint."""
        written = checkpointed(run)
        kills, before = self._kills.get(run.id, (0, 0))
        kills = kills + 1 if written == before else 1
        self._kills[run.id] = (kills, written)
        return kills

    def _retry(self, running: Running, why: str, action: str) -> None:
        """Submit a job again, before the waiting ones."""
        console.print(f"{self._title(running.job.key)}  {why}; {action}")
        self.pool.submit(running.job, first=True)

    def _failed(self, run: Run, why: str, where: str = "") -> None:
        """Print why a run has failed, and record that."""
        reason = run.why_failed() if run.failed() else f"failed: {why}"
        console.print(f"{self._counter()}{self._title(run.id)}  {reason}{where}")
        self._end(run, "failed")
        if self.task.fail_fast and not self.pool.stopping:
            console.print("fail_fast: stopping the other runs, which write checkpoints")
            if self.feed is not None:  # other workers stop too
                ask_to_stop(self.task.out, self.name)
            self.pool.stop()

    def _counter(self) -> str:
        """Count one more ended run of the sweep. Returns `[ 7/12] `, or "" without a counter."""
        self._ended += 1
        number = f"{self._ended:>{len(str(self._total))}}/{self._total}"
        return f"[{number}] " if self._total else ""

    def _end(self, run: Run, outcome: str) -> None:
        """Record the outcome of a run."""
        self.outcomes[run.id] = outcome
        if outcome == "done" and self.waits:
            self.estimates.learn(run)
            self._estimate(self._costs[run.id])
        if self.feed is not None:
            self.feed.ended(run.id, outcome)

    def _poll_files(self) -> None:
        """Read the memory of running runs, and the outcomes of runs that other sweeps train."""
        beat = lease.seconds() / lease.BEATS
        if time.monotonic() - self._polled < (min(POLL_SECONDS, beat) if self.waits else beat):
            return  # hundreds of workers ask their file server less often
        self._polled = time.monotonic()
        self.stop_asked = stop_asked(self.task.out, self.name)
        for running in self.pool.running:
            run = Run(self.task.out, running.job.key)
            if running.job.memory_mib is None and (lines := run.read_metrics(last=1)):
                cost, memory = self._costs[running.job.key], lines[-1].get("memory_mib")
                self.estimates.note_memory(cost, memory)
                for job, _ in self._alike[cost]:
                    job.memory_mib = memory
        for run_id, job in list(self.in_other_sweeps.items()):
            run = Run(self.task.out, run_id)
            status = run.status()
            if status == "running":
                continue
            del self.in_other_sweeps[run_id]
            if status == "done" or status in FAILED:
                console.print(f"{self._counter()}{self._title(run_id)}  {status} in another sweep")
                self._end(run, "done" if status == "done" else "failed")
            else:
                lease.clear(run.folder)
                self.pool.submit(job, first=True)

    def progress(self) -> SweepProgress:
        """Return the progress that the live view shows."""
        counts = list(self.outcomes.values())
        running = []
        devices = self.pool.devices
        order = sorted(
            self.pool.running, key=lambda r: (devices.index(r.place.device), r.place.slot)
        )
        for r in order:
            line = run_progress(Run(self.task.out, r.job.key), self._title(r.job.key))
            line.slot = r.place.describe()["slot"]  # the history may still have an earlier slot
            running.append(line)
        left: list[float | None] = [line.seconds_left for line in running]
        waiting = [job.seconds for job in self.pool.waiting]
        whole = [s for s in (*(line.seconds_total for line in running), *waiting) if s is not None]
        left += waiting
        return SweepProgress(
            self.name,
            done=counts.count("done"),
            failed=counts.count("failed"),
            waiting=len(self.pool.waiting) + counts.count("stopped"),  # until the sweep is resumed
            running=running,
            in_other_sweeps=len(self.in_other_sweeps),
            seconds_left=total_seconds(left, self.pool.most_jobs(), whole),
            note="stopping" if self.pool.stopping else self.feed.best() if self.feed else "",
        )
