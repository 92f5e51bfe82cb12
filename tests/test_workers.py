"""Tests of workers: leases, the retry policy, and processes that share a sweep without a master.

A second host is a process with another $GANSWEEP_HOST: such processes do not trust each other's
locks of files, and see only the beats of leases.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest
from commands import Command, with_fault
from conftest import Cli, one_line_error, plan_small, revive, wait_for, wait_until

from gansweep.launch.follow import Crew
from gansweep.launch.retry import Action, decide, lost_attempts
from gansweep.launch.slurm import SlurmWorkers, cancel_waiting
from gansweep.launch.worker import Queue
from gansweep.store import lease
from gansweep.store.errors import Held, UserError
from gansweep.store.manifest import Manifest, Row, Table
from gansweep.store.run import Run, write_json, write_text
from gansweep.store.work import Work, read_jobs, stop_asked

# --- The policy -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "facts", "action"),
    [
        ("done", {"stopping": True}, Action.DONE),
        ("held", {}, Action.WAIT),
        ("failed elsewhere", {}, Action.FAIL),
        ("stopped", {}, Action.RETRY),  # a scheduler has preempted the job
        ("stopped", {"stopping": True}, Action.STOP),
        ("stopped", {"stopping": True, "pruned": True}, Action.PRUNE),
        ("disk", {}, Action.HALT),
        ("out of memory", {}, Action.RETRY_ALONE),
        ("out of memory", {"alone": True}, Action.FAIL),
        ("killed", {"kills": 2}, Action.RETRY),
        ("killed", {"kills": 3}, Action.FAIL),
        ("crashed", {}, Action.FAIL),
        ("diverged", {}, Action.FAIL),
        ("failed", {}, Action.FAIL),
    ],
)
def test_what_follows_the_end_of_a_job(cause: str, facts: dict[str, Any], action: Action) -> None:
    assert decide(cause, **facts) is action


def test_attempts_that_ended_with_their_machine_are_counted() -> None:
    def started(step: int) -> Any:
        return {"event": "started", "time": "", "step": step}

    ended: Any = {"event": "ended", "time": "", "cause": "stopped"}
    assert lost_attempts([]) == 0
    assert lost_attempts([started(0), started(0), started(0)]) == 3
    assert lost_attempts([started(0), started(0), started(5)]) == 1, "there was a new checkpoint"
    assert lost_attempts([started(0), ended, started(0), started(0)]) == 2
    assert lost_attempts([started(0), started(0), ended]) == 0


# --- Leases ---------------------------------------------------------------------------------------

CONTENDER = """
import os, sys, time
from pathlib import Path
from gansweep.store import lease
folder, got = Path(sys.argv[1]), 0
end = time.monotonic() + 3
while time.monotonic() < end:
    held = lease.take(folder)
    if held is None:
        time.sleep(0.001)
        continue
    os.close(os.open(folder / "inside", os.O_CREAT | os.O_EXCL))  # fails if another one is inside
    got += 1
    time.sleep(0.002)
    (folder / "inside").unlink()
    held.release()
print(got)
"""


def test_of_many_processes_on_two_hosts_one_holds_a_folder(tmp_path: Path) -> None:
    contenders = [
        subprocess.Popen(
            [sys.executable, "-c", CONTENDER, str(tmp_path)], stdout=subprocess.PIPE, text=True,
            env={**os.environ, "GANSWEEP_HOST": f"host{number % 2}"},
        )
        for number in range(4)
    ]  # fmt: skip
    counts = [int(contender.communicate()[0]) for contender in contenders]
    assert [contender.returncode for contender in contenders] == [0] * 4
    assert sum(counts) > 20, counts


HOLDER = """
import sys, time
from gansweep.store.run import Run, write_text
from gansweep.store.json_files import append_line
run = Run(sys.argv[1], "0123456789-s1")
with run.owned():
    number = 0
    while True:
        number += 1
        write_text(run.picture, f"first {number}")
        append_line(run.metrics, {"step": number})
        time.sleep(0.01)
"""


def test_a_process_frozen_beyond_its_lease_cannot_write_when_it_wakes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANSWEEP_LEASE", "1")
    run = Run(tmp_path, "0123456789-s1")
    first = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stderr=subprocess.PIPE, text=True,
        env={**os.environ, "GANSWEEP_HOST": "first"},
    )  # fmt: skip
    wait_for("samples.png", run.folder)
    monkeypatch.setenv("GANSWEEP_HOST", "second")
    until = time.monotonic() + 2
    while time.monotonic() < until:
        assert run.status() == "running", "the beats of a living process are seen"
        with pytest.raises(Held), run.owned():
            pass
        time.sleep(0.05)
    os.kill(first.pid, signal.SIGSTOP)
    frozen = time.monotonic()
    with run.owned(wait=True):
        assert time.monotonic() - frozen > 0.7
        write_text(run.picture, "second")
        lines = run.metrics.read_bytes()
        os.kill(first.pid, signal.SIGCONT)
        assert "Held" in first.communicate(timeout=20)[1]
        assert run.picture.read_text() == "second"
        assert run.metrics.read_bytes() == lines
        assert run.status() == "running"
    assert not (run.folder / lease.LEASES).exists(), "nothing is left"


def test_a_killed_process_of_this_host_frees_its_run_at_once(tmp_path: Path) -> None:
    run = Run(tmp_path, "0123456789-s1")
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)])
    wait_for("samples.png", run.folder)
    assert run.status() == "running"
    holder.kill()
    holder.wait()
    assert run.status() == "interrupted"
    with run.owned():
        pass


def test_an_invalid_lease_is_refused(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANSWEEP_LEASE", "a minute")
    assert "GANSWEEP_LEASE=a minute" in one_line_error(cli("steps=2", "data=mnist5k"))


# --- The queue ------------------------------------------------------------------------------------


def plan_sweep(folder: Path, count: int) -> list[Run]:
    """Plan the sweep `w` of some short runs."""
    out = folder / "outputs"
    lrs = [1e-4 * (i + 1) for i in range(count)]
    runs = [plan_small(out, lr=lr, judge="false") for lr in lrs]
    Manifest(
        "w", "Workers", "python -m gansweep -m name=w", ["digits"], {},
        [Table(["lr"], list(range(count)))],
        [Row({"lr": lr}, {"digits": [run.id]}) for lr, run in zip(lrs, runs, strict=True)],
        titles={run.id: f"lr={lr:g}" for lr, run in zip(lrs, runs, strict=True)},
    ).write(out)  # fmt: skip
    return runs


def queue(folder: Path, runs: list[Run], work: Work | None = None) -> Queue:
    titles = {run.id: run.id for run in runs}
    return Queue(folder, Manifest("w", "", "", [], {}, [], [], titles), work or Work())


def drain(feed: Queue) -> list[str]:
    found = []
    while (planned := feed.next()) is not None:
        found.append(planned.run.id)
    return sorted(found)


def test_a_worker_takes_the_runs_that_nobody_has_and_that_have_not_failed(tmp_path: Path) -> None:
    runs = [Run(tmp_path, f"000000000{i}-s1") for i in range(4)]
    write_json(runs[0].failure, {"error": "e", "time": "2026-01-01"})
    write_json(runs[1].failure, {"error": "e", "time": "2026-01-02"})
    retried = Work(retry={runs[1].id: "2026-01-02", runs[0].id: "2025-12-31"})
    with runs[2].owned():
        assert drain(queue(tmp_path, runs, retried)) == [runs[1].id, runs[3].id]
    assert drain(queue(tmp_path, runs)) == [runs[2].id, runs[3].id]


def test_a_run_that_ends_with_its_machine_three_times_has_failed(tmp_path: Path) -> None:
    run = Run(tmp_path, "0000000000-s1")
    run.folder.mkdir(parents=True)
    run.metrics.touch()
    for attempt in range(3):
        assert drain(queue(tmp_path, [run])) == [run.id], attempt
        run.record("started", step=0)
    assert drain(queue(tmp_path, [run])) == []
    assert run.why_failed() == "failed: its machine ended several times while it was trained"


# --- The command ----------------------------------------------------------------------------------


def ends(run: Run) -> list[Any]:
    return [event.get("cause", event.get("step")) for event in run.read_history()]


def test_workers_share_a_sweep(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers on two hosts train each run once."""
    runs = plan_sweep(tmp_path, 5)
    monkeypatch.setenv("GANSWEEP_LEASE", "2")
    workers = []
    for host in ("first", "second"):
        monkeypatch.setenv("GANSWEEP_HOST", host)
        workers.append(Command(tmp_path, "work", "w"))
    said = [worker.communicate()[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    assert [ends(run) for run in runs] == [[0, "done"]] * 5
    trained = [int(text.rpartition("has trained ")[2]) for text in said]
    assert sum(trained) == 5, said
    done = cli("status", "w")
    assert done.returncode == 0
    assert "5/5 done" in done.stdout
    assert "has trained 0" in cli("work", "w").stdout


@pytest.mark.slow
def test_a_worker_frozen_beyond_its_lease_loses_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is trained twice into the same files, and no result is lost."""
    (run,) = plan_sweep(tmp_path, 1)
    monkeypatch.setenv("GANSWEEP_LEASE", "3")
    monkeypatch.setenv("GANSWEEP_HOST", "first")
    first = Command(tmp_path, "work", "w", fault="do=slow seconds=0.2")
    wait_for("last.ckpt", run.folder)
    (held,) = lease.living(run.folder)
    job = int(held.name.split("_")[1])
    monkeypatch.setenv("GANSWEEP_HOST", "second")
    assert "no sign of life" not in Command(tmp_path, "status", "w").communicate()[0]
    for pid in (job, first.pid):
        os.kill(pid, signal.SIGSTOP)
    time.sleep(4)
    assert (
        "lr=0.0001  no sign of life of its machine for 0:0"
        in (Command(tmp_path, "status", "w").communicate()[0])
    )
    second = Command(tmp_path, "work", "w")
    out, err = second.communicate()
    assert second.returncode == 0, out + err
    assert ends(run) == [0, 10, "done"], "the second worker resumed from the checkpoint"
    files = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    for pid in (job, first.pid):
        os.kill(pid, signal.SIGCONT)
    out, err = first.communicate()
    assert first.returncode == 0, out + err
    assert "Traceback" not in out + err
    files.pop(run.log, None)
    assert files == {path: path.read_bytes() for path in files}
    assert [line["step"] for line in run.read_metrics()] == [5, 10, 15, 20]
    assert set(files) | {run.log} == {path for path in run.folder.rglob("*") if path.is_file()}


# Its own network without any interface, its own process numbers, and the shared folder elsewhere.
NAMESPACES = ("unshare", "--net", "--uts", "--mount", "--pid", "--fork", "--kill-child")
MACHINE = 'hostname "$1"; mount --bind . "$2" && cd "$2" && exec "$3" -m gansweep work w'


def machine(folder: Path, name: str, place: str, fault: str = "") -> subprocess.Popen[str]:
    """Start a worker on a machine of its own, which has only the folder in common with others."""
    environment = {**with_fault(fault), "GANSWEEP_HOST": name}  # the kernels of machines differ
    return subprocess.Popen(
        [*NAMESPACES, "sh", "-c", MACHINE, "sh", name, place, sys.executable],
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def processes_of(machine: subprocess.Popen[str]) -> list[int]:
    """Return the ids that the processes of a machine have outside of it."""
    (first,) = Path(f"/proc/{machine.pid}/task/{machine.pid}/children").read_text().split()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (entry / "ns/pid").readlink() == Path(f"/proc/{first}/ns/pid").readlink():
                found.append(int(entry.name))
    return found


@pytest.mark.slow
def test_machines_share_only_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of two machines is frozen beyond its lease, and goes on when the other one is done."""
    try:
        subprocess.run([*NAMESPACES, "true"], check=True, capture_output=True)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("needs the right to create namespaces of Linux")
    runs = plan_sweep(tmp_path, 3)
    Work(jobs_per_device=1, threads=1).write(tmp_path / "outputs", "w")
    monkeypatch.setenv("GANSWEEP_LEASE", "3")
    first = machine(tmp_path, "first", "/mnt", fault="do=slow seconds=0.6")
    wait_for("runs/*/metrics.jsonl", tmp_path / "outputs")
    (slow,) = (run for run in runs if run.metrics.exists())
    second = machine(tmp_path, "second", "/media")
    wait_for("last.ckpt", slow.folder)
    frozen = processes_of(first)
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    out = second.communicate()[0]
    assert second.returncode == 0, out
    assert "this worker has trained 3" in out
    for pid in frozen:
        os.kill(pid, signal.SIGCONT)
    out = first.communicate()[0]
    assert first.returncode == 0, out
    assert "this worker has trained 0" in out
    assert sorted(map(ends, runs), key=len) == [[0, "done"], [0, "done"], [0, 10, "done"]]
    for run in runs:
        assert [line["step"] for line in run.read_metrics()] == [5, 10, 15, 20]
    slots = {e["slot"].split("/")[0] for run in runs for e in run.read_history() if "slot" in e}
    assert slots == {"first", "second"}


def test_a_worker_that_is_ended_early_leaves_a_checkpoint_and_an_exit_code(tmp_path: Path) -> None:
    (run,) = plan_sweep(tmp_path, 1)
    slow = "do=slow seconds=0.3"
    worker = Command(tmp_path, "work", "w", fault=slow)
    wait_for("metrics.jsonl", run.folder)
    worker.send_signal(signal.SIGTERM)
    out, err = worker.communicate()
    assert worker.returncode == 75, out + err
    worker = Command(tmp_path, "work", "w", "--hours", "0.0012", fault=slow)
    out, err = worker.communicate()
    assert worker.returncode == 75, out + err
    assert "this worker leaves" in out
    assert Command(tmp_path, "work", "w").wait() == 0
    first, stopped, later, again, last, done = ends(run)
    assert (first, stopped, again, done) == (0, "stopped", "stopped", "done")
    assert 5 <= later < last < 20


def test_a_warning_of_the_time_limit_before_the_first_run(tmp_path: Path) -> None:
    """Slurm may send it while a worker starts, which then has to leave as if it had trained."""
    plan_sweep(tmp_path, 1)
    warned = {signal.SIGUSR2}
    worker = subprocess.Popen(
        [sys.executable, "-m", "gansweep", "work", "w"], cwd=tmp_path, stdout=subprocess.PIPE,
        text=True, preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, warned),
    )  # fmt: skip
    worker.send_signal(signal.SIGUSR2)
    assert "this worker leaves" in worker.communicate()[0]
    assert worker.returncode == 75


@pytest.mark.slow
def test_stop_ends_a_sweep_with_checkpoints(cli: Cli, tmp_path: Path) -> None:
    grid = ("-m", "lr=1e-3,5e-4,2e-4", "data=mnist5k", "steps=20", "sample_every=10", "name=w",
            "judge=false", "threads=1", "jobs_per_device=2")  # fmt: skip
    sweep = Command(tmp_path, *grid, fault="do=slow seconds=0.3")
    wait_for("outputs/runs/*/metrics.jsonl", tmp_path, 2)
    stopped = cli("stop", "w")
    assert stopped.returncode == 0, stopped.stderr
    assert "2 running, which write checkpoints and end" in stopped.stdout
    assert sweep.wait() == 130
    assert len(list(tmp_path.glob("outputs/runs/*/last.ckpt"))) == 2
    assert "stopped by gansweep stop" in cli("status", "w").stdout
    assert "sweep w was stopped" in one_line_error(cli("work", "w"))
    assert cli("resume", "w").returncode == 0
    assert not stop_asked(tmp_path / "outputs", "w")


def test_stop_withdrawn_lets_workers_join(cli: Cli, tmp_path: Path) -> None:
    plan_sweep(tmp_path, 1)
    assert cli("stop", "w").returncode == 0
    assert cli("stop", "w", "--withdraw").returncode == 0
    assert "has trained 1" in cli("work", "w").stdout


def test_workers_share_a_search(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every worker runs trials of the same study, and the number of trials is right."""
    monkeypatch.setenv("GANSWEEP_LEASE", "2")
    search = ["-m", "lr=interval(1e-4,1e-3)", "name=q", "data=mnist5k", "steps=4", "width=0.0625",
              "batch_size=8", "threads=1", "pruner=none"]  # fmt: skip
    assert cli(*search, "trials=1").returncode == 0
    Work(arguments=[*search, "trials=5"]).write(tmp_path / "outputs", "q")
    workers = []
    for host in ("first", "second"):
        monkeypatch.setenv("GANSWEEP_HOST", host)
        workers.append(Command(tmp_path, "work", "q"))
    for worker in workers:
        out, err = worker.communicate()
        assert worker.returncode == 0, out + err
        assert "reports" not in out, "the command that started the search writes the report"
    manifest = json.loads((tmp_path / "outputs/sweeps/q/manifest.json").read_text())
    assert len(manifest["rows"]) == 5
    runs = [Run(tmp_path / "outputs", run_id) for run_id in manifest["titles"]]
    assert [ends(run) for run in runs] == [[0, "done"]] * 5


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("slots=moon",), "valid: local, slurm, ray"),
        (("workers=2",), "add slots=slurm"),
        (("slots=slurm", "workers=0"), "one worker or more"),
    ],
)
def test_wrong_slots_are_refused(cli: Cli, words: tuple[str, ...], says: str) -> None:
    command = ("-m", "lr=1e-3,5e-4", "data=mnist5k", "steps=2", *words)
    assert says in one_line_error(cli(*command))


def test_a_sweep_by_slurm_needs_slurm(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("submitit", reason="needs the extra gansweep[slurm]")
    monkeypatch.setenv("PATH", "/nowhere")
    message = one_line_error(cli("-m", "lr=1e-3,5e-4", "data=mnist5k", "steps=2", "slots=slurm"))
    assert "srun" in message


# Of Slurm's commands, these record what they are given; test_slurm.py has a real Slurm.
COMMANDS = {
    "srun": "",
    "sbatch": 'cp "$1" script; echo Submitted batch job 7',
    "squeue": "cat queue",
    "scancel": 'echo "$@" > cancelled',
}


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("submitit", reason="needs the extra gansweep[slurm]")
    for name, words in COMMANDS.items():
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\ncd {tmp_path}\n{words}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return tmp_path


def test_jobs_have_the_settings_and_are_recorded(commands: Path) -> None:
    plan_sweep(commands, 1)
    settings = {
        "workers": 2, "submitit_folder": str(commands / "submitit/%j"), "partition": "gpu",
        "gpus_per_node": 1, "timeout_min": 240, "mem_gb": 16, "account": None, "name": "gansweep",
        "additional_parameters": {"mail-type": "END"}, "max_num_timeout": 20,
    }  # fmt: skip
    workers = SlurmWorkers(str(commands / "outputs"), "w", settings)
    workers.submit(2)
    script = (commands / "script").read_text()
    for line in ("--partition=gpu", "--gpus-per-node=1", "--time=240", "--array=0-1%2",
                 "--mem=16GB", "--mail-type=END", "--signal=USR2@"):  # fmt: skip
        assert line in script
    assert read_jobs(commands / "outputs", "w") == {"slurm": ["7_0", "7_1"]}
    (commands / "queue").write_text("7_0 RUNNING\n8 PENDING\n")
    assert workers.living() == ["running"]
    (commands / "queue").write_text("7_0 RUNNING\n7_1 PENDING\n8 PENDING\n")
    assert cancel_waiting(["7_0", "7_1"]) == ["7_1"]
    assert (commands / "cancelled").read_text() == "7_1\n"
    (commands / "queue").unlink()
    assert workers.living() is None, "Slurm does not answer"


def test_missing_workers_are_submitted_and_vain_ones_end_the_command(tmp_path: Path) -> None:
    class Engine:
        most = 3
        alive: ClassVar[list[str]] = []
        submitted: ClassVar[list[int]] = []

        def living(self) -> list[str]:
            return self.alive

        def submit(self, count: int) -> None:
            self.submitted.append(count)

        def last_words(self) -> str:
            return "no module named gansweep"

    crew, engine = Crew(Engine(), tmp_path), Engine()

    def staff(free: int, unfinished: int, progress: int) -> None:
        crew._counted = -1e9
        crew.staff(free, unfinished, progress)

    engine.alive[:] = ["running"]
    staff(0, 5, 0)
    staff(4, 5, 0)
    staff(1, 2, 1)
    assert engine.submitted == [2, 1], "no more workers than runs, and only for free runs"
    engine.alive[:] = ["running"] * 3
    staff(4, 9, 2)
    assert len(engine.submitted) == 2
    engine.alive.clear()
    staff(4, 9, 3)
    with pytest.raises(UserError, match="trained nothing: no module named gansweep"):
        for _ in range(5):
            staff(4, 9, 3)
    assert engine.submitted[2:] == [3] * 3


def test_a_worker_waits_for_workers_that_may_die(tmp_path: Path) -> None:
    """It leaves when no run was free for the time of a lease, as a dead worker's run is then."""
    run = Run(tmp_path, "0000000000-s1")
    with pytest.MonkeyPatch.context() as patch, run.owned():
        patch.setenv("GANSWEEP_LEASE", "0.5")
        feed = queue(tmp_path, [run])
        assert feed.next() is None
        assert feed.more()
        wait_until(lambda: not feed.more(), "end", 5)


# --- confirm and extend ---------------------------------------------------------------------------

# A Slurm of shell scripts: each job of an array is a process of this machine.
SMALL_SLURM = {
    "srun": "",
    "sbatch": r"""
n=$(sed -n 's/^#SBATCH --array=0-\([0-9]*\).*/\1/p' "$1")
folder=$(tail -n 1 "$1" | sed 's/.* //')
id=$((100 + $(ls | grep -c '^job')))
for task in $(seq 0 ${n:-0}); do
  name=$id${n:+_$task}
  SUBMITIT_EXECUTOR=slurm SLURM_JOB_ID=$name SLURM_ARRAY_JOB_ID=$id \
    SLURM_ARRAY_TASK_ID=$task SLURM_PROCID=0 \
    SLURM_LOCALID=0 SLURM_NODEID=0 SLURM_NTASKS=1 SLURM_JOB_NUM_NODES=1 SLURM_JOB_NODELIST=n1 \
    SLURM_CPUS_ON_NODE=1 SLURMD_NODENAME=n$task setsid PYTHON -u -m submitit.core._submit $folder \
    > log-$name 2>&1 < /dev/null & echo $! > job$name
done
echo Submitted batch job $id""",
    "squeue": r"""
for job in job*; do
  [ -e "$job" ] && kill -0 $(cat $job) 2> /dev/null && echo ${job#job} RUNNING
done; true""",
    "scontrol": "",
    "scancel": "",
}


@pytest.fixture
def small_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("submitit", reason="needs the extra gansweep[slurm]")
    folder = tmp_path / "slurm"
    (folder / "bin").mkdir(parents=True)
    for name, words in SMALL_SLURM.items():
        words = words.replace("PYTHON", sys.executable)
        (folder / "bin" / name).write_text(f"#!/bin/sh\ncd {folder}\n{words}\n")
        (folder / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("GANSWEEP_LEASE", "3")
    paths = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    return folder


SLOTS = ("slots=slurm", "workers=2", "hydra.launcher.gpus_per_node=null")


@pytest.mark.slow
def test_a_row_list_a_confirmation_and_an_extension_by_workers(
    cli: Cli, small_slurm: Path, tmp_path: Path
) -> None:
    rows = tmp_path / "three.yaml"
    rows.write_text(
        "title: Three rows\ndata: [digits]\nset: {lr: 1e-3}\n"
        "tables: [{columns: [lr, beta1], rows: [[1e-3, 0.5], [5e-4, 0.5], [2e-4, 0.5]]}]\n"
    )
    small = ("data=mnist5k", "steps=6", "width=0.0625", "batch_size=8", "threads=1", "name=g")
    grid = cli("-m", f"sweep={rows}", *small, *SLOTS)
    assert grid.returncode == 0, grid.stdout + grid.stderr
    assert "2 Slurm jobs submitted" in grid.stdout
    revive(tmp_path)
    again = cli("confirm", "g", "--top", "2", "--seeds", "2", *SLOTS)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "2 Slurm jobs submitted" in again.stdout
    assert again.stdout.count("none is alive") == 2, "six steps are too few"
    manifest = json.loads((tmp_path / "outputs/sweeps/g-confirm/manifest.json").read_text())
    assert manifest["command"].endswith(
        "--seeds 2 hydra/launcher=slurm hydra.launcher.workers=2 hydra.launcher.gpus_per_node=null"
    )
    assert "4 done, 0 to train" in cli("resume", "g-confirm").stdout
    longer = cli("extend", "g", "--steps", "10", *SLOTS)
    assert longer.returncode == 0, longer.stdout + longer.stderr
    assert "2 Slurm jobs submitted" in longer.stdout
    manifest = json.loads((tmp_path / "outputs/sweeps/g-extend-steps-10/manifest.json").read_text())
    runs = [Run(tmp_path / "outputs", run_id) for run_id in manifest["titles"]]
    assert [ends(run) for run in runs] == [[6, "done"]] * 3
    slots = {event["slot"] for run in runs for event in run.read_history() if "slot" in event}
    assert all(slot.startswith("n") for slot in slots), "workers trained them"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("workers=2",), "add slots=slurm"),
        (("slots=moon",), "valid: local, slurm, ray"),
        (("slots=slurm", "hydra.launcher.partitionn=x"), "partitionn"),
        (("hydra/launcher=basic",), "slots=local, slurm or ray"),
    ],
)
def test_wrong_slots_of_an_extension_are_refused(
    cli: Cli, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    grid = ("-m", "lr=1e-3", "data=mnist5k", "steps=2", "width=0.0625", "name=g", "judge=false")
    assert cli(*grid).returncode == 0
    assert says in one_line_error(cli("extend", "g", "--steps", "4", *words))
