"""The Maximal Update Parametrization: a setting means the same at every width.

A learning rate is the one of full width. `shrink` compares a network with itself at full width and
sets the initial weights; `parameter_groups` gives each parameter its own learning rate. At full
width every factor is 1. docs/parametrization.md derives the factors.

Yang & Hu 2021 (Tensor Programs IV); Yang et al. 2022 (Tensor Programs V), Tables 3 and 8.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from gansweep.plugins import OPTIMIZERS
from gansweep.store.records import LayerRate

Weighted = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
Norms = (nn.BatchNorm1d, nn.BatchNorm2d)  # and what is derived from them


@dataclass(frozen=True)
class Narrowing:
    """How many times as many inputs and outputs a layer has at full width.

    An input is one that grows with the width: an image's colours and z do not. last: the same of
    the last layer's inputs, for the layers before it.
    """

    inputs: float = 1.0
    outputs: float = 1.0
    last: float = 1.0

    @property
    def weight_std(self) -> float:
        """Factor of a weight's initial standard deviation: a sum of random terms keeps its size.

        In the last layer too, where the tables have `inputs`: docs/parametrization.md says why.
        """
        return math.sqrt(self.inputs)

    def rates(self, optimizer: str) -> tuple[float, float]:
        """Factors of a weight's and of a bias' learning rate."""
        if OPTIMIZERS[optimizer].adaptive:
            return self.inputs, 1.0
        gradient = self.outputs / math.sqrt(self.last)
        return self.inputs / gradient, 1 / gradient


def shrink(net: nn.Module, full: nn.Module) -> None:
    """Tell each layer of `net` how narrow it is beside `full`, and scale its initial weights.

    full: the same network at full width; a meta device will do. The initial weights become what
    Glorot's rule gives `full`, scaled by the narrowing alone.
    """
    layers = list(zip(net.modules(), full.modules(), strict=True))
    *_, final = (pair for pair in layers if isinstance(pair[0], Weighted))
    last = _features(final[1])[0] / _features(final[0])[0]
    for layer, wide in layers:
        before = 1.0 if layer is final[0] else last
        if isinstance(layer, Weighted):
            (inputs, outputs), (all_inputs, all_outputs) = _features(layer), _features(wide)
            narrowing = Narrowing(all_inputs / inputs, all_outputs / outputs, before)
            # Glorot's variance is 2 / (inputs + outputs), times the kernel's size.
            glorot = math.sqrt((inputs + outputs) / (all_inputs + all_outputs))
            with torch.no_grad():
                layer.weight.mul_(glorot * narrowing.weight_std)
        elif isinstance(layer, Norms):
            assert isinstance(wide, Norms)
            narrowing = Narrowing(1.0, wide.num_features / layer.num_features, before)
        else:
            continue
        layer.narrowing = narrowing  # type: ignore[assignment]


def _features(layer: nn.Module) -> tuple[int, int]:
    """(inputs, outputs) of a weighted layer, each counted once a position."""
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    return layer.in_channels, layer.out_channels


def narrowing_of(layer: nn.Module) -> Narrowing:
    """What `shrink` found; nothing is narrow in a network that it has not seen."""
    found = getattr(layer, "narrowing", None)
    return found if isinstance(found, Narrowing) else Narrowing()


def parameter_groups(
    net: nn.Module, optimizer: str, lr: float, eps: float | None = None
) -> list[dict[str, Any]]:
    """The parameters of `net` as groups of equal learning rate, for a torch optimizer.

    lr: at full width. eps: Adam's, which is scaled as the gradients are, by the outputs.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
    for layer in net.modules():
        narrowing = narrowing_of(layer)
        for name, parameter in layer.named_parameters(recurse=False):
            matrix = name == "weight" and isinstance(layer, Weighted)
            rate = narrowing.rates(optimizer)[0 if matrix else 1]
            groups[rate, narrowing.outputs].append(parameter)
    return [
        {"params": parameters, "lr": lr * rate, **({} if eps is None else {"eps": eps * outputs})}
        for (rate, outputs), parameters in groups.items()
    ]


def layer_rates(net: nn.Module, optimizer: str, lr: float) -> Iterator[LayerRate]:
    """Each layer that learns: its place and kind, and the learning rates of weight and bias."""
    for name, layer in net.named_modules():
        if not isinstance(layer, (*Weighted, *Norms)):
            continue
        of_weight, of_bias = narrowing_of(layer).rates(optimizer)
        if isinstance(layer, Norms):
            size, of_weight = str(layer.num_features), of_bias
        else:
            size = "→".join(map(str, _features(layer)))
        yield {
            "layer": f"{name} {type(layer).__name__} {size}",
            "weight": lr * of_weight,
            "bias": lr * of_bias if layer.bias is not None else None,
        }
