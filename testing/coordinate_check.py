"""Measure how a few training steps change the output of each layer at several widths.

This is the coordinate check of Yang et al. 2022 (Tensor Programs V), appendix D.1: under a correct
parametrization, the change of every layer has the same size at all widths.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn

from gansweep.config import Config
from gansweep.params import DataConfig
from gansweep.training.data import prepare
from gansweep.training.data.pixels import normalise
from gansweep.training.networks.parametrization import Weighted
from gansweep.training.train import build_gan

NETWORKS = ("generator", "discriminator")
PARAMETRIZATIONS = ("standard", "mup")
STEPS = (1, 2, 5, 10)

ADAM: dict[str, Any] = {"lr": 1e-4, "beta1": 0.5}
SGD: dict[str, Any] = {
    "lr": 5e-4, "momentum": 0.9, "nesterov": True, "gen_opt": "sgd", "disc_opt": "sgd",
    "joint_d": True, "fresh_z": True, "smooth": 0.0,
}  # fmt: skip
PAIRS = {("1", "1"): ADAM, ("2", "2"): ADAM, ("4", "3"): ADAM, ("5", "4"): ADAM, ("3", "2"): ADAM,
         ("conv2", "conv2"): SGD, ("conv3", "conv3"): SGD}  # fmt: skip

# This maps a layer to the RMS of its first output and of the changes after each of the steps.
Sizes = dict[str, list[float]]


def config_for(gen: str, disc: str, parametrization: str) -> Config:
    """Return the configuration of a pair of networks, with the settings of its document."""
    settings = PAIRS[gen, disc]
    batch = 4 if settings is SGD else 8
    return Config(gen=gen, disc=disc, parametrization=parametrization, batch_size=batch, **settings)


def batch_for(config: Config) -> Tensor:
    """Return the batch of every step: digits of 28×28 or grey drawn faces of 128×128."""
    if PAIRS[config.gen, config.disc] is SGD:
        data = prepare(DataConfig("toyfaces", channels=1), 128, limit=config.batch_size)
    else:
        data = prepare(DataConfig(), 28)
    return torch.from_numpy(data.array()[: config.batch_size].copy())


def check(
    config: Config, images: Tensor, seeds: Mapping[float, int], steps: Sequence[int] = STEPS
) -> dict[str, list[Layer]]:
    """Return the layers of both networks; `seeds` has the number of seeds for each width."""
    found = {
        width: [
            play(dataclasses.replace(config, width=width, seed=seed), images, steps)
            for seed in range(count)
        ]
        for width, count in seeds.items()
    }
    return {
        network: _layers({w: [run[network] for run in runs] for w, runs in found.items()}, steps)
        for network in NETWORKS
    }


def play(config: Config, images: Tensor, steps: Sequence[int]) -> dict[str, Sizes]:
    """Train on one batch and return the RMS of each layer's output and of its changes.

    Images and z are the same at every step and for every seed.
    """
    torch.manual_seed(config.seed)
    gan = build_gan(config, images.shape[1]).train()
    gen_optimizer, disc_optimizer = gan.configure_optimizers()
    rng = torch.Generator().manual_seed(0)
    z = torch.rand(len(images), config.z_dim, generator=rng) * 2 - 1
    gan.latents = lambda n: z  # type: ignore[method-assign]
    nets = {
        "generator": (gan.generator, z),
        "discriminator": (gan.discriminator, normalise(images)),
    }
    start = {name: layer_outputs(*net) for name, net in nets.items()}
    found = {n: {layer: [_rms(out)] for layer, out in outs.items()} for n, outs in start.items()}
    for step in range(1, max(steps) + 1):
        gan.step(images, gen_optimizer, disc_optimizer)
        if step in steps:
            for name, net in nets.items():
                for layer, output in layer_outputs(*net).items():
                    found[name][layer].append(_rms(output - start[name][layer]))
    return found


def layer_outputs(net: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Return the output of each layer with weights for the input `x`, by position and type."""
    net = copy.deepcopy(net).train()  # This copy protects the averages of batch norm.
    layers = [layer for layer in net.modules() if isinstance(layer, Weighted)]
    outputs: dict[str, Tensor] = {}
    for place, layer in enumerate(layers, 1):
        dense = isinstance(layer, nn.Linear)
        if place == len(layers):
            kind = "logit" if dense else "image"
        else:
            kind = "dense" if dense else "conv"

        def keep(_: Any, __: Any, output: Tensor, name: str = f"{place} {kind}") -> None:
            outputs[name] = output.clone()  # The next layer may work in place.

        layer.register_forward_hook(keep)
    with torch.no_grad():
        net(x)
    return outputs


def _rms(values: Tensor) -> float:
    return values.square().mean().sqrt().item()


@dataclass(frozen=True)
class Layer:
    """The RMS of one layer's output and of its changes, by width, as geometric means over seeds."""

    name: str
    start: dict[float, float]
    changes: dict[int, dict[float, float]]  # The keys are numbers of steps.

    def slope(self, steps: int) -> float:
        """The exponent with which the change grows with the width; 0 means equal changes."""
        return slope(self.changes[steps])


def slope(sizes: Mapping[float, float]) -> float:
    """Return the exponent of the width that fits best, by least squares of the logarithms."""
    x = [math.log2(width) for width in sizes]
    y = [math.log2(size) for size in sizes.values()]
    middle = fmean(x)
    return sum((a - middle) * b for a, b in zip(x, y, strict=True)) / sum(
        (a - middle) ** 2 for a in x
    )


def worst(layers: list[Layer], steps: int) -> Layer:
    """Return the layer whose change depends most on the width."""
    return max(layers, key=lambda layer: abs(layer.slope(steps)))


def _layers(found: Mapping[float, list[Sizes]], steps: Sequence[int]) -> list[Layer]:
    """Return the geometric mean over the seeds for each layer and width."""

    def mean(name: str, i: int) -> dict[float, float]:
        return {
            width: math.exp(fmean(math.log(run[name][i]) for run in runs))
            for width, runs in found.items()
        }

    names = next(iter(found.values()))[0]
    return [
        Layer(name, mean(name, 0), {step: mean(name, i) for i, step in enumerate(steps, 1)})
        for name in names
    ]
