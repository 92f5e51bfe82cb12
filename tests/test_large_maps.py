"""Tests of the fast layers for large maps: outputs and gradients equal those of plain layers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d

from gansweep.training.networks import build_discriminator, build_generator
from gansweep.training.networks.blocked import BlockedAvgPool2d, BlockedConv2d
from gansweep.training.networks.chunks import Chunked
from gansweep.training.networks.elementwise import FastTanh
from testing.plain_layers import plain


def agree(found: Tensor, wanted: Tensor, of: list[Tensor], tolerance: float) -> None:
    """Check that two outputs are equal, and also their gradients."""
    assert torch.allclose(found, wanted, atol=tolerance)
    torch.manual_seed(1)
    gradient = torch.randn_like(wanted)
    pairs = zip(
        torch.autograd.grad(found, of, gradient, retain_graph=True),
        torch.autograd.grad(wanted, of, gradient),
        strict=True,
    )
    assert all(torch.allclose(a, b, atol=100 * tolerance) for a, b in pairs)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize(("channels", "factor"), [(1, 4), (3, 2)])
def test_a_convolution_in_blocks_equals_a_plain_one(
    kernel: int, channels: int, factor: int, bias: bool
) -> None:
    torch.manual_seed(0)
    conv, pool = BlockedConv2d(channels, 5, kernel, bias).double(), BlockedAvgPool2d(factor)
    x = torch.randn(3, channels, 16, 16, dtype=torch.double, requires_grad=True)
    plain = conv2d(x, conv.weight, conv.bias, padding=kernel // 2)
    blocks = conv(x)
    unblocked = blocks.unflatten(1, (2, 2, 5)).permute(0, 3, 4, 1, 5, 2).reshape(3, 5, 16, 16)
    of = [x, *conv.parameters()]
    agree(unblocked, plain, of, 1e-12)
    plain = conv2d(x, conv.weight, conv.bias, padding=kernel // 2)
    agree(pool(conv(x).tanh()), avg_pool2d(plain.tanh(), factor), of, 1e-12)


def test_an_even_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="no middle"):
        BlockedConv2d(1, 1, 4)


@pytest.mark.parametrize(
    ("kind", "tolerance"), [(torch.float64, 1e-15), (torch.float32, 2e-7), (torch.bfloat16, 0.004)]
)
def test_fast_tanh_is_exact_and_its_gradient_too(kind: torch.dtype, tolerance: float) -> None:
    x = torch.cat([torch.linspace(-12, 12, 10_001), torch.tensor([1e-4, 200.0, -200.0])]).to(kind)
    x.requires_grad_()
    found = FastTanh()(x * 1)
    assert (found.double() - x.double().tanh()).abs().max() <= tolerance
    (slope,) = torch.autograd.grad(found.sum(), x)
    assert (slope.double() - (1 - x.double().tanh() ** 2)).abs().max() <= 4 * tolerance


@pytest.mark.parametrize("name", ["conv2", "conv3"])
def test_networks_equal_those_of_plain_layers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "gansweep.training.networks.chunks.CHUNK_BYTES", 600_000
    )  # chunks of two images
    torch.manual_seed(0)
    settings = {"channels": 1, "width": 1 / 16, "alpha": 0.2, "drop": 0}
    generator = build_generator(name, z_dim=10, **settings).double()  # type: ignore[arg-type]
    discriminator = build_discriminator(name, **settings).double()  # type: ignore[arg-type]
    z = torch.rand(7, 10, dtype=torch.double) * 2 - 1
    of = [*generator.parameters(), *discriminator.parameters()]
    agree(discriminator(generator(z)), plain(discriminator)(plain(generator)(z)), of, 1e-12)


@pytest.mark.parametrize("name", ["conv2", "conv3"])
def test_weights_of_earlier_versions_are_read(name: str) -> None:
    """Weights of runs from before the chunks have other names in their files."""
    settings = {"channels": 1, "width": 1 / 16, "alpha": 0.2, "drop": 0}

    def nets() -> tuple[nn.Module, nn.Module]:
        return (
            build_generator(name, z_dim=10, **settings).eval(),  # type: ignore[arg-type]
            build_discriminator(name, **settings).eval(),  # type: ignore[arg-type]
        )

    torch.manual_seed(0)
    old, new = nn.ModuleList(map(plain, nets())), nn.ModuleList(nets())
    assert list(old.state_dict()) != list(new.state_dict())
    new.load_state_dict(old.state_dict())
    z = torch.rand(2, 10)
    assert torch.allclose(new[1](new[0](z)), old[1].eval()(old[0].eval()(z)), atol=1e-5)
    broken = old.state_dict() | {"0.0.weight": torch.zeros(3, 3)}
    with pytest.raises(RuntimeError):
        new.load_state_dict(broken)


def test_only_large_maps_without_batch_norm_are_chunked() -> None:
    """The layers of large maps are chunked, except batch norm, which needs the whole batch."""
    for net in (
        build_generator("conv3", z_dim=10, channels=1, width=1 / 16, alpha=0.2, drop=0),
        build_discriminator("conv3", channels=1, width=1 / 16, alpha=0.2, drop=0),
    ):
        (chunked,) = [layer for layer in net if isinstance(layer, Chunked)]
        assert not any(isinstance(layer, nn.BatchNorm2d) for layer in chunked.modules())
        assert len(list(chunked)) >= 5
    small = build_generator("5", z_dim=10, channels=1, width=1 / 16, alpha=0.2, drop=0)
    assert not any(isinstance(layer, Chunked | FastTanh) for layer in small)
