"""Tests of other launchers, which must do the same as gansweep's own launcher.

submitit_local and Ray are real, and so is Slurm in test_slurm.py.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from commands import Command, run, with_fault
from conftest import Cli, machine_lock, one_line_error, wait_for

from gansweep.store.run import Run

pytestmark = pytest.mark.slow


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Return a `cli` with new interpreters, because launchers start their own interpreters."""
    return functools.partial(run, tmp_path, cold=True)


@pytest.fixture
def faulty_cli(tmp_path: Path) -> Any:
    return lambda fault: functools.partial(run, tmp_path, cold=True, fault=fault)


GRID = (
    "-m", "lr=1e-3,5e-4,2e-4", "data=mnist5k", "steps=20", "sample_every=5", "name=c",
    "threads=1", "judge=false",
)  # fmt: skip


def statuses(folder: Path) -> list[str]:
    manifest = json.loads((folder / "outputs/sweeps/c/manifest.json").read_text())
    return [Run(folder / "outputs", run_id).status() for run_id in manifest["titles"]]


def history(folder: Path, row: int) -> list[Any]:
    manifest = json.loads((folder / "outputs/sweeps/c/manifest.json").read_text())
    run = Run(folder / "outputs", list(manifest["titles"])[row])
    return [e.get("cause", e.get("step")) for e in run.read_history()]


FAULTS = "do=raise step=7 lr=0.001;do=kill step=8 lr=0.0005 once="


def check_failures_and_resuming(folder: Path, faulty: Cli, healthy: Cli, *launcher: str) -> None:
    """Check a sweep with a failing row, a killed row and a normal row, and then its retry."""
    done = faulty(*GRID, *launcher)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert statuses(folder) == ["failed", "done", "done"]
    assert history(folder, 0) == [0, "failed"]
    assert history(folder, 1) == [0, "killed", 5, "done"]
    text = (folder / "reports/c/README.md").read_text()
    assert text.count(".png) |") == 2
    assert "failed: injected" in text
    again = healthy(*GRID, *launcher)
    assert "2 done, 1 failed before (retry=failed trains them again), 0 to train" in again.stdout
    assert healthy(*GRID, *launcher, "retry=failed").returncode == 0
    assert statuses(folder) == ["done"] * 3
    # gansweep's own launcher finds the same runs.
    assert "3 done, 0 to train" in healthy(*GRID).stdout


def test_submitit_local(cli: Cli, faulty_cli: Any, tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="needs the extra gansweep[slurm]")
    faulty = faulty_cli(f"{FAULTS}{tmp_path}/once")
    check_failures_and_resuming(tmp_path, faulty, cli, "hydra/launcher=submitit_local")


def test_joblib(cli: Cli, faulty_cli: Any, tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="needs the extra dev")
    faulty = faulty_cli(f"{FAULTS}{tmp_path}/once")
    launcher = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    check_failures_and_resuming(tmp_path, faulty, cli, *launcher)


@pytest.fixture
def only_ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Lock Ray for one test at a time, because `ray stop` ends every Ray on the machine."""
    pytest.importorskip("ray", reason="needs the extra gansweep[ray]")
    with machine_lock(tmp_path_factory, "ray"):
        yield


@pytest.fixture
def ray_cluster(only_ray: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Start a Ray cluster with a fault, not in the sweep's folder; return its address."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    ray = str(Path(sys.executable).parent / "ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        ray, "start", "--head", f"--port={port}", "--num-cpus=2", "--include-dashboard=false",
        "--disable-usage-stats", f"--temp-dir={short_folder()}",
    ]  # fmt: skip
    subprocess.run(
        command, check=True, capture_output=True, cwd=tmp_path / "home",
        env={**with_fault(f"{FAULTS}{tmp_path}/once"), "HOME": str(tmp_path / "home")},
    )  # fmt: skip
    yield f"127.0.0.1:{port}"
    subprocess.run([ray, "stop", "--force"], check=True, capture_output=True)


def short_folder() -> str:
    """Return a folder with a short path, as Ray puts sockets into it."""
    import tempfile

    return tempfile.mkdtemp(prefix="r", dir="/tmp")


def test_ray_cluster(ray_cluster: str, cli: Cli, tmp_path: Path) -> None:
    launcher = ("hydra/launcher=ray_cluster", f"hydra.launcher.ray.init.address={ray_cluster}")
    # The fault is in the environment of the cluster's workers.
    done = cli(*GRID, *launcher)
    assert done.returncode == 1, done.stdout + done.stderr
    assert statuses(tmp_path) == ["failed", "done", "done"]
    assert history(tmp_path, 1) == [0, "killed", 5, "done"]
    assert "failed: injected" in (tmp_path / "reports/c/README.md").read_text()
    assert cli(*GRID, "retry=failed").returncode == 0
    assert "3 done, 0 to train" in cli(*GRID, *launcher).stdout


def test_the_loss_of_a_ray_node_costs_only_its_runs(
    only_ray: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With slots=ray each node has a worker; the other worker goes on with the interrupted run."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GANSWEEP_LEASE", "6")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    ray = str(Path(sys.executable).parent / "ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    common = ("--num-cpus=1", "--disable-usage-stats")
    head = ("--head", f"--port={address.split(':')[1]}", "--include-dashboard=false",
            f"--temp-dir={short_folder()}")  # fmt: skip

    def start(*words: str) -> None:
        command = [ray, "start", *words, *common]
        subprocess.run(command, check=True, capture_output=True, cwd=home)

    try:
        start(*head)
        first = raylets(home)
        start(f"--address={address}")
        (lost,) = raylets(home) - first
        slots = ("slots=ray", "workers=2", f"hydra.launcher.address={address}")
        sweep = Command(tmp_path, *GRID, *slots, fault="do=slow seconds=0.4", cold=True)
        wait_for("outputs/runs/*/last.ckpt", tmp_path, 2)
        os.kill(lost, signal.SIGKILL)
        out, err = sweep.communicate(timeout=240)
        assert sweep.returncode == 0, out + err
        assert statuses(tmp_path) == ["done"] * 3
        causes = [cause for row in range(3) for cause in history(tmp_path, row)]
        assert causes.count("done") == 3, causes
        again = Command(tmp_path, *GRID, *slots, cold=True)
        assert "3 done, 0 to train" in again.communicate()[0]
        search = Command(
            tmp_path, "-m", "lr=interval(1e-4,1e-3)", "name=q", "data=mnist5k", "steps=20",
            "width=0.0625", "batch_size=8", "threads=1", "trials=4", *slots, cold=True,
        )  # fmt: skip
        out, err = search.communicate(timeout=240)
        assert search.returncode == 0, out + err
        manifest = json.loads((tmp_path / "outputs/sweeps/q/manifest.json").read_text())
        assert (len(manifest["rows"]), manifest["search"]["failed"]) == (4, {})
    finally:
        subprocess.run([ray, "stop", "--force"], capture_output=True)


def raylets(home: Path) -> set[int]:
    """Return the process ids of the nodes of the test's Ray."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            program = (entry / "cmdline").read_bytes().split(b"\0")[0]
            own = f"HOME={home}".encode() in (entry / "environ").read_bytes()
            if own and program.endswith(b"/raylet"):
                found.add(int(entry.name))
    return found


def test_a_killed_ray_worker_ends_the_sweep_with_a_table(
    only_ray: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray's plugin fails with the worker; the table is written, and the sweep can be resumed."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    init = "+hydra.launcher.ray.init."
    command = [
        sys.executable, "-m", "gansweep", *GRID, "hydra/launcher=ray", f"{init}address=local",
        f"{init}include_dashboard=false", f"{init}log_to_driver=false",
        "+hydra.launcher.ray.remote.num_cpus=1", "+hydra.launcher.ray.remote.max_retries=0",
    ]  # fmt: skip
    process = subprocess.Popen(
        command, cwd=tmp_path, env=with_fault("do=slow seconds=0.5"), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    wait_for("outputs/runs/*/last.ckpt", tmp_path)
    os.kill(ray_worker(tmp_path), signal.SIGKILL)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 1, out
    assert "the launcher failed: WorkerCrashedError" in out, out
    assert (tmp_path / "reports/c/README.md").exists()
    wait_until_free(tmp_path)
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert again.returncode == 0, again.stdout + again.stderr
    assert statuses(tmp_path) == ["done"] * 3
    starts = [e for row in range(3) for e in history(tmp_path, row) if isinstance(e, int)]
    assert max(starts) >= 5, "the unfinished run resumed from its checkpoint"


def ray_worker(folder: Path) -> int:
    """Return the process id of a worker of the sweep's Ray."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            title = (entry / "cmdline").read_bytes()
            if not title.startswith(b"ray::") or b"IDLE" in title or b"Agent" in title:
                continue
            if f"{folder}".encode() in (entry / "environ").read_bytes():
                return int(entry.name)
    raise AssertionError("no Ray worker")


def wait_until_free(folder: Path) -> None:
    """Wait until the trainings have noticed the death of their worker and stopped."""
    end = time.monotonic() + 30
    while "running" in statuses(folder):
        assert time.monotonic() < end, statuses(folder)
        time.sleep(0.2)


def test_gansweeps_launcher_refuses_other_sweepers(cli: Cli) -> None:
    message = one_line_error(cli("-m", "hydra/sweeper=basic", "lr=1e-3,5e-4"))
    assert "leave out hydra/sweeper" in message
