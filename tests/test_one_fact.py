"""Tests that samplers, optimizers, latents, pixels and the grid are each defined in one place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
import optuna
import pytest
import torch
from optuna import pruners, samplers
from torch import nn

import gansweep
from gansweep.config import PARAMS, Config, check, effective, with_values
from gansweep.plugins import GENERATORS, METRICS, OPTIMIZERS, PRUNERS, SAMPLERS, Registry
from gansweep.search.gan_planner import GanPlanner
from gansweep.search.objectives import second_objective
from gansweep.search.study import open_study
from gansweep.store.errors import UserError
from gansweep.training.grid import grid
from gansweep.training.latents import latents
from gansweep.training.networks.build import build_networks
from gansweep.training.networks.kinds import generator
from gansweep.training.networks.parametrization import Narrowing
from gansweep.training.networks.stack import MEMORY_FORMATS, Stack
from gansweep.training.optimizers import make_optimizer
from gansweep.training.samples import fixed_latents, stretched_grid
from gansweep.training.train import build_gan

PACKAGE = Path(__file__).parents[1] / "gansweep"


@pytest.fixture
def registries() -> Iterator[None]:
    """Remove all entries that a test has registered."""
    known: list[Registry] = [SAMPLERS, PRUNERS, OPTIMIZERS, GENERATORS]
    before = [dict(registry._load()) for registry in known]
    yield
    for registry, entries in zip(known, before, strict=True):
        registry._entries = entries


def opened(folder: Path, **settings: Any) -> optuna.Study:
    return open_study(Config(**settings), "q", folder, ["minimize"], {})


# --- Samplers and pruners -------------------------------------------------------------------------


def test_samplers_and_pruners_build_the_classes_of_their_names(tmp_path: Path) -> None:
    built = {
        "tpe": samplers.TPESampler, "gp": samplers.GPSampler, "qmc": samplers.QMCSampler,
        "random": samplers.RandomSampler, "nsga2": samplers.NSGAIISampler,
        "nsga3": samplers.NSGAIIISampler, "cmaes": samplers.CmaEsSampler,
    }  # fmt: skip
    assert set(SAMPLERS.names()) == set(built)
    for name in set(built) - {"cmaes"}:  # The package of cmaes may be missing.
        assert type(opened(tmp_path / name, sampler=name).sampler) is built[name]
    ends = {
        "asha": pruners.SuccessiveHalvingPruner, "hyperband": pruners.HyperbandPruner,
        "median": pruners.MedianPruner, "patient": pruners.PatientPruner,
        "none": pruners.NopPruner,
    }  # fmt: skip
    assert {name: type(PRUNERS[name].build()) for name in PRUNERS.names()} == ends


@pytest.mark.usefixtures("registries")
def test_one_function_adds_a_sampler_or_a_pruner(tmp_path: Path) -> None:
    SAMPLERS.register("mine", model=False, several=True)(
        lambda seed: samplers.BruteForceSampler(seed=seed)
    )
    PRUNERS.register("mine")(lambda: pruners.ThresholdPruner(upper=9))
    assert check("sampler", "mine") == "mine"
    assert check("pruner", "mine") == "mine"
    study = opened(tmp_path, sampler="mine", pruner="mine")
    assert type(study.sampler) is samplers.BruteForceSampler
    assert type(study.pruner) is pruners.ThresholdPruner


@pytest.mark.parametrize("setting", ["sampler", "pruner"])
def test_an_unknown_sampler_or_pruner_is_refused(setting: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"no {setting} 'tpee'"):
        opened(tmp_path, **{setting: "tpee"})


# --- Objectives -----------------------------------------------------------------------------------


def test_every_objective_has_its_values() -> None:
    names = PARAMS["objective"].names()
    score = dict.fromkeys(METRICS.names(), 3.0) | {"fd_lenet": 7.0}
    judge = {"primary": "fd_lenet", "score": score, "flags": []}
    result = {
        "judge": judge,
        "training_seconds": 2.0,
        "parameters": {"generator": 5, "discriminator": 4},
    }
    for name in names:
        second = second_objective(name)
        planner = SimpleNamespace(second=second, seeds=1)
        values = GanPlanner.measure(planner, [result])  # type: ignore[arg-type]
        assert values[0] == 7.0
        assert len(values) == 1 + (name not in ("quality", "eye"))
    coverage = second_objective("quality+coverage")
    assert coverage is not None
    assert (coverage.label, coverage.direction) == ("coverage", "maximize")
    assert coverage.text(0.123) == "0.12"
    assert coverage.value([{"judge": {"score": {}}}]) is None


# --- Optimizers and memory formats ----------------------------------------------------------------


@pytest.mark.usefixtures("registries")
def test_one_function_adds_an_optimizer() -> None:
    @gansweep.optimizer("rmsprop")
    def rmsprop(
        params: Any, lr: float, momentum: float, alpha: float = 0.99
    ) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(params, lr, alpha, momentum=momentum)

    assert check("gen_opt", "rmsprop") == "rmsprop"
    config = Config(gen_opt="rmsprop", disc_opt="rmsprop", momentum=0.3)
    config = with_values(config, {"gen_opt.alpha": "0.9"})
    made = make_optimizer(config, "gen_opt", nn.Linear(2, 3))
    assert isinstance(made, torch.optim.RMSprop)
    group = made.param_groups[0]
    assert (group["momentum"], group["alpha"], group["lr"]) == (0.3, 0.9, config.lr)
    assert make_optimizer(config, "disc_opt", nn.Linear(2, 3)).param_groups[0]["alpha"] == 0.99
    known = effective(config)
    assert known["momentum"] == 0.3
    assert (known["beta1"], known["beta2"], known["nesterov"]) == (None, None, None)
    assert Narrowing(4.0, 2.0).rates("rmsprop") == Narrowing(4.0, 2.0).rates("adam")


@pytest.mark.usefixtures("registries")
def test_one_argument_adds_a_hyperparameter_to_a_network() -> None:
    @generator("sized", image_size=28, demo_width=1.0)
    def sized(net: Stack, kernel: Annotated[int, gansweep.option("its kernel", low=1)] = 5) -> None:
        net.dense(4, at=(28, 28)).reshape(28, 28).conv_t_image(kernel).tanh()

    for value, expected in ((None, 5), (3, 3)):
        values = {"gen": "sized", "width": 0.5} | ({"gen.kernel": value} if value else {})
        config = with_values(Config(), values)
        *_, last = (m for m in build_networks(config, 1)[0].modules() if hasattr(m, "kernel_size"))
        assert last.kernel_size == (expected, expected)
    with pytest.raises(UserError, match=r"gen\.kernel=0"):
        with_values(Config(), {"gen": "sized", "gen.kernel": 0})


def test_an_unknown_optimizer_is_refused() -> None:
    with pytest.raises(UserError, match="no optimizer 'adamw'"):
        make_optimizer(Config(gen_opt="adamw"), "gen_opt", nn.Linear(1, 1))


def test_every_memory_format_is_one_of_torchs() -> None:
    offered = {name: MEMORY_FORMATS[name] for name in PARAMS["memory_format"].names()}
    assert set(offered.values()) == {torch.contiguous_format, torch.channels_last}


# --- Latents, pixels and the grid -----------------------------------------------------------------


def test_all_latents_come_from_one_function() -> None:
    torch.manual_seed(5)
    expected = torch.rand(4, 7) * 2 - 1
    torch.manual_seed(5)
    assert torch.equal(latents(7, 4), expected)
    gan = build_gan(Config(gen="5", disc="4", width=1 / 32, z_dim=7), channels=1)
    torch.manual_seed(5)
    assert torch.equal(gan.latents(4), expected)
    own = torch.rand(16, 7, generator=torch.Generator().manual_seed(16)) * 2 - 1
    assert torch.equal(fixed_latents(7), own)
    assert torch.equal(latents(7, 16, seed=16), own)


@pytest.mark.parametrize(
    ("code", "home"),
    [("* 2 - 1", "training/latents.py"), ("127.5", "training/data/pixels.py")],
)
def test_a_formula_is_in_one_file(code: str, home: str) -> None:
    having = [p for p in PACKAGE.rglob("*.py") if code in p.read_text(encoding="utf-8")]
    assert [str(path.relative_to(PACKAGE)) for path in having] == [home]


@pytest.mark.parametrize("channels", [1, 3])
def test_real_and_generated_images_have_the_same_grid(channels: int) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (18, channels, 5, 5), np.uint8)
    images[0, 0, 0, :2] = 0, 255  # These pixels have the whole range, so the grid is not stretched.
    picture = np.asarray(grid(images))
    assert picture.shape == ((20, 20) if channels == 1 else (20, 20, 3))
    second = picture[:5, 5:10].reshape(5, 5, channels)
    assert np.array_equal(second, images[1].transpose(1, 2, 0))
    assert np.array_equal(np.asarray(stretched_grid(torch.from_numpy(images).float())), picture)
