"""Tests of the convolution of an upsampled map that is never made."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate

from gansweep.training.networks import build_generator
from gansweep.training.networks.upsampled import UpsampledConv2d


def plain(layer: UpsampledConv2d, x: Tensor) -> Tensor:
    """Return the layers of the document."""
    full = interpolate(x, scale_factor=layer.factor, mode="nearest")
    return conv2d(full, layer.weight, layer.bias, padding=layer.padding)  # type: ignore[arg-type]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("kernel", "factor", "size"), [(5, 4, 8), (5, 2, 6), (3, 3, 7), (3, 4, 1), (7, 2, 5), (1, 2, 4)]
)
def test_outputs_and_gradients_equal_those_of_plain_layers(
    kernel: int, factor: int, size: int, bias: bool
) -> None:
    torch.manual_seed(0)
    layer = UpsampledConv2d(3, 4, kernel, factor, bias).double()
    x = torch.randn(2, 3, size, size, dtype=torch.double, requires_grad=True)
    out, expected = layer(x), plain(layer, x)
    assert out.shape == (2, 4, size * factor, size * factor)
    assert torch.allclose(out, expected, atol=1e-12)
    gradient = torch.randn_like(out)
    of = [x, *layer.parameters()]
    found = torch.autograd.grad(out, of, gradient)
    wanted = torch.autograd.grad(expected, of, gradient)
    assert all(torch.allclose(a, b, atol=1e-9) for a, b in zip(found, wanted, strict=True))


def test_rows_of_six_bytes_are_copied_too() -> None:
    """Three pixels in 16 bits are no whole number of machine words."""
    layer = UpsampledConv2d(2, 1, 3, 3).to(torch.bfloat16)
    x = torch.randn(1, 2, 4, 4, dtype=torch.bfloat16)
    assert torch.allclose(layer(x), plain(layer, x), atol=0.05)


def test_an_even_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="no middle"):
        UpsampledConv2d(1, 1, 4, 2)


@pytest.mark.parametrize("name", ["conv2", "conv3"])
def test_the_128_px_generators_use_the_layer(name: str) -> None:
    torch.manual_seed(0)
    net = build_generator(name, z_dim=100, channels=1, width=1 / 8, alpha=0.2, drop=0)
    layers = [layer for layer in net.modules() if isinstance(layer, UpsampledConv2d)]
    assert len(layers) == (2 if name == "conv2" else 3)
    assert not any(isinstance(layer, nn.Upsample) for layer in net.modules())
    net.eval()
    z = torch.rand(3, 100) * 2 - 1
    slow = z
    for layer in (layer for layer in net.modules() if not isinstance(layer, nn.Sequential)):
        slow = plain(layer, slow) if isinstance(layer, UpsampledConv2d) else layer(slow)
    assert torch.allclose(net(z), slow, atol=1e-5)
