"""Tests of `packing=speed`, which measures how many runs at a time train fastest."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli, one_line_error

from benchmarks import packing as benchmark
from gansweep.config import Config
from gansweep.launch import slots
from gansweep.launch.devices import Device
from gansweep.launch.pool import Job, Place, Running
from gansweep.launch.task import SweepTask
from gansweep.planning.identity import plan_run
from gansweep.planning.packing import choose
from gansweep.store.errors import UserError
from gansweep.store.records import RunConfig
from gansweep.training import packing
from gansweep.training.data import prepare

GPU = Device("cuda", "GPU-0", "gpu0", "a GPU", cores=16, free_mib=80_000)
GRID = ("-m", "lr=1e-3,2e-3,5e-4", "data=mnist5k", "width=0.0625", "steps=2", "judge=false")
LOSS = """import gansweep, torch
@gansweep.loss("mine")
class Mine(torch.nn.Module):
    def __init__(self, smooth=1.0):
        super().__init__()
    def disc_loss(self, real, fake):
        return fake.mean() - real.mean()
    def gen_loss(self, fake):
        return -fake.mean()
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
    assert choose(speeds) == best


@pytest.mark.parametrize(("most", "measured"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6])])
def test_powers_of_two_and_the_greatest_number_are_measured(most: int, measured: list[int]) -> None:
    assert packing.counts(most) == measured


def test_a_device_takes_no_more_runs_than_were_fastest(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless:
        started = 0.0

    monkeypatch.setattr(slots, "find_devices", lambda _: [GPU, GPU])
    for at_most, wanted in ((None, 8), (3, 3), (20, 8)):
        pool = slots.make_pool(SweepTask(at_most=at_most))
        assert pool.most_jobs() == 2 * wanted
        pool.devices = [GPU]
        job = Job("a", print, memory_mib=100)
        while pool._room_for(job) is not None:
            place = Place(len(pool.running), GPU, 1)
            pool.running.append(Running(job, place, Endless()))  # type: ignore[arg-type]
        assert len(pool.running) == wanted


@pytest.fixture
def record() -> RunConfig:
    """Return the record of a small run."""
    config = Config(width=1 / 16, batch_size=8, steps=2, device="cpu", judge="false")
    return plan_run(config, prepare(config.data, 28))[1]


@pytest.mark.slow
def test_processes_train_together(record: RunConfig) -> None:
    assert packing.images_per_second(record, 2, "cpu", 1, seconds=0.1) > 0


@pytest.mark.parametrize(("refused", "found"), [(2, [1]), (4, [1, 2]), (9, [1, 2, 4, 8])])
def test_numbers_that_do_not_fit_are_left_out(
    refused: int, found: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def rate(record: object, count: int, *_: object) -> float:
        if count >= refused:
            raise packing.NoRoom
        return float(count)

    monkeypatch.setattr(packing, "images_per_second", rate)
    assert list(packing.measure({}, "cuda", 8, 1)) == found  # type: ignore[typeddict-item]


@pytest.mark.slow
def test_a_process_that_fails_tells_why(record: RunConfig) -> None:
    """One that is killed, as the kernel does without memory, has no room; an error is told."""
    record["params"]["gen"] = "9"  # type: ignore[index]
    with pytest.raises(UserError, match="gen=9: valid: 1, 2, 3"):
        packing.images_per_second(record, 2, "cpu", 1, seconds=0.1)


@pytest.mark.slow
def test_a_killed_process_has_no_room(record: RunConfig, tmp_path: Path) -> None:
    record["params"]["gen"] = "dying:Gen"  # type: ignore[index]
    (tmp_path / "dying.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        patch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
        with pytest.raises(packing.NoRoom):
            packing.images_per_second(record, 1, "cpu", 1, seconds=0.1)


@pytest.mark.slow
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core has no choice")
def test_a_sweep_measures_before_it_trains(cli: Cli, tmp_path: Path) -> None:
    """The processes of the measurement know the components that a plugin registers."""
    (tmp_path / "mine.py").write_text(LOSS)
    words = ("packing=speed", "threads=1", "device=cpu", "loss=mine", "plugins=mine")
    planned = cli(*GRID, *words, "plan=true")
    assert planned.returncode == 0, planned.stderr
    assert "measuring" not in planned.stdout
    done = cli(*GRID, *words, "name=a")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert said.count("packing=speed: measuring up to") == 1
    assert "images/s: at most" in said
    assert "3 of 3 runs trained" in said
    again = cli(*GRID, *words, "name=a")
    assert "measuring" not in again.stdout, "nothing is left to train"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("packing=speed", "jobs_per_device=2"), "leave out jobs_per_device="),
        (("packing=speed", "hydra/launcher=basic"), "not for basic"),
        (("packing=fast",), "packing=fast: valid: memory, speed"),
        (("packing=speed", "model=mypkg:GAN"), "model"),
    ],
)
def test_what_cannot_be_followed_is_refused(
    cli: Cli, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    assert message in one_line_error(cli(*GRID, *words))
    assert not (tmp_path / "outputs").exists()


def test_the_step_of_a_script_is_not_measured(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "train.py").touch()
    command = "command=python train.py {lr} {steps}"
    done = cli("-m", "lr=1e-3,2e-3", "data=mnist5k", "steps=2", command, "packing=speed")
    assert "gansweep's own training step, and not that of command=" in one_line_error(done)


CONTROL = """#!/bin/sh
echo "$1" "$(cat)" "$CUDA_MPS_PIPE_DIRECTORY" >> "$CALLS"
"""
DAEMON = """#!/bin/sh
[ "$1" = -d ] && sleep 20 &
"""


@pytest.fixture
def control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace NVIDIA's program by a script that writes its calls into a file."""
    tool = tmp_path / "bin" / benchmark.CONTROL
    tool.parent.mkdir()
    tool.write_text(CONTROL)
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return tool


def test_the_benchmarks_service_has_private_folders_and_is_ended(
    control: Path, tmp_path: Path
) -> None:
    with pytest.raises(RuntimeError, match="injected"), benchmark.service():
        pipe = os.environ["CUDA_MPS_PIPE_DIRECTORY"]
        assert Path(pipe).is_dir()
        assert Path(os.environ["CUDA_MPS_LOG_DIRECTORY"]).is_dir()
        raise RuntimeError("injected")
    assert "CUDA_MPS_PIPE_DIRECTORY" not in os.environ
    assert not Path(pipe).exists()
    started, ended = (tmp_path / "calls").read_text().splitlines()
    assert started.split() == ["-d", pipe]
    assert ended.split() == ["quit", pipe]


def test_a_service_that_stays_in_the_background_is_not_awaited(control: Path) -> None:
    control.write_text(DAEMON)
    started: list[Any] = []
    with benchmark.service():
        started.append(os.times().elapsed)
    assert os.times().elapsed - started[0] < 10


def test_a_service_that_does_not_start_tells_why(control: Path) -> None:
    control.write_text("#!/bin/sh\necho 'An instance is already running' >&2; exit 1")
    with pytest.raises(RuntimeError, match="An instance is already"), benchmark.service():
        pass
    assert "CUDA_MPS_PIPE_DIRECTORY" not in os.environ
