"""Tests of the pool: real processes with all kinds of ends, slots, order and devices."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import one_line_error

from gansweep.launch import devices, forkserver, processes
from gansweep.launch.child import Ended
from gansweep.launch.devices import Device, cpu_cores, find_devices
from gansweep.launch.pool import Job, Place, Pool, Running
from gansweep.store.errors import UserError
from gansweep.store.estimate import total_seconds
from gansweep.store.run import Run, read_json
from gansweep.training import stop

if TYPE_CHECKING:  # Every job imports this file, and other imports would take 0.2 s.
    from conftest import Cli

CPU = Device("cpu", "", "cpu", "CPU", cores=2, free_mib=8000)


@pytest.fixture
def pool() -> Iterator[Pool]:
    processes.warm_up(preload="json")  # No test here needs torch.
    made = Pool([CPU])
    yield made
    made.kill()
    processes.shut_down()


def drain(pool: Pool, seconds: float = 60) -> dict[str, Ended]:
    ended, deadline = {}, time.monotonic() + seconds
    while pool.waiting or pool.running:
        assert time.monotonic() < deadline
        ended |= {running.job.key: how for running, how in pool.wait(1)}
    return ended


class Odd(Exception):
    """An error that can be pickled but not unpickled."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__("odd")


def act(what: str, place: dict[str, Any]) -> Any:
    """Do what the test chose, in the process of a job."""
    if what == "return":
        return os.getpid(), place, os.getppid()
    if what == "raise":
        raise ValueError("no such luck")
    if what == "odd":
        raise Odd(1, 2)
    if what == "sys.exit":
        sys.exit(4)
    if what == "os._exit":
        os._exit(3)
    if what == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "environment":
        return os.environ.get("CUDA_VISIBLE_DEVICES")
    if what == "print":
        print("from Python", flush=True)
        os.system("echo from below")
        raise ValueError("and a traceback")
    deadline = time.monotonic() + 30
    while not stop.requested() and time.monotonic() < deadline:
        time.sleep(0.01)
    raise stop.Stopped("as asked")


def test_jobs_end_in_every_way_and_other_jobs_continue(pool: Pool) -> None:
    ways = ["return", "raise", "odd", "sys.exit", "os._exit", "segfault", "kill", "return"]
    for i, what in enumerate(ways):
        pool.submit(Job(f"{i}", act, (what,)))
    ended = drain(pool)
    assert ended["0"].returned and ended["7"].returned
    assert ended["0"].result[0] != ended["7"].result[0], "each job has its own process"
    assert isinstance(ended["1"].error, ValueError)
    assert "Odd: odd" in str(ended["2"].error)
    assert isinstance(ended["3"].error, SystemExit)
    assert ended["4"].how() == "its process exited with code 3"
    assert ended["5"].how() == "killed by SIGSEGV"
    assert ended["6"].how() == "killed by SIGKILL"
    assert [ended[str(i)].killed for i in range(8)] == [False] * 6 + [True, False]
    assert {ended[i].result[1]["slot"] for i in "07"} <= {"cpu:0", "cpu:1"}


def test_the_log_has_native_output_too(pool: Pool, tmp_path: Path) -> None:
    log = tmp_path / "run" / "log.txt"
    pool.submit(Job("a", act, ("print",), log=log))
    drain(pool)
    words = ("from Python", "from below", "ValueError: and a traceback")
    assert all(word in log.read_text() for word in words)


def test_stop_requests_an_end_and_waits(pool: Pool) -> None:
    for key in "abc":
        pool.submit(Job(key, act, ("wait",)))
    pool.wait(0.5)
    assert len(pool.running) == 2
    pool.stop()
    ended = {}
    while pool.running:
        ended |= {running.job.key: how for running, how in pool.wait(1)}
    assert {type(how.error) for how in ended.values()} == {stop.Stopped}
    assert [job.key for job in pool.waiting] == ["c"], "no new job is started"
    pool.waiting.clear()


def test_a_suspended_job_gets_the_request_to_stop(pool: Pool) -> None:
    pool.submit(Job("a", act, ("wait",)))
    pool.wait(0.5)
    (running,) = pool.running
    os.kill(running.process.pid, signal.SIGSTOP)
    pool.stop()
    deadline = time.monotonic() + 20
    ended: list[tuple[Running, Ended]] = []
    while not ended and time.monotonic() < deadline:
        ended = pool.wait(1)
    assert [type(how.error) for _, how in ended] == [stop.Stopped]


def test_a_server_that_fails_during_its_imports_is_reported_in_one_line(tmp_path: Path) -> None:
    """The server fails as with too little memory for torch, and no run is recorded as failed."""
    (tmp_path / "torch.py").write_text("raise ImportError('failed to map segment')\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    arguments = ("-m", "lr=1e-3", "steps=2", "data=mnist5k", "judge=false")
    done = subprocess.run(
        [sys.executable, "-m", "gansweep", *arguments],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    message = "gansweep: error: the server from which runs are forked ends while it imports torch"
    assert one_line_error(done).startswith(message)
    assert not list(tmp_path.glob("outputs/runs/*/failure.json"))


def test_a_server_whose_parent_was_killed_at_once_ends_in_silence() -> None:
    command = [sys.executable, "-c", forkserver._CODE]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_killed_server_ends_no_job(pool: Pool) -> None:
    """Its jobs continue and their ends are reported; a new server starts other jobs."""
    pool.submit(Job("a", act, ("wait",)))
    pool.submit(Job("b", act, ("wait",)))
    pool.wait(0.5)
    server = processes.server_pid()
    assert server is not None
    os.kill(server, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline, "the server does not end"
    assert pool.wait(0.2) == [], "jobs outlive their server"
    running = {r.job.key: r.process for r in pool.running}
    running["a"].kill()
    running["b"].stop()
    pool.submit(Job("c", act, ("return",)))
    ended = drain(pool)
    assert ended["a"].how() == "killed by SIGKILL", "the exit code of an orphan is known"
    assert isinstance(ended["b"].error, stop.Stopped)
    assert ended["c"].returned
    assert processes.server_pid() != server
    assert not Path(f"/proc/{server}").exists(), "no zombie"


def running(key: str, device: Device, slot: int, **facts: Any) -> Running:
    class Started:
        started = time.monotonic()

    return Running(Job(key, act, **facts), Place(slot, device, 1), Started())  # type: ignore[arg-type]


GPU = Device("cuda", "GPU-0", "gpu0", "a GPU", cores=16, free_mib=10_000)


def test_a_gpu_takes_as_many_jobs_as_fit_its_memory() -> None:
    pool = Pool([GPU])
    unknown, small, big = (
        Job("?", act),
        Job("s", act, memory_mib=1400),
        Job("b", act, memory_mib=6000),
    )
    assert pool._room_for(unknown) is GPU, "an empty device takes a job of unknown memory"
    pool.running = [running("?", GPU, 0)]
    assert pool._room_for(small) is None, "the memory of the first job is unknown"
    pool.running[0].job.memory_mib = 1400  # The first steps have measured this.
    assert pool._room_for(small) is GPU
    assert pool._room_for(big) is GPU  # The jobs need 2000 + 6600 of 9000 MiB.
    pool.running.append(running("b", GPU, 1, memory_mib=6000))
    assert pool._room_for(small) is None
    assert pool._room_for(unknown) is None


def test_jobs_per_device_is_obeyed_and_devices_are_balanced() -> None:
    other = Device("cuda", "GPU-1", "gpu1", "a GPU", cores=16, free_mib=10_000)
    pool = Pool([GPU, other], jobs_per_device=2)
    places = []
    for i in range(4):
        room = pool._room_for(Job("x", act))
        assert room is not None
        places.append(room.label)
        pool.running.append(running(str(i), room, i))
    assert places == ["gpu0", "gpu1", "gpu0", "gpu1"]
    assert pool._room_for(Job("x", act)) is None


def test_a_job_that_must_be_alone_is_alone_on_its_device() -> None:
    pool = Pool([CPU])
    pool.running = [running("a", CPU, 0, memory_mib=10)]
    assert pool._room_for(Job("x", act, memory_mib=10, alone=True)) is None
    pool.running[0].job.alone = True
    assert pool._room_for(Job("x", act, memory_mib=10)) is None
    pool.running = []
    assert pool._room_for(Job("x", act, alone=True)) is CPU


def test_rows_start_in_order_except_long_ones_which_start_early() -> None:
    pool = Pool([CPU])

    def order(*seconds: float | None) -> list[int]:
        pool.waiting = [Job(str(i), act, seconds=s) for i, s in enumerate(seconds)]
        started = []
        while pool.waiting:
            job = pool._next()
            pool.waiting.remove(job)
            started.append(int(job.key))
        return started

    assert order(10, 10, 10, 10) == [0, 1, 2, 3]
    assert order(None, None, None) == [0, 1, 2]
    assert order(10, 10, 10, 60) == [3, 0, 1, 2]
    assert order(10, 10, 10, 10, 10, 10, 30)[0] == 0, "there is enough time for the long row later"
    assert 6 not in order(10, 10, 10, 10, 10, 10, 30)[-2:]


FAKE_SMI = """#!/bin/sh
echo "0, GPU-aaa, Fake Accelerator, 80000"
echo "1, GPU-bbb, Fake Accelerator, 40000"
"""


@pytest.fixture
def fake_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace nvidia-smi by a script that lists two GPUs."""
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text(FAKE_SMI)
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_gpus_are_found_and_given_to_jobs(
    fake_gpus: None, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "torch_sees_gpus", lambda: True)
    found = find_devices()
    assert [(d.label, d.free_mib) for d in found] == [("gpu0", 80000), ("gpu1", 40000)]
    for visible, labels in (("1", ["gpu1"]), ("GPU-aaa", ["gpu0"]), ("MIG-x", ["gpu0"]), ("", [])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert [d.label for d in find_devices() if d.kind == "cuda"] == labels
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-x")
    (part,) = find_devices()
    assert (part.id, part.free_mib) == ("MIG-x", 0), (
        "of unknown memory, so it takes one job at a time"
    )
    assert find_devices("cpu")[0].cores == cpu_cores()
    pool.devices = found
    for key in "ab":
        pool.submit(Job(key, act, ("environment",)))
    assert sorted(how.result for how in drain(pool).values()) == ["GPU-aaa", "GPU-bbb"]


@pytest.mark.slow
def test_gpus_that_torch_cannot_use_are_ignored(fake_gpus: None, cli: Cli, tmp_path: Path) -> None:
    from conftest import one_line_error

    if devices.torch_sees_gpus():
        pytest.skip("PyTorch can use a GPU here")
    grid = ("-m", "data=mnist5k", "steps=2", "width=0.0625", "judge=false", "name=g")
    done = cli(*grid, "lr=1e-3,2e-3")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert said.count("nvidia-smi lists 2 GPUs, but PyTorch can use none (it is built") == 1
    for folder in (tmp_path / "outputs/runs").iterdir():
        run = Run(tmp_path / "outputs", folder.name)
        assert run.read_history()[0]["slot"].startswith("cpu:")
        assert (read_json(run.environment) or {})["device"] == "cpu"
    error = one_line_error(cli(*grid, "lr=3e-3", "device=cuda"))
    assert "device=cuda, but PyTorch can use none" in error
    assert "use device=cpu or auto" in error


def test_slots_are_numbered_on_each_device(pool: Pool) -> None:
    pool.devices = [GPU, Device("cuda", "GPU-1", "gpu1", "a GPU", cores=16, free_mib=10_000)]
    pool.jobs_per_device = 2
    for key in "abcd":
        pool.submit(Job(key, act, ("return",)))
    slots = {how.result[1]["slot"] for how in drain(pool).values()}
    assert slots == {"gpu0:0", "gpu0:1", "gpu1:0", "gpu1:1"}


@pytest.mark.slow
def test_a_sweep_needs_no_call_that_is_missing_on_macos(tmp_path: Path) -> None:
    """macOS has `waitid` only since Python 3.13, and has no `prctl` and no process affinity."""
    code = (
        "import ctypes, os, runpy, sys\n"
        "del os.waitid, os.sched_getaffinity\n"
        "ctypes.CDLL = lambda name: object()\n"
        "sys.argv = ['gansweep', *sys.argv[1:]]\n"
        "runpy.run_module('gansweep', run_name='__main__')\n"
    )
    grid = ("-m", "lr=1e-3", "data=mnist5k", "steps=2", "width=0.0625", "judge=false")
    done = subprocess.run(
        [sys.executable, "-c", code, *grid], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "1 of 1 run trained" in done.stdout


def test_a_server_may_be_killed_on_systems_without_subreapers(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "waitid")
    server = processes.server_pid()
    assert server is not None
    os.kill(server, signal.SIGKILL)
    pool.submit(Job("a", act, ("return",)))
    assert drain(pool)["a"].returned
    processes.reap_strays(set())


def test_other_child_processes_are_not_reaped(pool: Pool) -> None:
    child = subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"])
    pool.submit(Job("a", act, ("return",)))
    while processes.server_pid() and child.pid and not _ended(child.pid):
        time.sleep(0.05)
    processes.reap_strays(set())
    drain(pool)
    assert child.wait() == 7


def _ended(pid: int) -> bool:
    """Return whether a child has ended."""
    found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return found is not None


@pytest.mark.parametrize("module", ["gansweep", "gansweep.status"])
def test_windows_is_refused_in_one_line(module: str) -> None:
    from conftest import one_line_error

    code = (
        "import runpy, sys\n"
        "sys.modules['fcntl'] = None\n"
        "sys.platform = 'win32'\n"
        f"runpy.run_module({module!r}, run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "Windows is not supported, as jobs are forked; use WSL" in one_line_error(done)


def test_missing_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(UserError, match="device=cuda, but nvidia-smi lists no GPU"):
        find_devices("cuda")


def test_the_time_left_of_a_sweep() -> None:
    assert total_seconds([], 2) is None
    assert total_seconds([None, None], 2) is None
    assert total_seconds([10, None, 20, None], 2) == 30
    assert total_seconds([5, None, None], 1, whole=[50]) == 105, (
        "5 s of 50 s are left of the first job"
    )
    assert total_seconds([10, 40], 2) == 40, "no less than the longest job"
    assert total_seconds([10], 8) == 10
    assert total_seconds([25, 25, 25], 2) == 50, "a run is not divided"


@pytest.mark.slow
def test_every_job_is_a_fork_of_the_server_and_leaves_no_file_open(pool: Pool) -> None:
    """`make bench` measures the cost of a job, 0.03 s."""

    def parents(count: int) -> set[int]:
        for i in range(count):
            pool.submit(Job(str(i), act, ("return",)))
        return {how.result[2] for how in drain(pool).values()}

    assert parents(2) == {processes.server_pid()}
    before = open_files()
    assert parents(40) == {processes.server_pid()}
    assert open_files() == before


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_jobs_of_a_worker_that_joblib_started(tmp_path: Path) -> None:
    """No other process knows the start method `loky` of such a worker."""
    pytest.importorskip("joblib")
    code = (
        "import time\n"
        "from joblib import Parallel, delayed\n"
        "from gansweep.launch import processes\n"
        "def work():\n"
        "    processes.warm_up(preload='json')\n"
        "    job = processes.Process(time.sleep, (0.1,))\n"
        "    while (ended := job.ended()) is None: time.sleep(0.05)\n"
        "    processes.shut_down()\n"
        "    return ended.returned, ended.exit_code\n"
        "if __name__ == '__main__':\n"
        "    print(Parallel(n_jobs=2, backend='loky')(delayed(work)() for _ in range(2)))\n"
    )
    (tmp_path / "script.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.stdout == "[(True, 0), (True, 0)]\n", done.stderr
