"""Imitate the commands of Slurm on one machine, as far as submitit needs them.

The imitation has array jobs, states, requeueing and preemption (SIGTERM, then submitit's SIGUSR2).
The name of the script decides which command it imitates: sbatch, srun, sacct, scontrol, scancel or,
for tests, preempt. The state is kept in the folder $SLURM_IMITATION.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

STATE = Path(os.environ["SLURM_IMITATION"])


def sbatch(arguments: list[str]) -> None:
    script = Path(arguments[-1]).resolve()
    array = re.search(r"--array=0-(\d+)%(\d+)", script.read_text())
    count, parallel = (int(array[1]) + 1, int(array[2])) if array else (1, 1)
    job = str(1000 + len(list(STATE.glob("*.script"))))
    copy = STATE / f"{job}.script"
    copy.write_text(script.read_text())
    for i in range(count):
        (STATE / f"{_key(job, i, array is not None)}.state").write_text("PENDING")
    command = [sys.executable, __file__, "daemon", job, str(count), str(parallel), str(bool(array))]
    log = (STATE / "daemon.log").open("a")
    subprocess.Popen(
        command, start_new_session=True, stdout=log, stderr=log, stdin=subprocess.DEVNULL
    )
    print("Submitted batch job", job)


def _key(job: str, task: int, array: bool) -> str:
    """Return the name of a task in sacct; a job without an array has no task number."""
    return f"{job}_{task}" if array else job


def daemon(arguments: list[str]) -> None:
    job, count, parallel = arguments[0], int(arguments[1]), int(arguments[2])
    array = arguments[3] == "True"
    waiting, running = list(range(count)), []
    while waiting or running:
        while waiting and len(running) < parallel:
            i = waiting.pop(0)
            variables = {
                **os.environ, "SLURM_NTASKS": "1",
                "SLURM_JOB_ID": str(int(job) * 100 + i) if array else job,
                "SLURM_JOB_NUM_NODES": "1", "SLURM_NODEID": "0", "SLURM_PROCID": "0",
                "SLURM_LOCALID": "0", "SLURM_JOB_NODELIST": "here", "SLURM_JOB_NAME": "gansweep",
                "SLURM_NTASKS_PER_NODE": "1",
            }  # fmt: skip
            if array:
                variables |= {"SLURM_ARRAY_JOB_ID": job, "SLURM_ARRAY_TASK_ID": str(i)}
            (STATE / f"{_key(job, i, array)}.state").write_text("RUNNING")
            script = ["/bin/bash", str(STATE / f"{job}.script")]
            running.append((i, subprocess.Popen(script, env=variables, start_new_session=True)))
        time.sleep(0.1)
        for i, process in list(running):
            if process.poll() is not None:
                running.remove((i, process))
                requeue = STATE / f"{_key(job, i, array)}.requeue"
                if requeue.exists():
                    requeue.unlink()
                    waiting.append(i)
                    continue
                state = "COMPLETED" if process.returncode == 0 else "FAILED"
                (STATE / f"{_key(job, i, array)}.state").write_text(state)


def srun(arguments: list[str]) -> None:
    task = os.environ.get("SLURM_ARRAY_TASK_ID", "")
    job = os.environ["SLURM_ARRAY_JOB_ID" if task else "SLURM_JOB_ID"]
    files = {}
    while arguments[0].startswith("--"):
        option = arguments.pop(0)
        if option in ("--output", "--error"):
            name = (
                arguments.pop(0)
                .replace("%A", job)
                .replace("%j", job)
                .replace("%a", task)
                .replace("%t", "0")
            )
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            files[option] = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    process = subprocess.Popen(arguments, stdout=files.get("--output"), stderr=files.get("--error"))
    (STATE / f"{_key(job, int(task or 0), bool(task))}.pid").write_text(str(process.pid))
    sys.exit(1 if process.wait() else 0)


def sacct(arguments: list[str]) -> None:
    print("JobID|State|NodeList")
    for path in sorted(STATE.glob("*.state")):
        print(f"{path.stem}|{path.read_text()}|here")


def scontrol(arguments: list[str]) -> None:
    if arguments[0] == "requeue":
        (STATE / f"{arguments[1]}.requeue").touch()


def scancel(arguments: list[str]) -> None:
    pass


def preempt(arguments: list[str]) -> None:
    """Preempt one task, as a scheduler does."""
    pid = int((STATE / f"{arguments[0]}.pid").read_text())
    os.kill(pid, signal.SIGTERM)
    time.sleep(2)
    os.kill(pid, signal.SIGUSR2)


if __name__ == "__main__":
    name = Path(sys.argv[0]).stem
    arguments = sys.argv[1:]
    if name == "imitation":
        name = arguments.pop(0)
    globals()[name](arguments)
