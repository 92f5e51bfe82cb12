"""Follow a sweep that workers train: the live view, a line for each run, and missing workers.

Everything is read from the files of the runs, so this process may end and be started again.
"""

from __future__ import annotations

import functools
import itertools
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Protocol

from gansweep.launch.progress import SweepProgress, render, run_progress
from gansweep.launch.stop_request import StopRequest
from gansweep.store import lease
from gansweep.store.errors import UserError
from gansweep.store.estimate import Estimates, cost_of, total_seconds
from gansweep.store.listing import Listing
from gansweep.store.manifest import Manifest, manifest_path
from gansweep.store.run import FAILED, Run
from gansweep.store.work import Work, stop_asked
from gansweep.terminal.console import console, fitted
from gansweep.terminal.live import LiveView
from gansweep.training.job import finished
from gansweep.training.summary import summary

LOOK = 1.0  # seconds between two looks at the runs
RUNS_A_LOOK = 100  # runs that one look looks at, besides those that the listing says have ended
COSTS = 100  # waiting runs whose costs are read for the time left
COUNT = 5.0  # seconds between two counts of the living workers
VAIN = 3  # submissions in a row after which nothing was trained, until the command gives up
ESTIMATE_SECONDS = 60.0  # time after which finished runs are read again for the time left


class Workers(Protocol):
    """The workers of a sweep in an engine such as Slurm. most: how many there are to be."""

    most: int

    def living(self) -> list[str] | None:
        """Return the state of each waiting or running worker; None if it cannot be known now."""
        ...

    def submit(self, count: int) -> None:
        """Start `count` workers."""
        ...

    def last_words(self) -> str:
        """Return where the log of the last worker is, and its last line."""
        ...


class Crew:
    """Keeps a sweep staffed: counts the living workers, and submits the missing ones."""

    def __init__(self, workers: Workers, folder: Path) -> None:
        """folder: that of the sweep, which one command at a time staffs."""
        self.workers = workers
        self.folder = folder
        self.states: list[str] | None = None
        self._counted = -COUNT
        self._vain = 0
        self._progress: Any = None

    def staff(self, free: int, unfinished: int, progress: object) -> None:
        """Submit the missing workers, if runs are free that nobody trains.

        progress: any value that changes whenever something is trained. Raises UserError if all
        workers ended several times, and nothing was trained.
        """
        if time.monotonic() - self._counted < COUNT:
            return
        if (alone := lease.take(self.folder)) is None:
            return
        try:
            self._counted = time.monotonic()
            self._staff(free, unfinished, progress)
        finally:
            alone.release()

    def _staff(self, free: int, unfinished: int, progress: object) -> None:
        self.states = self.workers.living()
        missing = min(self.workers.most, unfinished) - len(self.states or [])
        if self.states is None or not free or missing < 1:
            return
        self._vain = self._vain + 1 if progress == self._progress and not self.states else 0
        self._progress = progress
        if self._vain >= VAIN:
            raise UserError(f"the workers ended and trained nothing: {self.workers.last_words()}")
        self.workers.submit(missing)
        self.states = self.workers.living()

    def note(self) -> str:
        """Return a text about the workers, such as `workers: 2 running, 6 pending`."""
        return describe(self.states)


def describe(states: list[str] | None) -> str:
    """Return a text about the states of workers; empty if they are unknown."""
    if states is None:
        return ""
    counts = {state: states.count(state) for state in dict.fromkeys(sorted(states, reverse=True))}
    shown = ", ".join(f"{count} {state}" for state, count in counts.items())
    return f"workers: {shown or 'none'}"


def follow(manifest: Manifest, out: str, todo: list[str], work: Work, workers: Workers) -> None:
    """Follow a sweep until its runs `todo` have ended, and submit the workers that are missing.

    Raises KeyboardInterrupt after Ctrl-C, while the workers go on, and after `gansweep stop`.
    """
    followed = Followed(manifest, out, todo, work)
    crew = Crew(workers, manifest_path(out, manifest.name).parent)
    request = StopRequest()
    with request.listening(), live() as view:
        while followed.look():
            stopped = stop_asked(out, manifest.name)
            if request.times or (stopped and len(followed.free) == len(followed.open)):
                break
            if not stopped:
                crew.staff(len(followed.free), len(followed.open), followed.progress())
            if view is not None:
                progress = sweep_progress(manifest, out, followed.statuses)
                progress.note = crew.note()
                view.show(render(progress))
            end = time.monotonic() + LOOK
            while not request.times and time.monotonic() < end:
                time.sleep(0.1)
    if request.times:
        console.print(goes_on(manifest.name))
        raise KeyboardInterrupt
    if followed.open and not work.fail_fast:
        console.print("gansweep stop: all runs have written checkpoints")
        raise KeyboardInterrupt


def goes_on(name: str) -> str:
    """Return what becomes of a sweep whose command is interrupted."""
    return (
        f"the workers go on: gansweep status {name} shows them, gansweep stop {name} ends them, "
        "and the same command follows them again"
    )


def live() -> Any:
    """Return the live view, or a context of None if the console is no terminal."""
    if not console.is_terminal:
        return nullcontext()
    return LiveView()


class Followed:
    """The runs of a sweep that have not ended, as far as this process has looked at them.

    open: their ids; statuses: the last known status of all runs that were looked at.
    """

    def __init__(self, manifest: Manifest, out: str, todo: list[str], work: Work) -> None:
        self.out = out
        self.work = work
        self.titles = manifest.titles
        self.open = dict.fromkeys(todo)
        self.statuses = dict.fromkeys(todo, "planned")
        self._listing = Listing(out, manifest.name)
        # A finished run that is to be judged or measured has ended when its history has grown.
        done = [run for run_id in todo if (run := Run(out, run_id)).complete()]
        self._history = {run.id: len(run.read_history()) for run in done}
        self._running: set[str] = set()

    @property
    def free(self) -> list[str]:
        """The runs that nobody trains."""
        begun = self._listing.begun
        return [r for r in self.open if self.statuses[r] != "running" and r not in begun]

    def progress(self) -> tuple[int, frozenset[str]]:
        """Return a value that changes when a run is begun or has ended."""
        return len(self.open), frozenset(self._running)

    def look(self) -> bool:
        """Print a line for each run that has ended. Returns whether there are others.

        The runs are looked at in turn, but for those that have ended according to the listing.
        """
        ended = [run_id for run_id in self._listing.read() if run_id in self._listing.ended]
        turn = list(itertools.islice(self.open, RUNS_A_LOOK))
        for run_id in dict.fromkeys((*ended, *turn)):
            if run_id not in self.open:
                continue
            run = Run(self.out, run_id)
            self.statuses[run_id] = status = run.status()
            if status == "running":
                self._running.add(run_id)
            else:
                self._listing.begun.discard(run_id)
            if status == "done" and self._is_done(run):
                self._ended(run, summary(run.read_result()))
            elif status in FAILED and not self._retried(run):
                self._ended(run, run.why_failed())
            else:
                self.open[run_id] = self.open.pop(run_id)  # to the end
        return bool(self.open)

    def _is_done(self, run: Run) -> bool:
        before = self._history.get(run.id)
        return finished(run) if before is None else len(run.read_history()) > before

    def _retried(self, run: Run) -> bool:
        """Return whether the failure is the one after which the run is to be trained again."""
        return self.work.retry.get(run.id) == run.failed_at()

    def _ended(self, run: Run, how: str) -> None:
        del self.open[run.id]
        number = f"{len(self.titles) - len(self.open):>{len(str(len(self.titles)))}}"
        console.print(fitted(f"[{number}/{len(self.titles)}] {self.titles[run.id]}  {how}"))


def sweep_progress(
    manifest: Manifest, out: str | Path, known: dict[str, str] | None = None
) -> SweepProgress:
    """Return the progress of a sweep's chosen runs, as their folders show it now.

    known: statuses that are not looked up; others are added to it.
    """
    known = {} if known is None else known
    progress = SweepProgress(manifest.name, done=0, failed=0, waiting=0, running=[])
    waiting = []
    interrupted = 0
    for run_id, title in manifest.titles.items():
        run = Run(out, run_id)
        status = known.get(run_id) or run.status()
        known[run_id] = status
        if status == "running":
            progress.running.append(run_progress(run, title))
        elif status == "done":
            progress.done += 1
        elif status in FAILED:
            progress.failed += 1
        elif run_id in manifest.pruned:
            progress.pruned += 1
        else:
            waiting.append(run)
            interrupted += status == "interrupted"
    progress.running.sort(key=lambda line: line.slot)
    progress.waiting = len(waiting)
    if not progress.running:
        progress.note = f"{interrupted} of them interrupted" if interrupted else ""
        return progress
    line = progress.running[0]
    kind = "cpu" if line.slot.rpartition("/")[2].startswith("cpu") else "cuda"
    period = ESTIMATE_SECONDS + len(manifest.titles) / 10  # each time looks at all finished runs
    estimates = _estimates(out, kind, line.threads or 1, int(time.monotonic() / period))
    left: list[float | None] = [line.seconds_left for line in progress.running]
    left += [None] * len(waiting[COSTS:])  # for which the mean of the others is taken
    for run in waiting[:COSTS]:
        record = run.read_config()
        steps = record["identity"]["steps"] if record else 0
        left.append(estimates.seconds(cost_of(record), steps))
    whole = [r.seconds_total for r in progress.running if r.seconds_total is not None]
    progress.seconds_left = total_seconds(left, len(progress.running), whole)
    return progress


@functools.lru_cache(maxsize=8)
def _estimates(out: str | Path, kind: str, threads: int, _period: int) -> Estimates:
    """Return the costs of finished runs, cached for a period, as they are read from 900 files."""
    return Estimates(out, kind, threads)
