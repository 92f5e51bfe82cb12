"""A user's LightningModule in the place of gansweep's own training."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Cli, one_line_error

from gansweep.store.run import Run
from gansweep.training.metrics.files import load

EXAMPLES = Path(__file__).parents[1] / "examples"
MODULE = '''
import os
import signal
from pathlib import Path

import torch
from examples.lightning_gan import DenseGAN
from pytorch_lightning import LightningModule
from torch import nn


class Counts:
    """Counts batches and ended epochs, and kills its process where the file die_at says."""

    def count(self):
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))
        self.register_buffer("ends", torch.zeros((), dtype=torch.int64))

    def on_train_batch_start(self, batch, batch_idx):
        self.die(str(self.batches.item()))
        self.batches += 1

    def on_train_epoch_end(self):
        self.ends += 1 + self.current_epoch
        self.die(f"epoch {self.ends.item()}")

    def die(self, where):
        if Path("die_at").exists() and Path("die_at").read_text() == where:
            os.kill(os.getpid(), signal.SIGKILL)


class Manual(Counts, DenseGAN):
    """two optimizers, manual"""

    def __init__(self, channels: int, z_dim: int, image_size: int):
        super().__init__(channels, image_size, z_dim)
        self.count()


class Auto(Counts, LightningModule):
    """one optimizer, automatic, with a scheduler; counts on batch_idx and current_epoch"""

    def __init__(self, channels: int, z_dim: int, image_size: int, lr: float = 1e-3):
        super().__init__()
        self.count()
        self.lr = lr
        shape = (channels, image_size, image_size)
        self.net = nn.Sequential(nn.Linear(z_dim, channels * image_size**2), nn.Tanh(),
                                 nn.Dropout(0.1), nn.Unflatten(1, shape))
        self.register_buffer("seen", torch.zeros(400))
        self.z_dim = z_dim

    def training_step(self, images, batch_idx):
        self.seen[batch_idx] += 1 + self.current_epoch + self.global_step / 1000
        made = self.net(torch.randn(len(images), self.z_dim))
        loss = (made.mean(0) - images.mean(0)).square().mean()
        self.log("train/loss", loss)
        return loss

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), self.lr, momentum=0.9)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)]

    def sample(self, n: int):
        return self.net(torch.randn(n, self.z_dim))


class Mute(Auto):
    sample = None


class Broken(Auto):
    def sample(self, z):
        return self.net(z[:, :3])


class Flat(Auto):
    def sample(self, z):
        return self.net(z).flatten(1)


class Late(Auto):
    def training_step(self, images, batch_idx):
        if batch_idx == 2:
            raise RuntimeError("out of ideas")
        return super().training_step(images, batch_idx)


def plain(channels: int):
    return nn.Linear(1, 1)
'''
SMALL = ("model=own:Auto", "data=mnist5k", "limit=400", "batch_size=40", "threads=1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own.py").write_text(MODULE)
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    return tmp_path


def only_run(folder: Path, out: str = "outputs") -> Run:
    (path,) = (folder / out / "runs").iterdir()
    return Run(folder / out, path.name)


def test_the_example_is_swept(cli: Cli, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    done = cli(
        "-m", "model=examples.lightning_gan:DenseGAN", "model.lr=2e-4,1e-3", "model.b1=0,0.5",
        "batch_size=64", "data=mnist5k", "limit=640", "steps=20", "name=e",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "4 of 4 runs trained" in done.stdout
    table = (tmp_path / "reports/e/README.md").read_text()
    assert "| model lr | model b1 | Number Output |" in table
    assert table.count(".png)") == 4
    assert "gen impl" not in table, "gansweep's networks are not used"
    run = next(Run(tmp_path / "outputs", p.name) for p in (tmp_path / "outputs/runs").iterdir())
    result: Any = run.read_result()
    assert result["steps"] == 20
    assert result["parameters"].keys() == {"model"}
    assert result["loss_d"] > 0
    assert result["loss_g"] > 0
    assert result["judge"]["score"]["fd_lenet"] > 0
    scored = cli("judge", run.id, "--images", "200")
    assert scored.returncode == 0, scored.stderr


# An epoch has ten batches; a checkpoint is written every five.
@pytest.mark.parametrize(
    ("model", "steps", "deaths"),
    [
        ("own:Auto", 34, {"17": 15, "epoch 3": 20}),  # within an epoch, and at the end of one
        ("own:Auto", 30, {"epoch 6": 30}),  # at the end of the last epoch
        ("own:Manual", 34, {"epoch 3": 20}),
    ],
)
def test_a_killed_module_resumes_bit_for_bit(
    cli: Cli, folder: Path, model: str, steps: int, deaths: dict[str, int]
) -> None:
    """Weights, schedulers, epochs, batch_idx, hooks and random numbers are as if never killed."""
    words = [f"model={model}", *SMALL[1:], f"steps={steps}", "sample_every=5", "log_every=1"]
    assert cli(*words, "out=whole").returncode == 0
    whole = load(only_run(folder, "whole").final)
    for number, (where, step) in enumerate(deaths.items()):
        out = f"parts{number}"
        (folder / "die_at").write_text(where)
        assert cli(*words, f"out={out}").returncode == -signal.SIGKILL
        (folder / "die_at").unlink()
        done = cli(*words, f"out={out}")
        assert done.returncode == 0, done.stderr
        assert f"resumes from step {step}" in done.stdout
        parts = load(only_run(folder, out).final)
        assert whole.keys() == parts.keys()
        for name, value in whole.items():
            assert torch.equal(value, parts[name]), f"{name} after {where}"
        lines = [only_run(folder, o).read_metrics() for o in ("whole", out)]
        losses = [[{k: v for k, v in x.items() if "los" in k} for x in found] for found in lines]
        assert losses[0] == losses[1]


def test_epochs_are_lightnings(cli: Cli, folder: Path) -> None:
    assert cli(*SMALL, "epochs=3").returncode == 0
    seen = load(only_run(folder).final)["seen"]
    # Ten batches an epoch; each counts 1 + epoch, and a thousandth of the step.
    assert seen[:10].floor().tolist() == [1 + 2 + 3] * 10
    assert seen[10:].sum() == 0
    assert seen[4] == pytest.approx(6 + (4 + 14 + 24) / 1000)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("model=own:Mute", "model=own:Mute has no method sample(z) or sample(n)"),
        ("model=own:Broken", "sample() fails: RuntimeError: mat1 and mat2 shapes"),
        ("model=own:Flat", "sample() returns 2×784 for 2 images, not square images N×C×H×H"),
        ("model=own:plain", "model=own:plain returns Linear, not a LightningModule"),
        ("model=own:Nobody", "own has no 'Nobody'"),
        ("model=nothing", "model=nothing: valid: an import path, package.module:Name"),
        ("model.lrr=1", "model=own:Auto has no such parameter; did you mean 'model.lr'?"),
        ("lr=1e-3", "lr has no effect on model=own:Auto"),
        ("gen=1", "gen has no effect on model=own:Auto"),
    ],
)
@pytest.mark.parametrize("multirun", [False, True])
def test_bad_modules_are_one_line(
    cli: Cli, folder: Path, words: str, says: str, multirun: bool
) -> None:
    given = {word.split("=")[0]: word for word in (*SMALL, "steps=5", *words.split())}
    assert says in one_line_error(cli(*(["-m"] if multirun else []), *given.values()))
    assert not (folder / "outputs").exists()


def test_a_module_that_fails_costs_its_own_row(cli: Cli, folder: Path) -> None:
    done = cli("-m", "model=own:Auto,own:Late", *SMALL[1:], "steps=5", "name=half")
    assert done.returncode == 1
    assert "out of ideas" in done.stdout
    table = (folder / "reports/half/README.md").read_text()
    assert table.count("FD (LeNet) ") >= 1
    assert table.count("out of ideas") == 1
    records = [json.loads(p.read_text()) for p in folder.glob("outputs/runs/*/failure.json")]
    assert [record["error"] for record in records] == ["out of ideas"]
