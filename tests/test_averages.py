"""Averaged weights: the average of ema_decay, and averages of any length after the run."""

from __future__ import annotations

import copy
import functools
import json
import re
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import run as command
from conftest import Cli, one_line_error
from torch import Tensor, nn

import gansweep as gs
from gansweep.config import Config
from gansweep.store.errors import UserError
from gansweep.store.run import Run
from gansweep.training import ema_profiles
from gansweep.training.gan import GAN
from gansweep.training.networks.stack import Norm
from gansweep.training.optimizers import make_optimizer
from gansweep.training.post_hoc import Snapshots, estimate_statistics, save_snapshot
from gansweep.training.recipe.losses import NonSaturating
from gansweep.training.recipe.objective import Objective
from gansweep.training.train import build_gan

EXAMPLES = Path(__file__).parents[1] / "examples"
LENGTHS = (*ema_profiles.JUDGED, 0.03, 0.13)
BATCH = torch.tensor([0, 255, 51, 204] * 5, dtype=torch.uint8).reshape(5, 1, 2, 2)


def tiny_gan(d_steps: int = 1, lock: Any = None, **options: Any) -> GAN:
    """Return a GAN of tiny networks; lock: what the generator has beside its layers."""
    torch.manual_seed(0)
    layers = (nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Unflatten(1, (1, 2, 2)))
    generator = nn.Sequential(*layers)
    generator.lock = lock
    sgd = functools.partial(make_optimizer, Config(lr=0.1, gen_opt="sgd"), "gen_opt")
    gan = GAN(
        generator,
        nn.Sequential(nn.Flatten(), nn.Linear(4, 1)),
        z_dim=3,
        objective=Objective(NonSaturating(), d_steps=d_steps),
        joint_d=False,
        fresh_z=False,
        reuse_fake=True,
        gen_optimizer=sgd,
        disc_optimizer=sgd,
        **options,
    )
    optimizers = gan.configure_optimizers()
    gan.optimizers = lambda use_pl_optimizer=True: optimizers  # type: ignore[method-assign]
    return gan


def step(gan: GAN) -> None:
    gan.step(BATCH, *gan.optimizers(use_pl_optimizer=False))  # type: ignore[misc]


def weights_of(gan: GAN) -> Tensor:
    return torch.cat([p.detach().double().flatten() for p in gan.generator.parameters()])


# The average of ema_decay ------------------------------------------------------------------------


def test_the_average_of_ema_decay_has_the_bits_of_its_formula() -> None:
    gan = tiny_gan(ema_decay=0.9)
    by_hand = copy.deepcopy(gan.generator)
    for _ in range(20):
        step(gan)
        with torch.no_grad():
            for mean, weight in zip(by_hand.parameters(), gan.generator.parameters(), strict=True):
                mean.lerp_(weight, 1 - 0.9)
    assert gan.averaged is not None
    found = dict(gan.averaged.named_parameters())
    assert all(torch.equal(weight, found[name]) for name, weight in by_hand.named_parameters())
    assert not any(weight.requires_grad for weight in found.values())
    buffers = dict(gan.averaged.named_buffers())
    assert len(buffers) == 3
    assert all(torch.equal(b, buffers[name]) for name, b in gan.generator.named_buffers())


def test_files_of_earlier_versions_have_the_same_names() -> None:
    config = Config(gen="5", disc="4", width=1 / 16, ema_decay=0.9)
    gan = build_gan(config, 1)
    generator = {f"averaged.{name}": value for name, value in gan.generator.state_dict().items()}
    names = [*build_gan(Config(gen="5", disc="4", width=1 / 16), 1).state_dict(), *generator]
    assert list(gan.state_dict()) == names
    earlier = {name: torch.full_like(value, 3) for name, value in gan.state_dict().items()}
    gan.load_state_dict(earlier)
    assert gan.averaged is not None
    assert all((value == 3).all() for value in gan.averaged.state_dict().values())


def test_a_generator_that_cannot_be_copied_is_refused(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "import threading\n"
        "from torch import nn\n"
        "class G(nn.Sequential):\n"
        "    def __init__(self, z_dim: int, channels: int):\n"
        "        super().__init__(nn.Linear(z_dim, 784), nn.Unflatten(1, (channels, 28, 28)))\n"
        "        self.lock = threading.Lock()\n"
    )
    options = ("gen=own:G", "data=mnist5k", "limit=400", "steps=2", "judge=false", "threads=1")
    error = one_line_error(cli(*options, "ema_decay=0.9"))
    assert "ema_decay=0.9: gen=own:G cannot be copied (TypeError: " in error
    assert "use post_hoc_ema=true, which copies only its weights" in error
    gan = tiny_gan(post_hoc_ema=True, lock=threading.Lock())
    step(gan)
    assert all(gan.tracked().values()), "the advice helps"


# Averages of any length --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "gamma"), [(0.05, 16.97), (0.1, 6.94), (12**-0.5, 0)], ids=lambda v: f"{v:.3g}"
)
def test_the_exponents_are_those_of_the_paper(length: float, gamma: float) -> None:
    """Karras et al. 2024, section 3.1; a constant profile has the deviation of a uniform one."""
    assert ema_profiles.exponent(length) == pytest.approx(gamma, abs=0.005)


def test_a_long_run_has_few_snapshots() -> None:
    for total in (1, 7, 140, 10**6):
        steps = ema_profiles.snapshot_steps(total)
        assert steps == sorted(set(steps))
        assert steps[0] > 0
        assert steps[-1] == total
        assert len(steps) <= ema_profiles.SNAPSHOTS + 1


@pytest.mark.slow
@pytest.mark.parametrize(("total", "d_steps"), [(600, 1), (601, 3)])
def test_averages_from_snapshots_are_those_of_all_steps(
    total: int, d_steps: int, tmp_path: Path
) -> None:
    """The weights of a GAN in training are averaged directly, by the definition of the average."""
    gan, run = tiny_gan(d_steps, post_hoc_ema=True), Run(tmp_path, "r")
    kept, history = set(ema_profiles.snapshot_steps(total)), []
    for _ in range(total):
        step(gan)
        history.append(weights_of(gan))
        if gan.steps_done in kept:
            save_snapshot(run, gan)
    snapshots = Snapshots(run)
    trained = torch.stack(history[d_steps - 1 :: d_steps])
    for length in LENGTHS:
        times = torch.arange(len(trained) + 1).double() / len(trained)
        share = (times ** (ema_profiles.exponent(length) + 1)).diff()
        assert share.sum() == pytest.approx(1)
        direct = share @ trained
        average = snapshots.average(length)
        found = torch.cat([weight.double().flatten() for weight in average.values()])
        # By the inequality of Cauchy and Schwarz, the profile's error bounds that of the average.
        size = (share.square().sum() * (trained - direct).square().sum()).sqrt()
        rounding = 3e-5 * direct.norm()
        assert (found - direct).norm() < snapshots.error(length) * size + rounding, length
        assert (found - direct).norm() < 0.004 * direct.norm(), length
        assert snapshots.error(length) < 0.027
        if length in ema_profiles.TRACKED:
            assert torch.allclose(found, direct, rtol=1e-4, atol=1e-5)
    assert list(average) == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_statistics_are_those_of_the_images_that_are_drawn() -> None:
    gan = build_gan(Config(gen="5", disc="4", width=1 / 16, gen_drop=0.5), 1)
    generator = gan.generator
    assert isinstance(generator, nn.Sequential)
    z = torch.rand(1024, 100, generator=torch.Generator().manual_seed(1)) * 2 - 1
    state = torch.get_rng_state()
    estimate_statistics(generator, z)
    assert torch.equal(torch.get_rng_state(), state)
    assert generator.training
    generator.eval()
    maps, checked = z, 0
    with torch.no_grad():
        for layer in generator:
            if isinstance(layer, Norm):
                mean, variance = layer.averages()
                found = maps.var((0, 2, 3))
                assert torch.allclose(variance, found, rtol=0.02)
                assert ((mean - maps.mean((0, 2, 3))) / found.sqrt()).abs().max() < 0.02
                assert layer.momentum == pytest.approx(0.01)
                checked += 1
            maps = layer(maps)
    assert checked == 3


# Runs ----------------------------------------------------------------------------------------

NAME = ("-m", "lr=1e-3", "data=mnist5k", "name=e", "width=0.0625", "threads=1", "device=cpu")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """Train a run with post_hoc_ema and one without, and return their folder."""
    folder = tmp_path_factory.mktemp("averages")
    done = command(
        folder, *NAME, "steps=300", "batch_size=8", "gen=5", "disc=4", "post_hoc_ema=false,true"
    )
    assert done.returncode == 0, done.stderr
    return folder


def run_of(folder: Path, snapshots: bool = True) -> Run:
    found = [Run(folder / "outputs", path.name) for path in (folder / "outputs/runs").iterdir()]
    (run,) = [run for run in found if run.averages.exists() == snapshots]
    return run


def lengths_of(run: Run) -> dict[float, float]:
    return {
        each["length"]: each["value"]
        for each in json.loads(run.result.read_text())["judge"]["ema_lengths"]
    }


def test_averaging_changes_nothing_else(trained: Path) -> None:
    averaged, plain = run_of(trained), run_of(trained, snapshots=False)
    weights = torch.load(plain.final)
    both = torch.load(averaged.final)
    assert all(torch.equal(value, both[name]) for name, value in weights.items())
    mine, its = (json.loads(run.result.read_text())["judge"] for run in (averaged, plain))
    assert mine["score"] == its["score"]
    assert "ema_lengths" not in its
    sizes = sum(path.stat().st_size for path in averaged.averages.iterdir())
    generator = sum(v.nbytes for n, v in weights.items() if n.startswith("generator"))
    assert sizes < 2.5 * (ema_profiles.SNAPSHOTS + 1) * generator


def test_the_judge_measures_lengths_and_the_table_has_the_best(trained: Path) -> None:
    run = run_of(trained)
    found = lengths_of(run)
    assert list(found) == [0, *ema_profiles.JUDGED]
    assert len(set(found.values())) == len(found)
    best = min(found, key=found.__getitem__)
    done = command(trained, "report", "e", "--columns", "post_hoc_ema,ema_length,ema_distance")
    assert done.returncode == 0, done.stderr
    table = (trained / "reports/e/README.md").read_text()
    assert "| post-hoc EMA | best EMA length | with best EMA length |" in table
    assert f"| yes | {best:.3g} | {found[best]:.4g} |" in table
    assert "| no | – | – |" in table
    named = f"EMA of length {best:g}" if best else "no EMA"
    assert f"({named}, at the end: " in table
    shown = command(trained, "show", run.id).stdout
    assert re.search(rf"best EMA length +{best:.3g} ", shown)


def test_any_length_is_made_after_the_run(trained: Path) -> None:
    run = run_of(trained)
    count = json.loads(run.result.read_text())["judge"]["score"]["n"]
    options = ("--ema", "0.05", "--images", str(count), "--json")
    done = command(trained, "judge", run.id, *options)
    assert done.returncode == 0, done.stderr
    (score,) = json.loads(done.stdout).items()
    assert score[0] == "EMA 0.05"
    assert score[1]["fd_lenet"] == pytest.approx(lengths_of(run)[0.05], rel=1e-4)
    opened = gs.run(run.id, out=trained / "outputs")
    generator = opened.generator(ema=0.033)
    assert not generator.training
    average = Snapshots(run).average(0.033)
    weights = dict(generator.named_parameters())
    assert all(torch.equal(weights[name], value) for name, value in average.items())
    images = opened.sample(4, seed=1, ema=0.033)
    assert images.shape == (4, 1, 28, 28)
    assert not torch.equal(images, opened.sample(4, seed=1, weights="final"))
    assert not torch.equal(images, opened.sample(4, seed=1, ema=0.2))


def test_averages_that_do_not_exist_are_refused(trained: Path, tmp_path: Path) -> None:
    run, plain = run_of(trained), run_of(trained, snapshots=False)

    def refused(*arguments: str) -> str:
        return one_line_error(command(trained, "judge", *arguments))

    for length in ("0.5", "0.001", "nan"):
        says = refused(run.id, "--ema", length)
        assert (
            f"ema={float(length)}: the length of an average is a number from 0.005 to 0.2" in says
        )
    assert "has no snapshots of averaged weights, as it has no post_hoc_ema=true" in refused(
        plain.id, "--ema", "0.05"
    )
    assert "--ema 0.05 needs a run with post_hoc_ema=true" in refused(
        str(run.final), "--ema", "0.05"
    )
    assert "--ema 0.05 needs a run with" in refused("nothing", "--ema", "0.05")
    opened = gs.run(run.id, out=trained / "outputs")
    for call, message in (
        (lambda: opened.generator("final", ema=0.1), "give weights='final' or ema=0.1, not both"),
        (lambda: opened.generator(ema="x"), "ema=x: the length of an average is a number"),  # type: ignore[arg-type]
    ):
        with pytest.raises(UserError, match=re.escape(message)):
            call()

    few = Run(tmp_path, run.id)
    shutil.copytree(run.folder, few.folder)
    for number in [*few.snapshots()][:-1]:
        few.snapshot(number).unlink()
    with pytest.raises(UserError, match=r"too few snapshots for such an average \(error \d+%, v"):
        gs.run(few.id, out=tmp_path).generator(ema=0.01)
    assert gs.run(few.id, out=tmp_path).generator(ema=0.02)
    few.snapshot(300).write_bytes(b"PK")
    with pytest.raises(UserError, match=r"averages/step_000300.ckpt cannot be used"):
        gs.run(few.id, out=tmp_path).generator(ema=0.02)


def test_a_users_module_cannot_be_averaged(cli: Cli, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    model = "model=examples.lightning_gan:DenseGAN"
    error = one_line_error(cli(model, "post_hoc_ema=true", "data=mnist5k", "steps=2"))
    assert "post_hoc_ema has no effect on model=examples.lightning_gan:DenseGAN" in error


def test_factors_add_up_and_snapshots_of_one_time_do_no_harm() -> None:
    steps = ema_profiles.snapshot_steps(2000)
    ends = [end for end in [*steps, steps[-1]] for _ in ema_profiles.TRACKED]
    lengths = [*ema_profiles.TRACKED] * (len(steps) + 1)
    for length in LENGTHS:
        factors, error = ema_profiles.solve(ends, lengths, 2000, length)
        assert factors.sum() == pytest.approx(1)
        assert error < 0.027
        assert np.abs(factors).sum() < 320, "rounding errors of the weights stay small"
