"""Tests of the Maximal Update Parametrization: its factors, and equal changes at all widths."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gansweep.config import Config
from gansweep.plugins import DISCRIMINATORS, GENERATORS
from gansweep.training.gan import GAN
from gansweep.training.networks import build_discriminator, build_generator
from gansweep.training.networks.parametrization import (
    Weighted,
    layer_rates,
    narrowing_of,
    parameter_groups,
)
from gansweep.training.train import build_gan
from testing.coordinate_check import batch_for, check, config_for

NARROW = 1 / 16  # Every channel count of every network is a multiple of 16.
EVERY = [*(f"G {name}" for name in GENERATORS.names()),
         *(f"D {name}" for name in DISCRIMINATORS.names())]  # fmt: skip

# The roles are the first layer's weights, hidden weights, the last layer's weights and bias, and
# other biases and norms.
ROLES = ("first", "hidden", "last", "last bias", "vector")
RATES = {"adam": (1, 16, 16, 1, 1), "sgd": (1 / 4, 4, 16, 1, 1 / 4)}
ADAM_EPS = (16, 16, 1, 1, 16)
STD = {"first": 1, "hidden": 4, "last": 4}


def build(name: str, width: float = NARROW, parametrization: str = "mup") -> nn.Sequential:
    """Build a network by a key such as `G 1`."""
    kind, which = name.split()
    settings: Any = {
        "channels": 1, "width": width, "alpha": 0.2, "drop": 0.0,
        "parametrization": parametrization,
    }  # fmt: skip
    if kind == "G":
        return build_generator(which, z_dim=100, **settings)
    return build_discriminator(which, **settings)


def roles(net: nn.Module) -> dict[str, str]:
    """Return the role of each parameter by its position in the network."""
    weighted = [name for name, layer in net.named_modules() if isinstance(layer, Weighted)]
    found = {}
    for name, _ in net.named_parameters():
        layer, kind = name.rsplit(".", 1)
        if layer in weighted and kind == "weight":
            found[name] = {0: "first", len(weighted) - 1: "last"}.get(
                weighted.index(layer), "hidden"
            )
        else:
            found[name] = "last bias" if layer == weighted[-1] else "vector"
    return found


def by_parameter(net: nn.Module, optimizer: str, key: str) -> dict[str, float]:
    """Return the setting `key` of each parameter's group, at lr = eps = 1."""
    groups = parameter_groups(net, optimizer, 1.0, 1.0)
    of = {id(parameter): group[key] for group in groups for parameter in group["params"]}
    return {name: of[id(parameter)] for name, parameter in net.named_parameters()}


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_learning_rate_of_each_parameter(name: str, optimizer: str) -> None:
    net = build(name)
    expected = dict(zip(ROLES, RATES[optimizer], strict=True))
    assert by_parameter(net, optimizer, "lr") == {p: expected[r] for p, r in roles(net).items()}


@pytest.mark.parametrize("name", EVERY)
def test_the_eps_of_adam_is_scaled_as_the_gradients_are(name: str) -> None:
    net = build(name)
    expected = dict(zip(ROLES, ADAM_EPS, strict=True))
    assert by_parameter(net, "adam", "eps") == {p: expected[r] for p, r in roles(net).items()}


@pytest.mark.parametrize("name", EVERY)
def test_initial_weights_are_those_of_full_width_times_the_factor(name: str) -> None:
    nets = {}
    for parametrization in ("mup", "standard"):
        torch.manual_seed(0)  # The draws are equal, and uniform within Glorot's bound.
        nets[parametrization] = dict(
            build(name, parametrization=parametrization).named_parameters()
        )
    with torch.device("meta"):
        full = build(name, width=1)
    wide = dict(full.named_parameters())
    for weight, role in roles(full).items():
        if role in STD:
            narrow = nets["standard"][weight]
            expected = narrow / glorot(narrow) * glorot(wide[weight]) * STD[role]
            torch.testing.assert_close(nets["mup"][weight], expected)


def glorot(weight: Tensor) -> float:
    """Return the bound of Glorot's uniform distribution."""
    return math.sqrt(6 / sum(nn.init._calculate_fan_in_and_fan_out(weight)))


def test_factors_are_ratios_of_the_rounded_channel_counts() -> None:
    net = build("G 1", width=0.1)  # The 128 channels before the image become 13.
    (last,) = (name for name, role in roles(net).items() if role == "last")
    assert by_parameter(net, "adam", "lr")[last] == 128 / 13


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("parametrization", ["mup", "standard"])
def test_every_parameter_is_in_one_group(name: str, optimizer: str, parametrization: str) -> None:
    net = build(name, parametrization=parametrization)
    grouped = [p for group in parameter_groups(net, optimizer, 1e-3) for p in group["params"]]
    assert len(grouped) == len(set(map(id, grouped)))
    assert set(map(id, grouped)) == set(map(id, net.parameters()))


def test_standard_gives_every_parameter_the_given_rate() -> None:
    net = build("G 1", parametrization="standard")
    assert set(by_parameter(net, "adam", "lr").values()) == {1.0}
    assert set(by_parameter(net, "sgd", "lr").values()) == {1.0}


def trained(parametrization: str, optimizer: str) -> tuple[GAN, Tensor]:
    """Return a GAN of full width after two steps, and the next random numbers."""
    torch.manual_seed(3)
    config = Config(
        gen="5", disc="4", width=1, parametrization=parametrization, gen_opt=optimizer,
        disc_opt=optimizer, lr=1e-3,
    )  # fmt: skip
    gan = build_gan(config, 1).train()
    optimizers = gan.configure_optimizers()
    for _ in range(2):
        gan.step(torch.randint(256, (2, 1, 28, 28), dtype=torch.uint8), *optimizers)
    return gan, torch.rand(4)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_both_parametrizations_are_equal_at_full_width(optimizer: str) -> None:
    (mup, after_mup), (standard, after_standard) = (
        trained(parametrization, optimizer) for parametrization in ("mup", "standard")
    )
    weights = standard.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in mup.state_dict().items())
    assert torch.equal(after_mup, after_standard)


@pytest.mark.parametrize("name", EVERY)
def test_building_draws_equal_random_numbers_under_both_parametrizations(name: str) -> None:
    after = []
    for parametrization in ("mup", "standard"):
        torch.manual_seed(0)
        build(name, parametrization=parametrization)
        after.append(torch.rand(4))
    assert torch.equal(*after)


def test_a_copy_keeps_its_learning_rates() -> None:
    net = build("G 1")
    assert list(layer_rates(copy.deepcopy(net), "adam", 1e-4)) == list(
        layer_rates(net, "adam", 1e-4)
    )
    averaged = build_gan(Config(gen="5", disc="4", width=NARROW, ema_decay=0.9), 1).averaged
    assert averaged is not None
    assert narrowing_of(next(averaged.children())).outputs == 16


# The following tests check the exponent with which the change of a layer's output grows with the
# width. The comments have measured values; narrow layers have few channels, hence the margins.


def slopes(
    gen: str, disc: str, parametrization: str, seeds: dict[float, int], steps: int
) -> dict[str, list[float]]:
    """Return the exponents of each layer of both networks, from the first to the last."""
    config = config_for(gen, disc, parametrization)
    found = check(config, batch_for(config), seeds, (steps,))
    return {name: [layer.slope(steps) for layer in layers] for name, layers in found.items()}


def largest(values: list[float]) -> float:
    return max(map(abs, values))


def test_adam_under_mup_changes_every_width_equally() -> None:
    found = slopes("1", "1", "mup", {1 / 32: 12, 1 / 16: 8, 1 / 8: 6}, 3)
    *hidden, image = found["generator"]
    assert largest(hidden) < 0.15  # 0.07
    *others, logit = found["discriminator"]
    assert largest(others) < 0.45  # 0.31
    # The last layer's initial weights are large, so their sum grows as the root of the width.
    assert max(abs(image), abs(logit)) < 0.5  # 0.22, 0.12

    standard = slopes("1", "1", "standard", {1 / 32: 3, 1 / 16: 2, 1 / 8: 2}, 3)
    assert min(standard["generator"][2:]) > 0.3  # 0.41, the image 0.77
    assert min(standard["discriminator"][2:]) > 0.45  # 0.61, the logit 0.93


@pytest.mark.slow
def test_sgd_under_mup_changes_every_width_equally() -> None:
    found = slopes("conv2", "conv2", "mup", {1 / 16: 12, 1 / 8: 8, 1 / 4: 6}, 1)
    assert largest(found["generator"]) < 0.3  # 0.11
    assert largest(found["discriminator"][:-1]) < 0.5  # 0.37; 4 channels at 1/16


@pytest.mark.slow
def test_sgd_under_standard_changes_layers_in_proportions_that_depend_on_the_width() -> None:
    found = slopes("conv2", "conv2", "standard", {1 / 16: 4, 1 / 8: 3, 1 / 4: 2}, 1)
    for layers in found.values():
        assert layers[-1] - layers[0] > 0.5  # 0.93 and 0.98
