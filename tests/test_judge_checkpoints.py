"""Tests of `judge CKPT… --sample`: checkpoints of other programs with a function that draws."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import run as run_command
from conftest import one_line_error

from gansweep.params import DataConfig
from gansweep.store.errors import UserError
from gansweep.training.data import prepare
from gansweep.training.drawn import steps_of

# The share of noise at each step: the middle one is the best.
NOISE = {100: 0.6, 200: 0.05, 300: 0.9}
SAMPLER = """\
import os, signal, sys
import numpy as np
import torch
from PIL import Image

print("this module is noisy")


def images(path, n, seed):
    print("so is this function")
    noise = float(torch.load(path)["noise"])
    real = np.load("digits.npy")[:n]
    rng = np.random.default_rng(seed)
    return noise * rng.random(real.shape) + (1 - noise) * real / 255


def array(path, n, seed):
    return (255 * images(path, n, seed)).round().astype(np.uint8)


def tensor(path, n, seed):
    return torch.from_numpy(images(path, n, seed)).float()


def pictures(path, n, seed):
    return [Image.fromarray(image[0]).resize((56, 56)) for image in array(path, n, seed)]


def few(path, n, seed):
    return array(path, n, seed)[1:]


def signed(path, n, seed):
    return 2 * tensor(path, n, seed) - 1


def no_images(path, n, seed):
    return "pixels"


def fails(path, n, seed):
    raise RuntimeError("size mismatch\\nfor layer 1")


def leaves(path, n, seed):
    sys.exit(3)


def crashes(path, n, seed):
    os.kill(os.getpid(), signal.SIGSEGV)


def of_one_argument(path):
    pass
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    folder = tmp_path_factory.mktemp("theirs")
    np.save(folder / "digits.npy", prepare(DataConfig("mnist5k"), 28).array()[:400])
    (folder / "draw.py").write_text(SAMPLER)
    (folder / "run").mkdir()
    for step, noise in NOISE.items():
        torch.save({"noise": noise}, folder / f"run/epoch=9-step={step}.pt")
    return folder


def judge(folder: Path, function: str, *words: str, count: int = 400) -> list[str]:
    paths = [str(path.relative_to(folder)) for path in sorted(folder.glob("run/*.pt"))]
    sample = ["--sample", function, "--images", str(count), "--data", "mnist5k"]
    return ["judge", *paths, *sample, *words]


def test_steps_are_in_the_names(tmp_path: Path) -> None:
    names = ["epoch=2-step=1000.ckpt", "model-500.pt", "G_02_00020.pth", "Step_7_v2"]
    for name in names:
        (tmp_path / name).touch()
    found = steps_of(tmp_path / name for name in names)
    assert {step: path.name for step, path in found.items()} == {
        7: "Step_7_v2", 20: "G_02_00020.pth", 500: "model-500.pt", 1000: "epoch=2-step=1000.ckpt",
    }  # fmt: skip
    for name, says in (
        ("last.pt", "its name has no step; rename it, as in last-1000"),
        ("model-20.pt", "and G_02_00020.pth are both of step 20"),
    ):
        (tmp_path / name).touch()
        with pytest.raises(UserError, match=says):
            steps_of(tmp_path / other for other in (*names, name))
    with pytest.raises(UserError, match=r"none-1\.pt: there is no such checkpoint"):
        steps_of([tmp_path / "none-1.pt"])


@pytest.mark.slow
def test_the_curve_the_best_step_and_a_gallery(folder: Path) -> None:
    judged = {}
    for function in ("array", "tensor", "pictures"):
        done = run_command(folder, *judge(folder, f"draw:{function}", "--name", function, "--json"))
        assert done.returncode == 0, done.stderr
        (judged[function],) = json.loads(done.stdout).values()
        assert done.stderr.count("so is this function") == 3, "not on standard output"
    first = judged["array"]
    assert first["judge"]["equilibrium"]["step"] == 200
    assert [line["step"] for line in first["evaluations"]] == list(NOISE)
    one, other = (judged[name]["judge"]["score"]["fd_lenet"] for name in ("array", "tensor"))
    assert other == pytest.approx(one, rel=0.01)
    assert judged["pictures"]["judge"]["equilibrium"]["step"] == 200
    table = (folder / "reports/array/README.md").read_text()
    assert "| folder | equilibrium | Number Output |" in table
    assert "| run | " in table
    assert "draw:array" in table, "the command repeats it"
    assert (folder / "reports/array/index.html").exists()
    assert len(list((folder / "reports/array").rglob("*.png"))) >= 3, "the pictures by step"
    assert not list(folder.glob("outputs/runs/.drawn-*")), "the images drawn are not kept twice"
    resumed = run_command(folder, "resume", "array")
    assert resumed.returncode == 0, resumed.stderr


@pytest.mark.slow
def test_what_cannot_be_drawn_is_one_line(folder: Path) -> None:
    for function, says in (
        ("draw.array", "--sample draw.array is no import path; did you mean 'draw:array'?"),
        ("drow:array", "--sample drow:array: there is no module 'drow'; did you mean 'draw'?"),
        ("draw:aray", "--sample draw:aray: draw has no 'aray'; it has images, array, "),
        ("draw:few", "--sample draw:few returns 399 images of run/epoch=9-step=100.pt, and 400"),
        ("draw:signed", "--sample draw:signed: its floats reach from -0.999"),
        ("draw:no_images", "--sample draw:no_images returns a value of type str; gansweep takes"),
        ("draw:fails", "fails at run/epoch=9-step=100.pt: RuntimeError: size mismatch for layer"),
        ("draw:leaves", "--sample draw:leaves calls sys.exit(3) at run/epoch=9-step=100.pt"),
        ("draw:crashes", "has ended its process (signal SIGSEGV) at run/epoch=9-step=100.pt"),
        ("draw:of_one_argument", "TypeError: of_one_argument() takes 1 positional argument but 3"),
    ):
        done = run_command(folder, *judge(folder, function))
        noise = ("this module is noisy", "so is this function")
        done.stderr = "\n".join(x for x in done.stderr.split("\n") if x not in noise)
        assert says in one_line_error(done), function
    assert "--images 150 are too few" in one_line_error(
        run_command(folder, *judge(folder, "draw:array", count=150))
    )
    without = [word for word in judge(folder, "draw:array") if word not in ("--data", "mnist5k")]
    assert "name the real images with --data" in one_line_error(run_command(folder, *without))
    assert "leave out --by-step" in one_line_error(
        run_command(folder, *judge(folder, "draw:array", "--by-step"))
    )
    assert not list(folder.glob("outputs/runs/.drawn-*"))
