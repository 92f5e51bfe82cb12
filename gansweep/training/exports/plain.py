"""Replace gansweep's own layers by PyTorch's, for files that other programs load.

gansweep's layers are faster on a CPU, but some of them work in place, in chunks of a batch or with
operations that no other format has. A plain network computes the same images up to rounding.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar

from torch import Tensor, nn
from torch.nn.functional import batch_norm

from gansweep.training.networks.chunks import Chunked
from gansweep.training.networks.elementwise import FastTanh
from gansweep.training.networks.pooled import ConvTanhPool2d
from gansweep.training.networks.stack import Crop, Dropout, Flatten, Norm, Reshape
from gansweep.training.networks.transposed import ConvTranspose2d
from gansweep.training.networks.upsampled import UpsampledConv2d

Convolution = TypeVar("Convolution", nn.Conv2d, nn.ConvTranspose2d)


class FixedNorm(nn.Module):
    """This layer is a batch norm of vectors or maps in evaluation mode, with fixed averages."""

    mean: Tensor
    variance: Tensor

    def __init__(self, norm: Norm) -> None:
        super().__init__()
        mean, variance = norm.averages()
        self.register_buffer("mean", mean.clone())
        self.register_buffer("variance", variance.clone())
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, input: Tensor) -> Tensor:
        return batch_norm(input, self.mean, self.variance, self.weight, self.bias, eps=self.eps)


class Cut(nn.Module):
    """This layer keeps the first `size` × `size` pixels, by slices."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, input: Tensor) -> Tensor:
        return input[:, :, : self.size, : self.size]


def plain_convolution(layer: nn.Conv2d) -> nn.Conv2d:
    """Return PyTorch's convolution with stride 1 and the weights and the padding of `layer`."""
    return _plain_form(nn.Conv2d, layer)


def _plain_form(kind: type[Convolution], layer: Convolution) -> Convolution:
    """Return a layer of PyTorch's class `kind`, with stride 1, that has the weights of `layer`."""
    conv = kind(
        layer.in_channels, layer.out_channels, layer.kernel_size, padding=layer.padding,  # type: ignore[arg-type]
        bias=layer.bias is not None,
    )  # fmt: skip
    conv.weight, conv.bias = layer.weight, layer.bias
    return conv


def _upsampled(layer: UpsampledConv2d) -> nn.Module:
    """Return an upsampling, and a convolution with the same weights on the upsampled map."""
    upsampling = nn.Upsample(scale_factor=float(layer.factor), mode="nearest")
    return nn.Sequential(upsampling, plain_convolution(layer))


def _pooled(layer: ConvTanhPool2d) -> nn.Module:
    return nn.Sequential(plain_convolution(layer), nn.Tanh(), nn.AvgPool2d(layer.factor))


# The first entry of which a layer is an instance replaces the layer.
_PLAIN: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    Chunked: lambda layer: nn.Sequential(*map(_replaced, layer)),
    Norm: FixedNorm,
    Dropout: lambda _: nn.Identity(),
    FastTanh: lambda _: nn.Tanh(),
    Crop: lambda layer: Cut(layer.size),
    Reshape: lambda layer: nn.Unflatten(1, layer.unflattened_size),
    Flatten: lambda _: nn.Flatten(),
    UpsampledConv2d: _upsampled,
    ConvTanhPool2d: _pooled,
    ConvTranspose2d: lambda layer: _plain_form(nn.ConvTranspose2d, layer),
    nn.LeakyReLU: lambda layer: nn.LeakyReLU(layer.negative_slope),  # not in place
}


def plain(net: nn.Module) -> nn.Module:
    """Return a copy of a trained network in evaluation mode, without layers of gansweep's own."""
    copied = _replaced(copy.deepcopy(net).cpu()).eval().requires_grad_(False)
    for tensor in (*copied.parameters(), *copied.buffers()):
        tensor.data = tensor.data.contiguous()
    return copied


def _replaced(net: nn.Module) -> nn.Module:
    for kind, replace in _PLAIN.items():
        if isinstance(net, kind):
            return replace(net)
    for name, child in list(net.named_children()):
        setattr(net, name, _replaced(child))
    return net
