"""Scale weights and learning rates by the Maximal Update Parametrization (muP).

With muP, a learning rate has the same effect at every width; the learning rate to set is that of
full width. `shrink` compares a network with the same network at full width and scales the initial
weights. `parameter_groups` gives each parameter a learning rate. At full width every factor is 1.

The sources are Yang & Hu 2021 (Tensor Programs IV) and Yang et al. 2022 (Tensor Programs V),
Tables 3 and 8. docs/parametrization.md derives the factors.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList

from gansweep.plugins import OPTIMIZERS
from gansweep.store.records import LayerRate

Weighted = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
Norms = (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm)  # These include their subclasses.


@dataclass(frozen=True)
class Narrowing:
    """This record says how many times as many inputs and outputs a layer has at full width.

    The numbers of an image's colours and of z do not grow with the width, so their ratio is 1.
    `last` is the ratio of the inputs of the network's last layer, for every layer before it.
    """

    inputs: float = 1.0
    outputs: float = 1.0
    last: float = 1.0

    @property
    def weight_std(self) -> float:
        """Return the factor of a weight's initial standard deviation.

        With this factor, a sum of random terms keeps its size. The published tables give the last
        layer the factor `inputs`; docs/parametrization.md says why gansweep does not.
        """
        return math.sqrt(self.inputs)

    def rates(self, optimizer: str) -> tuple[float, float]:
        """Return the factors of a weight's and of a bias' learning rate.

        `optimizer` is a registered name. Raises UserError for an unknown name.
        """
        if OPTIMIZERS[optimizer].adaptive:
            return self.inputs, 1.0
        gradient = self.outputs / math.sqrt(self.last)
        return self.inputs / gradient, 1 / gradient


def shrink(net: nn.Module, full: nn.Module) -> None:
    """Scale the initial weights of `net`, and give each layer its `narrowing`.

    `full` is the same network at full width, and may be on the meta device. The initial weights get
    the standard deviation that Glorot's rule (Glorot & Bengio 2010) gives `full`, times
    `Narrowing.weight_std`.
    """
    pairs = list(zip(net.modules(), full.modules(), strict=True))
    *_, (last_layer, wide_last_layer) = (p for p in pairs if isinstance(p[0], Weighted))
    last_ratio = _features(wide_last_layer)[0] / _features(last_layer)[0]
    for layer, wide in pairs:
        last = 1.0 if layer is last_layer else last_ratio
        if isinstance(layer, Weighted):
            (inputs, outputs), (wide_inputs, wide_outputs) = _features(layer), _features(wide)
            narrowing = Narrowing(wide_inputs / inputs, wide_outputs / outputs, last)
            # Glorot's variance is 2 / (inputs + outputs) / the kernel's size.
            glorot = math.sqrt((inputs + outputs) / (wide_inputs + wide_outputs))
            with torch.no_grad():
                layer.weight.mul_(glorot * narrowing.weight_std)
        elif isinstance(layer, Norms):
            assert isinstance(wide, Norms)
            narrowing = Narrowing(1.0, _normed(wide) / _normed(layer), last)
        else:
            continue
        layer.narrowing = narrowing  # type: ignore[assignment]


def _features(layer: nn.Module) -> tuple[int, int]:
    """Return the input and output features, or channels, of a layer with weights."""
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    return layer.in_channels, layer.out_channels


def _normed(layer: nn.Module) -> int:
    """Return the features, or channels, of a normalisation."""
    return layer.num_channels if isinstance(layer, nn.GroupNorm) else layer.num_features  # type: ignore[return-value]


def spectral(net: nn.Module) -> None:
    """Divide each weight of `net` by its largest singular value (Miyato et al. 2018).

    The learning rates stay those of the weights before the division.
    """
    for layer in list(net.modules()):
        if isinstance(layer, Weighted):
            nn.utils.parametrizations.spectral_norm(layer)
            layer.parametrizations.weight.narrowing = narrowing_of(layer)  # type: ignore[union-attr]


def narrowing_of(layer: nn.Module) -> Narrowing:
    """Return the `narrowing` that `shrink` gave `layer`, or ratios of 1 if it gave none."""
    narrowing = getattr(layer, "narrowing", None)
    return narrowing if isinstance(narrowing, Narrowing) else Narrowing()


def parameter_groups(
    net: nn.Module, optimizer: str, lr: float, eps: float | None = None
) -> list[dict[str, Any]]:
    """Return the parameters of `net` in groups of equal learning rate, for a torch optimizer.

    `optimizer` is a registered name, and `lr` is the learning rate at full width. `eps` is Adam's
    at full width, and is scaled by `outputs`, as the gradients are.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
    for layer in net.modules():
        narrowing = narrowing_of(layer)
        for name, parameter in layer.named_parameters(recurse=False):
            is_matrix = name == "weight" and isinstance(layer, Weighted)
            is_matrix = is_matrix or isinstance(layer, ParametrizationList)  # see `spectral`
            factor = narrowing.rates(optimizer)[0 if is_matrix else 1]
            groups[factor, narrowing.outputs].append(parameter)
    return [
        {"params": parameters, "lr": lr * factor, **({} if eps is None else {"eps": eps * outputs})}
        for (factor, outputs), parameters in groups.items()
    ]


def layer_rates(net: nn.Module, optimizer: str, lr: float) -> Iterator[LayerRate]:
    """Yield for each layer that learns its name, type and size, and its two learning rates.

    "bias" is None for a layer without bias. `lr` is the learning rate at full width.
    """
    for name, layer in net.named_modules():
        if not isinstance(layer, (*Weighted, *Norms)):
            continue
        weight_factor, bias_factor = narrowing_of(layer).rates(optimizer)
        if isinstance(layer, Norms):
            size, weight_factor = str(_normed(layer)), bias_factor
        else:
            size = "→".join(map(str, _features(layer)))
        yield {
            "layer": f"{name} {type(layer).__name__} {size}",
            "weight": lr * weight_factor,
            "bias": lr * bias_factor if layer.bias is not None else None,
        }
