"""The launcher `hydra/launcher=gansweep_local` for other Hydra applications.

Their jobs get the slots of gansweep's runs: a process each, retries by cause, and the live view.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, configure_log, filter_overrides, setup_globals
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from gansweep.launch import processes
from gansweep.launch.app_job import packed, run_packed, unpacked
from gansweep.launch.child import Ended
from gansweep.launch.devices import find_devices
from gansweep.launch.pool import Job, Pool, Running
from gansweep.launch.progress import RunProgress, SweepProgress, clock, render
from gansweep.launch.retry import Action, decide
from gansweep.launch.stop_request import StopRequest
from gansweep.store.errors import UserError, out_of_memory
from gansweep.terminal.console import console, fitted
from gansweep.terminal.live import LiveView

PRELOAD = "gansweep.launch.app_preload"
TICK = 0.25  # seconds between two looks at the jobs
GRACE = 10.0  # seconds for which jobs may clean up after Ctrl-C
LOG = "log.txt"  # in a job's folder: all that it has printed


@dataclass
class App:
    """Another Hydra application, as `Launcher.setup` receives it, and the settings of the slots.

    The settings are those of `LocalLauncherConfig`. Raises UserError if the package cloudpickle is
    missing.
    """

    context: HydraContext
    function: Callable[..., Any]
    config: DictConfig
    jobs_per_device: int | None = None
    threads: int | None = None
    device: str = "auto"
    _returns: dict[str, JobReturn] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            import cloudpickle  # noqa: F401
        except ImportError:
            raise UserError(
                "hydra/launcher=gansweep_local needs cloudpickle for other applications: "
                "pip install cloudpickle"
            ) from None
        if "torch" in sys.modules:
            os.environ["GANSWEEP_PRELOAD"] = "torch"
        processes.warm_up(PRELOAD)
        atexit.register(processes.shut_down)

    def launch(self, job_overrides: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
        """Run a job for each list of overrides, as `Launcher.launch`.

        first: the number of the first job. Raises KeyboardInterrupt after Ctrl-C or SIGTERM, when
        all jobs have ended.
        """
        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        Path(str(self.config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
        threads = self.threads or 1
        pool = Pool(
            find_devices(self.device), jobs_per_device=self.jobs_per_device, threads=threads
        )
        jobs = [self._job(first + i, overrides) for i, overrides in enumerate(job_overrides)]
        return _Batch(pool, jobs, self.config.hydra.job.name).run()

    def _job(self, number: int, overrides: Sequence[str]) -> AppJob:
        config = self.context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(config):
            config.hydra.job.id = f"{config.hydra.job.name}_{number}"
            config.hydra.job.num = number
            before = HydraConfig.instance().cfg
            HydraConfig.instance().set_config(config)
            # The job's log is opened before the job can resolve ${now:} and other values.
            with read_write(config.hydra.sweep):
                for key in ("dir", "subdir"):
                    config.hydra.sweep[key] = str(OmegaConf.select(config, f"hydra.sweep.{key}"))
            HydraConfig.instance().cfg = before
        folder = Path(config.hydra.sweep.dir) / config.hydra.sweep.subdir
        title = " ".join(filter_overrides(overrides)) or f"job {number}"
        data = packed(self.context, config, self.function, Singleton.get_state())
        job = Job(str(number), run_packed, (data,), log=(folder / LOG).resolve())
        return AppJob(job, title, list(overrides))


@dataclass
class AppJob:
    """A job, its title on the screen, and its overrides. kills: how often it was killed."""

    job: Job
    title: str
    overrides: list[str]
    kills: int = 0
    done: JobReturn | None = None


class _Batch:
    """The jobs of one call of `Launcher.launch`."""

    def __init__(self, pool: Pool, jobs: list[AppJob], name: str) -> None:
        self.pool = pool
        self.jobs = {job.job.key: job for job in jobs}
        self.name = name
        self._request = StopRequest()

    def run(self) -> list[JobReturn]:
        for job in self.jobs.values():
            self.pool.submit(job.job)
        stopped = 0.0
        try:
            with self._request.listening(), _view() as view:
                while self.pool.waiting or self.pool.running:
                    for running, ended in self.pool.wait(TICK):
                        self._ended(running, ended)
                    processes.reap_strays({r.process.pid for r in self.pool.running})
                    if view is not None:
                        view.show(render(self._progress()))
                    if self._request.times and not stopped:
                        stopped = time.monotonic()
                        self._interrupt()
                    if stopped and (not self.pool.running or time.monotonic() > stopped + GRACE):
                        break
        finally:
            self.pool.kill()
        if self._request.times:
            raise KeyboardInterrupt
        return [job.done for job in self.jobs.values() if job.done is not None]

    def _interrupt(self) -> None:
        """Start no more jobs, and let each running one receive Ctrl-C."""
        console.print(f"stopping: jobs have {GRACE:g} s to end")
        self.pool.stopping = True
        for running in self.pool.running:
            with suppress(ProcessLookupError):
                os.kill(running.process.pid, signal.SIGINT)

    def _ended(self, running: Running, ended: Ended) -> None:
        """Do what the policy decides about a job that has ended; see retry.py."""
        job = self.jobs[running.job.key]
        done = unpacked(ended.result) if ended.returned else None
        failed = done is not None and done.status is JobStatus.FAILED
        error = done._return_value if failed and done is not None else ended.error
        if error is not None:
            cause = "out of memory" if out_of_memory(error) else "failed"
            why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        elif done is not None:
            cause, why = "done", ""
        else:
            cause, why = "killed" if ended.killed else "crashed", ended.how()
            job.kills += 1
            job.job.alone |= ended.out_of_memory
        if self.pool.stopping and cause != "done":
            cause = "stopped"
        action = decide(cause, stopping=self.pool.stopping, alone=job.job.alone, kills=job.kills)
        if action in (Action.RETRY, Action.RETRY_ALONE):
            job.job.alone |= action is Action.RETRY_ALONE
            again = (
                "starts again" if action is Action.RETRY else "starts again, alone on its device"
            )
            console.print(fitted(f"{job.title}  {why}; {again}"))
            self.pool.submit(job.job, first=True)
            return
        if done is None:
            done = JobReturn(overrides=job.overrides, task_name=job.job.key)
            done.status, done.return_value = JobStatus.FAILED, error or RuntimeError(why)
        job.done = done
        counts = f"[{sum(j.done is not None for j in self.jobs.values())}/{len(self.jobs)}]"
        how = "done" if action is Action.DONE else f"failed: {why} (log: {job.job.log})"
        console.print(f"{counts} {job.title}  {how}, {clock(running.elapsed)}")

    def _progress(self) -> SweepProgress:
        done = [job.done for job in self.jobs.values() if job.done is not None]
        failed = sum(one.status is JobStatus.FAILED for one in done)
        lines = [
            RunProgress(
                self.jobs[r.job.key].title,
                r.job.key,
                slot=r.place.describe()["slot"],
                elapsed=r.elapsed,
            )
            for r in self.pool.running
        ]
        return SweepProgress(self.name, len(done) - failed, failed, len(self.pool.waiting), lines)


def _view() -> AbstractContextManager[Any]:
    return LiveView() if console.is_terminal and not console.quiet else nullcontext()
