"""Tests on a GPU; without one they are skipped. GANSWEEP_TEST_DEVICE=cpu tries them on the CPU."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from commands import Command
from conftest import Cli, wait_for

from gansweep.store.run import Run, read_json

DEVICE = os.environ.get("GANSWEEP_TEST_DEVICE", "cuda")
SMALL = (f"device={DEVICE}", "data=mnist5k", "width=0.0625", "log_every=5")

pytestmark = pytest.mark.skipif(
    DEVICE == "cuda" and not torch.cuda.is_available(), reason="PyTorch sees no GPU"
)


def runs_in(folder: Path) -> list[Run]:
    return [Run(folder / "outputs", path.name) for path in sorted(folder.glob("outputs/runs/*"))]


def device_of(run: Run) -> str:
    return str((read_json(run.environment) or {})["device"])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_run_is_trained_judged_and_sampled(cli: Cli, tmp_path: Path, precision: str) -> None:
    done = cli(*SMALL, "steps=20", f"precision={precision}")
    assert done.returncode == 0, done.stderr
    (run,) = runs_in(tmp_path)
    assert run.status() == "done"
    assert DEVICE == "cpu" or "cpu" not in device_of(run).lower()
    judge = (read_json(run.result) or {})["judge"]
    assert judge["score"]["fd_lenet"] > 0
    done = cli("sample", run.id, "--images", "30", "--npz", "--to", "images", "--device", DEVICE)
    assert done.returncode == 0, done.stderr


def test_two_runs_train_at_the_same_time(cli: Cli, tmp_path: Path) -> None:
    done = cli("-m", *SMALL, "lr=1e-3,2e-3", "steps=200", "jobs_per_device=2", "threads=1")
    assert done.returncode == 0, done.stderr
    histories = [run.read_history() for run in runs_in(tmp_path)]
    slots = sorted(history[0]["slot"] for history in histories)
    label = "cpu" if DEVICE == "cpu" else slots[0].split(":")[0]
    assert slots == [f"{label}:0", f"{label}:1"]


def test_a_killed_run_resumes(cli: Cli, tmp_path: Path) -> None:
    run = ("-m", *SMALL, "steps=400", "sample_every=20", "name=k", "seed=1")
    command = Command(tmp_path, *run)
    wait_for("outputs/runs/*/last.ckpt", tmp_path)
    command.end()
    done = cli(*run)
    assert done.returncode == 0, done.stderr
    assert "resumes from step" in done.stdout
    assert [run.status() for run in runs_in(tmp_path)] == ["done"]


def test_a_run_without_enough_memory_is_tried_again_alone(
    faulty_cli: Callable[[str], Cli], tmp_path: Path
) -> None:
    cli = faulty_cli(f"do=allocate lr=0.002 step=3 once={tmp_path / 'refused'}")
    done = cli("-m", *SMALL, "lr=1e-3,2e-3", "steps=20", "jobs_per_device=2", "threads=1")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "refused").exists()
    assert [run.status() for run in runs_in(tmp_path)] == ["done", "done"]
    causes = {line.get("cause") for run in runs_in(tmp_path) for line in run.read_history()}
    assert "out of memory" in causes
