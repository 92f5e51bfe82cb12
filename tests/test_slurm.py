"""Tests of sweeps by workers on a real Slurm of two nodes, which tests/slurm/cluster starts.

A core each, a partition whose jobs preempt those of the other, and requeueing. All runs are tiny.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from commands import Command
from conftest import machine_lock, revive, wait_for, wait_until

from gansweep.store.run import Run

pytestmark = pytest.mark.slow

CLUSTER = Path(__file__).parent / "slurm" / "cluster"
# A node of this cluster has one core, no GPU, and a third of the memory of the machine.
SLURM = (
    "slots=slurm", "hydra.launcher.gpus_per_node=null", "hydra.launcher.cpus_per_task=1",
    "hydra.launcher.mem_gb=1.5", "hydra.launcher.partition=low",
)  # fmt: skip
GRID = (
    "-m", "lr=1e-3,5e-4,2e-4,1e-4", "data=mnist5k", "steps=40", "sample_every=10", "log_every=5",
    "name=s", "threads=1", "judge=false",
)  # fmt: skip
SLOW = "do=slow seconds=0.25"


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Start the cluster, and return its folder."""
    pytest.importorskip("submitit", reason="needs the extra gansweep[slurm]")
    if os.geteuid() != 0 or not (shutil.which("slurmctld") or shutil.which("apt-get")):
        pytest.skip("a Slurm for tests needs root, and Debian's packages")
    with machine_lock(tmp_path_factory, "slurm"):  # a machine has room for one cluster
        yield from cluster(Path("/tmp") / f"slurm-{os.getpid()}")  # sockets have short paths


def cluster(folder: Path) -> Iterator[Path]:
    try:
        subprocess.run([CLUSTER, folder], check=True, timeout=400, capture_output=True)
    except (OSError, subprocess.SubprocessError) as error:
        subprocess.run([CLUSTER, "stop", folder], capture_output=True)
        pytest.skip(f"no Slurm can be started here: {error}")
    yield folder
    subprocess.run(["scancel", "--user", "root"], capture_output=True)
    subprocess.run([CLUSTER, "stop", folder], capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def quick(slurm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Use a short lease, and the code of this checkout in all jobs. No job is left to the next."""
    monkeypatch.setenv("GANSWEEP_LEASE", "6")
    root = str(Path(__file__).parents[1])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    yield
    explain(slurm, tmp_path)
    subprocess.run(["scancel", "--user", "root"], capture_output=True)
    asked = ["squeue", "--noheader", "--array"]
    wait_until(lambda: not subprocess.run(asked, capture_output=True).stdout, "end of jobs", 90)


def explain(slurm: Path, folder: Path) -> None:
    """Print what explains a failure, which pytest shows then: workers, histories, and Slurm."""
    for path in sorted(folder.rglob("history.jsonl")):
        events = [json.loads(line) for line in path.read_text().splitlines()]
        print(
            path.parent.name,
            [(e["event"], e.get("cause"), e.get("why"), e["time"]) for e in events],
        )
    for path in sorted(folder.rglob("*_log.*")):
        print(f"--- {path.name}\n{path.read_text(errors='replace')[-600:]}")
    lines = (slurm / "slurmctld.log").read_text(errors="replace").splitlines()
    print(*[line for line in lines if "JobId=" in line][-30:], sep="\n")


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the table of the same sweep on this machine."""
    folder = tmp_path_factory.mktemp("local")
    subprocess.run([sys.executable, "-m", "gansweep", *GRID], cwd=folder, check=True)
    return table(folder)


def table(folder: Path, name: str = "s") -> str:
    """Return the report without its command and times."""
    text = (folder / f"reports/{name}/README.md").read_text()
    text = re.sub(r"training took .* per run", "", text)
    return "\n".join(line for line in text.split("\n") if "python -m gansweep" not in line)


def start(folder: Path, *more: str, fault: str = "", workers: int = 2) -> Command:
    return Command(folder, *GRID, *SLURM, f"workers={workers}", *more, fault=fault, cold=True)


def runs(folder: Path, name: str = "s") -> list[Run]:
    manifest = json.loads((folder / f"outputs/sweeps/{name}/manifest.json").read_text())
    return [Run(folder / "outputs", run_id) for run_id in manifest["titles"]]


def jobs(folder: Path) -> list[str]:
    path = folder / "outputs/sweeps/s/jobs.json"
    return json.loads(path.read_text())["slurm"] if path.exists() else []


def states(folder: Path) -> list[str]:
    asked = subprocess.run(
        ["squeue", "--noheader", "--array", "--format", "%i %T"], capture_output=True, text=True
    )
    found = dict(line.split() for line in asked.stdout.splitlines())
    return [found[job] for job in jobs(folder) if job in found]


def pids_of_workers(folder: Path) -> list[int]:
    """Return the process ids of the workers of a sweep, which all run on this machine."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"work" in words and (entry / "cwd").resolve() == folder.resolve():
                found.append(int(entry.name))
    return found


def ends(run: Run) -> list[Any]:
    return [event.get("cause") for event in run.read_history() if event["event"] == "ended"]


def check(command: Command, folder: Path, local: str) -> str:
    """Check that every run was done once, and that the table is that of this machine."""
    try:
        out, err = command.communicate(timeout=240)
    except subprocess.TimeoutExpired:
        raise AssertionError(command.said()) from None
    assert command.returncode == 0, out + err
    assert "sacct" not in out + err
    assert "Traceback" not in out + err
    for run in runs(folder):
        assert ends(run).count("done") == 1, run.read_history()
        assert [line["step"] for line in run.read_metrics()] == list(range(5, 41, 5))
    assert table(folder) == local
    return out


def test_a_grid_on_two_nodes(slurm: Path, local: str, tmp_path: Path) -> None:
    command = start(tmp_path, fault=SLOW)  # so that no worker ends before the other one begins
    out = check(command, tmp_path, local)
    assert "2 Slurm jobs submitted" in out
    slots = {event["slot"].split("/")[0] for run in runs(tmp_path) for event in run.read_history()
             if event["event"] == "started"}  # fmt: skip
    assert slots == {"n1", "n2"}
    assert all(f"[{number}/4]" in out for number in range(1, 5)), "a line for each run"
    again = start(tmp_path)
    assert "4 done, 0 to train" in again.communicate()[0]


def test_a_row_list_and_its_confirmation(slurm: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.yaml"
    rows.write_text(
        "title: Three rows\ndata: [digits]\nset: {lr: 1e-3}\n"
        "tables: [{columns: [lr, beta1], rows: [[1e-3, 0.5], [5e-4, 0.5], [2e-4, 0.5]]}]\n"
    )
    words = ("-m", f"sweep={rows}", "data=mnist5k", "steps=20", "width=0.0625", "batch_size=8",
             "threads=1", "name=s")  # fmt: skip
    here, there = tmp_path / "here", tmp_path / "there"
    for folder, more in ((here, ()), (there, (*SLURM, "workers=2"))):
        folder.mkdir()
        command = Command(folder, *words, *more, cold=True)
        out, err = command.communicate(timeout=240)
        assert command.returncode == 0, out + err
        revive(folder)
        command = Command(folder, "confirm", "s", "--top", "2", "--seeds", "2", *more, cold=True)
        out, err = command.communicate(timeout=240)
        assert command.returncode == 0, out + err
    assert "2 Slurm jobs submitted" in out
    assert table(there) == table(here)
    assert table(there, "s-confirm") == table(here, "s-confirm")
    assert all(ends(run) == ["done"] for run in runs(there, "s-confirm"))


def test_a_killed_worker_a_killed_command_and_a_restarted_controller(
    slurm: Path, local: str, tmp_path: Path
) -> None:
    # All runs wait, so that some are left to train whenever Slurm says that a worker is gone.
    go = tmp_path / "go"
    fault = f"do=wait until={go} step=30"
    command = start(tmp_path, fault=fault)
    wait_for("outputs/runs/*/metrics.jsonl", tmp_path, 2)
    command.kill()  # the workers go on
    command.wait()
    first = jobs(tmp_path)
    again = start(tmp_path, fault=fault)
    wait_until(lambda: "sweep s:" in again.said()[0], "plan")
    time.sleep(6)
    assert jobs(tmp_path) == first, "no worker was submitted twice"
    os.kill(pids_of_workers(tmp_path)[0], signal.SIGKILL)
    subprocess.run([CLUSTER, "restart", slurm], check=True)
    wait_until(lambda: "submitted" in again.said()[0], "worker for the missing one", 120)
    go.touch()
    check(again, tmp_path, local)


def test_a_preempted_worker_is_requeued_and_resumes(
    slurm: Path, local: str, tmp_path: Path
) -> None:
    command = start(tmp_path, fault=SLOW)
    wait_for("outputs/runs/*/last.ckpt", tmp_path, 2)
    subprocess.run(
        ["sbatch", "-p", "high", "--mem", "100M", "-o", "/dev/null", "--wrap", "sleep 5"],
        check=True, capture_output=True,
    )  # fmt: skip
    out = check(command, tmp_path, local)
    stops = [cause for run in runs(tmp_path) for cause in ends(run) if cause != "done"]
    assert "stopped" in stops, out
    shown = subprocess.run(["scontrol", "show", "job"], capture_output=True, text=True).stdout
    assert "Restarts=1" in shown, "the worker was requeued"


def test_the_time_limit_and_a_drained_node(slurm: Path, local: str, tmp_path: Path) -> None:
    """A worker near its limit writes checkpoints and is requeued; the other node is drained."""
    command = start(
        tmp_path, "hydra.launcher.timeout_min=2", "hydra.launcher.signal_delay_s=60",
        fault="do=slow seconds=0.9",  # all runs take longer than the limit
    )  # fmt: skip
    try:
        wait_for("outputs/runs/*/last.ckpt", tmp_path, 2)
        drain = ["scontrol", "update", "nodename=n2", "state=drain", "reason=test"]
        subprocess.run(drain, check=True)
        out = check(command, tmp_path, local)
        assert out.count("submitted") == 1, "the workers were requeued"
    finally:
        subprocess.run(["scontrol", "update", "nodename=n2", "state=resume"], check=True)
    stops = [cause for run in runs(tmp_path) for cause in ends(run) if cause != "done"]
    assert stops, "runs were stopped and resumed"
    assert set(stops) == {"stopped"}


def test_stop_ends_workers_and_cancels_waiting_ones(
    slurm: Path, local: str, tmp_path: Path
) -> None:
    command = start(tmp_path, fault=SLOW, workers=4)
    wait_for("outputs/runs/*/metrics.jsonl", tmp_path, 2)
    shown = Command(tmp_path, "status", "s")
    assert "workers: 2 running, 2 pending" in shown.communicate()[0]
    stop = Command(tmp_path, "stop", "s")
    out, err = stop.communicate()
    assert stop.returncode == 0, out + err
    assert "2 waiting Slurm jobs cancelled" in out
    assert command.wait(120) == 130
    wait_until(lambda: not states(tmp_path), "end of the jobs", 60)
    check(start(tmp_path), tmp_path, local)


def test_a_search_on_two_nodes(slurm: Path, tmp_path: Path) -> None:
    """A search of ten trials prunes bad ones and loses none, although a worker is killed."""
    search = (
        "-m", "lr=interval(1e-6,1e-2)", "name=s", "data=mnist5k", "steps=150", "width=0.0625",
        "batch_size=64", "threads=1", "trials=10", "sampler=random", "workers=2",
    )  # fmt: skip
    command = Command(tmp_path, *search, *SLURM, cold=True)
    wait_until(lambda: "trial 1 " in command.said()[0], "trial", 240)
    os.kill(pids_of_workers(tmp_path)[0], signal.SIGKILL)
    out, err = command.communicate(timeout=300)
    assert command.returncode in (0, 1), out + err
    manifest = json.loads((tmp_path / "outputs/sweeps/s/manifest.json").read_text())
    assert len(manifest["rows"]) == 10
    assert manifest["search"]["failed"] == {}
    shown = re.findall(r"^trial \d+  lr=(\S+)", out, re.MULTILINE)
    assert len(shown) >= 5
    assert "pruned at step" in out
    assert max(map(len, shown)) < 10, "values are rounded"
    assert "Traceback" not in out + err
    assert all(ends(run).count("done") <= 1 for run in runs(tmp_path))
