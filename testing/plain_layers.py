"""The 128 px networks made of PyTorch's own layers, as a reference for tests and benchmarks."""

from __future__ import annotations

from torch import nn

from gansweep.training.exports.plain import plain_convolution
from gansweep.training.networks.chunks import Chunked
from gansweep.training.networks.elementwise import FastTanh
from gansweep.training.networks.pooled import ConvTanhPool2d
from gansweep.training.networks.upsampled import UpsampledConv2d


def plain(net: nn.Module) -> nn.Module:
    """Return the same network with the same weights, made of PyTorch's own layers."""
    layers: list[nn.Module] = []
    for layer in net.children():
        match layer:
            case Chunked():
                layers += plain(layer).children()
            case UpsampledConv2d():
                layers += [nn.Upsample(scale_factor=layer.factor), _conv(layer)]
            case ConvTanhPool2d():
                layers += [_conv(layer), nn.Tanh(), nn.AvgPool2d(layer.factor)]
            case FastTanh():
                layers.append(nn.Tanh())
            case _:
                layers.append(layer)
    return nn.Sequential(*layers)


def _conv(layer: nn.Conv2d) -> nn.Conv2d:
    conv = plain_convolution(layer)
    if hasattr(layer, "narrowing"):  # The learning rates depend on the narrowing.
        conv.narrowing = layer.narrowing
    return conv
