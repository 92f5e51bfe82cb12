"""Tests of `packing=speed` and `mps=true`, which decide how runs share a device."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import one_line_error

from gansweep.launch import mps, packing, processes
from gansweep.launch.devices import Device
from gansweep.launch.pool import Job, Place, Pool, Running

if TYPE_CHECKING:  # Every job of this file imports it, and other imports would take 0.2 s.
    from conftest import Cli

GPU = Device("cuda", "GPU-0", "gpu0", "a GPU", cores=16, free_mib=80_000)
GRID = ("-m", "lr=1e-3,2e-3,5e-4", "data=mnist5k", "width=0.0625", "steps=2", "judge=false")
CONTROL = """#!/bin/sh
echo "$1" "$(cat)" "$CUDA_MPS_PIPE_DIRECTORY" >> "$CALLS"
"""


@pytest.mark.parametrize(
    ("speeds", "best"),
    [
        ({1: 100.0, 2: 190.0, 4: 240.0, 8: 245.0}, 4),
        ({1: 100.0, 2: 103.0}, 1),
        ({1: 50.0, 2: 100.0, 4: 200.0, 8: 400.0}, 8),
        ({1: 100.0, 2: 90.0, 4: 80.0}, 1),
        ({1: 100.0}, 1),
    ],
)
def test_the_smallest_number_that_is_nearly_the_fastest_is_chosen(
    speeds: dict[int, float], best: int
) -> None:
    assert packing.choose(speeds) == best


class Numbers:
    """Numbers that a measurement would find, by the first letter of the job's key."""

    def __init__(self, **numbers: int) -> None:
        self.numbers = numbers
        self.known: dict[str, int] = {}
        self.asked: list[str] = []

    def most(self, key: str, device: Device) -> int | None:
        return self.known.get(key[0])

    def measure(self, key: str, device: Device) -> None:
        if key[0] not in self.known:
            self.asked.append(key)
            self.known[key[0]] = self.numbers[key[0]]


def pipe_of_the_service(place: dict[str, Any]) -> str:
    return os.environ.get("CUDA_MPS_PIPE_DIRECTORY", "")


def filled(pool: Pool, *keys: str) -> list[str]:
    """Give jobs to a pool whose processes never end. Returns the keys of the running jobs."""

    class Endless:
        started = time.monotonic()

    pool.running = []
    pool.waiting = [Job(key, pipe_of_the_service, memory_mib=100) for key in keys]
    while pool.waiting:
        device = pool._room_for(pool.waiting[0])
        if device is None:
            break
        if pool.packing is not None and not pool.running:
            pool.packing.measure(pool.waiting[0].key, device)
        place = Place(len(pool.running), device, 1)
        pool.running.append(Running(pool.waiting.pop(0), place, Endless()))  # type: ignore[arg-type]
    return [running.job.key for running in pool.running]


def test_a_device_takes_no_more_runs_than_are_fastest() -> None:
    numbers = Numbers(n=3, w=1)
    pool = Pool([GPU], packing=numbers)
    assert filled(pool, *(f"n{i}" for i in range(5))) == ["n0", "n1", "n2"]
    assert filled(pool, "w0", "w1") == ["w0"]
    assert filled(pool, "n0", "w0", "n1") == ["n0"], "a wide run would slow down both"
    assert numbers.asked == ["n0", "w0"], "each cost is measured once"


def test_a_run_of_unknown_speed_waits_for_an_idle_device() -> None:
    pool = Pool([GPU], packing=Numbers(n=3, m=3))
    assert filled(pool, "n0", "m0", "n1") == ["n0"]
    assert filled(pool, "m0", "n0", "m1") == ["m0", "n0", "m1"], "both are known now"


@pytest.mark.slow
def test_the_number_is_measured_once_and_recorded(
    cli: Cli, tmp_path: Path, own_cache: Path
) -> None:
    """The processes of the measurement train the planned run, here on the CPU."""
    done = cli(*GRID, "packing=speed", "threads=1", "name=a", "device=cpu")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert said.count("packing=speed: measuring up to") == 1
    assert "3 of 3 runs trained" in said
    (record,) = json.loads((own_cache / "packing.json").read_text()).values()
    speeds = {int(n): rate for n, rate in record["images/s"].items()}
    assert min(speeds) == 1
    assert all(rate > 0 for rate in speeds.values())
    assert record["choice"] == packing.choose(speeds)
    again = cli(*GRID, "packing=speed", "threads=1", "name=b", "device=cpu", "seed=2")
    assert again.returncode == 0, again.stderr
    assert "measuring" not in again.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("packing=speed", "jobs_per_device=2"), "leave out jobs_per_device="),
        (("packing=speed", "hydra/launcher=basic"), "leave it out for basic"),
        (("packing=fast",), "packing=fast: valid: memory, speed"),
        (("mps=true", "device=cpu"), "mps=true is for GPUs, and there is none"),
    ],
)
def test_what_cannot_be_followed_is_refused(
    cli: Cli, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    assert message in one_line_error(cli(*GRID, *words))
    assert not (tmp_path / "outputs").exists()


@pytest.mark.slow
def test_only_the_step_of_gansweep_is_measured(cli: Cli, tmp_path: Path, own_cache: Path) -> None:
    (tmp_path / "train.py").touch()
    command = "command=python train.py {lr} {steps}"
    done = cli("-m", "lr=1e-3,2e-3", "data=mnist5k", "steps=2", command, "packing=speed",
               "threads=1", "device=cpu")  # fmt: skip
    assert "packing=speed measures gansweep's own step, and not that of command=" in (
        one_line_error(done)
    )


@pytest.fixture
def control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace NVIDIA's program by a script that writes its calls into a file."""
    tool = tmp_path / "bin" / mps.CONTROL
    tool.parent.mkdir()
    tool.write_text(CONTROL)
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return tool


def test_a_service_has_private_folders_and_is_ended(control: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="injected"), mps.service():
        pipe = os.environ["CUDA_MPS_PIPE_DIRECTORY"]
        assert Path(pipe).is_dir()
        assert Path(os.environ["CUDA_MPS_LOG_DIRECTORY"]).is_dir()
        raise RuntimeError("injected")
    assert "CUDA_MPS_PIPE_DIRECTORY" not in os.environ
    assert not Path(pipe).exists()
    started, ended = (tmp_path / "calls").read_text().splitlines()
    assert started.split() == ["-d", pipe]
    assert ended.split() == ["quit", pipe]


def test_jobs_on_a_gpu_find_the_service_and_a_users_own_one_is_kept(
    control: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes.warm_up(preload="json")  # before the service, as a sweep does
    pool = Pool([GPU])
    try:
        with mps.service():
            pool.submit(Job("a", pipe_of_the_service))
            ended: list[Any] = []
            while not ended:
                ended = pool.wait(1)
            assert ended[0][1].result == os.environ["CUDA_MPS_PIPE_DIRECTORY"]
    finally:
        pool.kill()
        processes.shut_down()
    (tmp_path / "calls").unlink()
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", "/of/the/user")
    with mps.service():
        assert os.environ["CUDA_MPS_PIPE_DIRECTORY"] == "/of/the/user"
    assert not (tmp_path / "calls").exists()


def test_a_service_that_does_not_start_is_one_line(control: Path) -> None:
    control.write_text("#!/bin/sh\necho 'An instance is already running' >&2; exit 1")
    with pytest.raises(mps.UserError, match="ended with: An instance is"), mps.service():
        pass
    assert not mps.is_running()
