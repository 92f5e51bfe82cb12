"""Workers as Slurm jobs, submitted by submitit: `slots=slurm`, or `hydra/launcher=slurm`.

Each job is `gansweep work SWEEP`, which trains run after run in its allocation. Only squeue is
asked about the jobs, as the accounting database of sacct is often absent and always late.
"""

from __future__ import annotations

import getpass
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gansweep.launch.stop_request import WARNING
from gansweep.store.errors import UserError
from gansweep.store.json_files import tail_of
from gansweep.store.work import read_jobs, write_jobs
from gansweep.terminal.console import console

ENGINE = "slurm"
ANSWER = 60  # seconds within which a command of Slurm answers
# Settings of the launcher that are no parameters of the jobs, and those of submitit's own names.
OWN = {"workers", "submitit_folder", "array_parallelism", "max_num_timeout", "python"}
COMMON = {
    "timeout_min", "cpus_per_task", "gpus_per_node", "tasks_per_node", "mem_gb", "nodes", "name",
    "stderr_to_stdout",
}  # fmt: skip


@dataclass
class WorkerJob:
    """The function of a job: it becomes the worker's process, whose exit code is that of the job.

    A process of its own has its own signal handlers, which write checkpoints, and not submitit's.
    The warning of the time limit waits until these exist.
    """

    sweep: str
    out: str

    def __call__(self) -> None:
        words = [sys.executable, "-u", "-m", "gansweep", "work", self.sweep, "--out", self.out]
        signal.pthread_sigmask(signal.SIG_BLOCK, {WARNING})
        os.execv(sys.executable, words)


class SlurmWorkers:
    """The workers of a sweep on a Slurm cluster; see `follow.Workers`.

    settings: those of hydra.launcher, see SlurmLauncherConfig in hydra_plugins/gansweep.
    """

    def __init__(self, out: str, sweep: str, settings: dict[str, Any]) -> None:
        self.out = out
        self.sweep = sweep
        self.settings = settings
        self.most: int = settings.get("array_parallelism") or settings["workers"]

    def living(self) -> list[str] | None:
        """Return the states of the recorded jobs that wait or run, such as `running`."""
        states = states_of(read_jobs(self.out, self.sweep).get(ENGINE, []))
        return None if states is None else list(states.values())

    def submit(self, count: int) -> None:
        """Submit `count` jobs and record them, together with the living ones."""
        executor = self._executor()
        try:
            with executor.batch():
                work = WorkerJob(self.sweep, str(Path(self.out).resolve()))
                jobs = [executor.submit(work) for _ in range(count)]
        except Exception as error:  # submitit has an error for each of Slurm's refusals
            reason = " ".join(str(error).split())[-300:]
            raise UserError(f"Slurm does not accept the jobs: {reason}") from None
        ids = [str(job.job_id) for job in jobs]
        known = read_jobs(self.out, self.sweep).get(ENGINE, [])
        left = states_of(known)
        write_jobs(self.out, self.sweep, ENGINE, [*(known if left is None else left), *ids])
        console.print(f"{count} Slurm job{'s' if count > 1 else ''} submitted: {_shown(ids)}")

    def last_words(self) -> str:
        """Return where the log of the last job is, and its last line."""
        jobs = read_jobs(self.out, self.sweep).get(ENGINE, [])
        if not jobs:
            return "no job was recorded"
        folder = Path(self.settings["submitit_folder"].replace("%j", jobs[-1]))
        if not folder.exists():  # submitit gives all jobs of an array one folder
            folder = Path(self.settings["submitit_folder"].replace("%j", jobs[-1].split("_")[0]))
        logs = sorted(folder.glob(f"{jobs[-1]}*log.*"), key=lambda path: path.stat().st_size)
        for log in reversed(logs):
            with suppress(OSError):
                lines = tail_of(log, 4096).decode("utf-8", "replace").split("\n")
                said = [line for line in lines if line.strip()]
                return f"{log}: {said[-1].strip()[:200]}" if said else str(log)
        return f"see {folder}"

    def _executor(self) -> Any:
        try:
            import submitit
        except ImportError:
            raise UserError("slots=slurm needs submitit: pip install 'gansweep[slurm]'") from None
        try:
            executor = submitit.AutoExecutor(
                folder=self.settings["submitit_folder"], cluster="slurm"
            )
        except RuntimeError as error:  # there is no srun
            raise UserError(f"slots=slurm: {error}") from None
        given = {n: v for n, v in self.settings.items() if n not in OWN and v is not None}
        names = {n: n if n in COMMON else f"slurm_{n}" for n in given}
        try:
            executor.update_parameters(
                slurm_array_parallelism=self.most, **{names[n]: v for n, v in given.items()}
            )
        except (ValueError, NameError, TypeError) as error:
            raise UserError(f"hydra.launcher: {' '.join(str(error).split())[:300]}") from None
        return executor


def states_of(jobs: list[str]) -> dict[str, str] | None:
    """Return the states of those jobs that wait or run; None if Slurm does not answer."""
    if not jobs:
        return {}
    command = ["squeue", "--noheader", "--array", "--user", getpass.getuser(), "--format", "%i %T"]
    try:
        asked = subprocess.run(
            command, capture_output=True, text=True, timeout=ANSWER, check=True, stdin=-3
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    known = dict(line.split()[:2] for line in asked.splitlines() if len(line.split()) > 1)
    ended = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"}
    return {job: known[job].lower() for job in jobs if known.get(job, "FAILED") not in ended}


def cancel_waiting(jobs: list[str]) -> list[str]:
    """Cancel those jobs that wait in the queue, and return them."""
    states = states_of(jobs) or {}
    waiting = [job for job, state in states.items() if state == "pending"]
    if waiting:
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run(["scancel", *waiting], timeout=ANSWER, capture_output=True)
    return waiting


def _shown(ids: list[str]) -> str:
    return ids[0] if len(ids) == 1 else f"{ids[0]} to {ids[-1]}"
