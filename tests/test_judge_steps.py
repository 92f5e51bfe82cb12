"""Tests of `judge FOLDER` for pictures that other programs have written at several steps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import run as run_command
from conftest import one_line_error
from PIL import Image

from gansweep.params import DataConfig
from gansweep.training.data import prepare
from gansweep.training.grid import tiles
from gansweep.training.judged_folder import files_by_step

COUNT = 225
# The share of noise at each step: the middle one is the best.
NOISE = {0: 1.0, 100: 0.3, 200: 0.05, 300: 0.8}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write images of four steps in the layouts of other programs."""
    folder = tmp_path_factory.mktemp("foreign")
    digits = prepare(DataConfig("mnist5k"), 28).array()
    rng = np.random.default_rng(0)
    for number, (step, share) in enumerate(NOISE.items()):
        real = digits[number * COUNT : (number + 1) * COUNT]
        noise = rng.integers(0, 256, real.shape)
        images = (share * noise + (1 - share) * real).round().astype(np.uint8)
        for name in ("script/samples", "arrays", "grids", f"pictures/step_{step}"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        np.savez(folder / f"script/samples/{step:05d}.npz", images=images)
        np.savez(folder / f"arrays/{step}.npz", images=images[:, 0])
        tiles(images, 15).save(folder / f"grids/{step}.png")
        for i, image in enumerate(images):
            Image.fromarray(image[0]).save(folder / f"pictures/step_{step}/{i:03d}.png")
    return folder


def test_layouts_are_understood(folder: Path) -> None:
    steps = list(NOISE)
    for name, asked in (("script", False), ("arrays", False), ("grids", True), ("pictures", True)):
        assert list(files_by_step(folder / name, asked=asked)) == steps, name
    # Numbered pictures and folders of classes are no steps, unless the user says so.
    assert files_by_step(folder / "grids", asked=False) == {}
    assert files_by_step(folder / "pictures", asked=False) == {}


@pytest.mark.slow
def test_the_curve_the_best_step_and_a_gallery(folder: Path) -> None:
    words = (
        "judge",
        "script",
        "grids",
        "pictures",
        "--data",
        "mnist5k",
        "--by-step",
        "--name",
        "x",
    )
    done = run_command(folder, *words)
    assert done.returncode == 0, done.stderr
    assert "script: 4 steps, as run " in done.stdout
    assert done.stdout.count("  step 200: ") == 3
    assert done.stdout.count("FD (LeNet) ") >= 3
    assert "at step 200, " in done.stdout
    table = (folder / "reports/x/README.md").read_text()
    assert "| folder | equilibrium | Number Output |" in table
    for name in ("script", "grids", "pictures"):
        assert f"| {name} | " in table
    assert "gen impl" not in table, "nothing is known of the networks"
    assert (folder / "reports/x/index.html").exists()
    answer = json.loads(run_command(folder, *words, "--json").stdout)
    assert list(answer) == ["script", "grids", "pictures"]
    judges = [found["judge"] for found in answer.values()]
    assert {judge["equilibrium"]["step"] for judge in judges} == {200}
    assert len({judge["score"]["fd_lenet"] for judge in judges}) == 1, "the images are the same"
    assert [e["step"] for e in answer["grids"]["evaluations"]] == list(NOISE)
    resumed = run_command(folder, "resume", "x")
    assert resumed.returncode == 0, resumed.stderr
    assert "a judgement resumes with its own" in one_line_error(
        run_command(folder, "resume", "x", "plan=true")
    )


def test_what_cannot_be_judged_is_one_line(folder: Path, tmp_path: Path) -> None:
    def refused(*words: str) -> str:
        return one_line_error(run_command(folder, "judge", *words))

    assert "script: name the real images with --data" in refused("script")
    assert "grids has no pictures by step" in refused("script", "grids", "--data", "mnist5k")
    assert "--by-step is for folders" in refused("nothing", "--by-step", "--data", "mnist5k")
    (tmp_path / "few/samples").mkdir(parents=True)
    np.savez(tmp_path / "few/samples/1.npz", images=np.zeros((20, 28, 28), np.uint8))
    assert "1.npz has 20 images, too few" in refused(str(tmp_path / "few"), "--data", "mnist5k")
    np.savez(tmp_path / "few/samples/1.npz", images=np.zeros((300, 20, 20), np.uint8))
    assert "images are 300×20×20, not N×28×28" in refused(
        str(tmp_path / "few"), "--data", "mnist5k"
    )
    (tmp_path / "few/samples/1.npz").write_bytes(b"broken")
    assert "cannot be read" in refused(str(tmp_path / "few"), "--data", "mnist5k")
