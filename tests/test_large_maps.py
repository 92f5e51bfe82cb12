"""Tests of the fast layers for large maps: outputs and gradients equal those of plain layers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from gansweep.training.networks import build_discriminator, build_generator, elementwise, kernels
from gansweep.training.networks.chunks import Chunked
from gansweep.training.networks.elementwise import FastTanh
from gansweep.training.networks.pooled import ConvTanhPool2d
from testing.plain_layers import plain


@pytest.fixture(params=[True, False], ids=["by a sigmoid", "by tanh"])
def form(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    """Let the layers use each form of tanh, as if it had been measured to be the faster one.

    The other form fails.
    """
    monkeypatch.setenv("GANSWEEP_CACHE", str(tmp_path))
    monkeypatch.setattr(kernels, "measure", lambda *_: {"slow": request.param})
    elementwise.tanh_is_slow.cache_clear()
    assert elementwise.tanh_is_slow() is request.param
    if request.param:
        monkeypatch.setattr(torch, "tanh_", None)
    else:
        monkeypatch.setattr(torch, "sigmoid_", None)
        monkeypatch.setattr(elementwise, "_BySigmoid", None)
    yield
    elementwise.tanh_is_slow.cache_clear()


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


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("inputs", "kernel", "padding", "factor", "in_blocks"),
    [
        *[(1, kernel, kernel // 2, 4, True) for kernel in (1, 3, 5, 7)],
        *[(3, kernel, kernel // 2, 2, True) for kernel in (1, 3, 5, 7)],
        (8, 5, 0, 2, False), (5, 3, 1, 4, False), (1, 5, 2, 3, False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_a_fused_layer_equals_convolution_tanh_and_pooling(
    inputs: int, kernel: int, padding: int, factor: int, in_blocks: bool, bias: bool,
    memory_format: torch.memory_format, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The output, the gradients, and the gradients of a gradient are equal."""
    size = factor * 4 + kernel - 1 - 2 * padding
    map_bytes = 4 * 6 * (factor * 4) ** 2
    monkeypatch.setattr("gansweep.training.networks.chunks.CHUNK_BYTES", 2 * map_bytes)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    torch.manual_seed(0)
    layer = ConvTanhPool2d(
        inputs, 6, kernel, factor, padding=padding, bias=bias, in_blocks=in_blocks
    ).double()
    x = torch.randn(5, inputs, size, size, dtype=torch.double)
    x = x.contiguous(memory_format=memory_format).requires_grad_()
    of = [x, *layer.parameters()]

    def slopes(output: Tensor) -> Tensor:
        (slope,) = torch.autograd.grad(output.square().sum(), x, create_graph=True)
        return slope

    def wanted() -> Tensor:
        return layer.plain(x, layer.weight, layer.bias)

    agree(layer(x), wanted(), of, 1e-12)
    weights = [x, layer.weight]
    agree(slopes(layer(x)), slopes(wanted()), weights, 1e-12)
    layer.requires_grad_(False)
    agree(layer(x), wanted(), [x], 1e-12)
    with torch.no_grad():
        assert torch.allclose(layer(x), wanted(), atol=1e-12)


@pytest.mark.usefixtures("form")
def test_a_fused_layer_in_bf16_is_as_exact_as_plain_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    """This also holds for the weights' gradients, which are added over 100 chunks of one image."""
    monkeypatch.setattr("gansweep.training.networks.chunks.CHUNK_BYTES", 1)
    torch.manual_seed(0)
    layer = ConvTanhPool2d(1, 8, 5, 4, padding=2, in_blocks=True)
    x = torch.randn(100, 1, 32, 32, requires_grad=True)
    exact = layer.plain(x, layer.weight, layer.bias)

    def errors(output: Tensor) -> list[float]:
        found = [output, *torch.autograd.grad(output.float().sum(), [x, layer.weight])]
        right = [exact, *torch.autograd.grad(exact.sum(), [x, layer.weight], retain_graph=True)]
        pairs = zip(found, right, strict=True)
        return [((a - b).norm() / b.norm()).item() for a, b in pairs]

    with torch.autocast("cpu", torch.bfloat16):
        ours, plain_layers = layer(x), layer.plain(x, layer.weight, layer.bias)
    assert ours.dtype == plain_layers.dtype == torch.bfloat16
    pairs = zip(errors(ours), errors(plain_layers), strict=True)
    assert all(ours <= 1.2 * theirs < 0.02 for ours, theirs in pairs)


def test_an_even_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="no middle"):
        ConvTanhPool2d(1, 1, 4, 2, in_blocks=True)


@pytest.mark.parametrize(
    ("kind", "tolerance"), [(torch.float64, 1e-15), (torch.float32, 2e-7), (torch.bfloat16, 0.004)]
)
@pytest.mark.usefixtures("form")
def test_fast_tanh_is_exact_and_its_gradient_too(kind: torch.dtype, tolerance: float) -> None:
    x = torch.cat([torch.linspace(-12, 12, 10_001), torch.tensor([1e-4, 200.0, -200.0])]).to(kind)
    x.requires_grad_()
    found = FastTanh()(x * 1)
    assert (found.double() - x.double().tanh()).abs().max() <= tolerance
    (slope,) = torch.autograd.grad(found.sum(), x)
    assert (slope.double() - (1 - x.double().tanh() ** 2)).abs().max() <= 4 * tolerance


@pytest.mark.usefixtures("form")
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
    net = build_generator("conv3", z_dim=10, channels=1, width=1 / 16, alpha=0.2, drop=0)
    (chunked,) = [layer for layer in net if isinstance(layer, Chunked)]
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in chunked.modules())
    assert len(list(chunked)) >= 5
    # In D, the layer itself works in chunks.
    net = build_discriminator("conv3", channels=1, width=1 / 16, alpha=0.2, drop=0)
    assert [type(layer) for layer in net][:3] == [ConvTanhPool2d] * 3
    small = build_generator("5", z_dim=10, channels=1, width=1 / 16, alpha=0.2, drop=0)
    assert not any(isinstance(layer, Chunked | FastTanh) for layer in small)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_number_of_threads_does_not_decide_which_form_is_faster(threads: int) -> None:
    """tanh of few values is split among threads, and a sigmoid is not."""
    seen = set()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        kernels.measure(lambda: seen.add(torch.get_num_threads()), lambda: None)
        assert seen == {1}
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_torch_compile_takes_the_form_as_a_constant(own_cache: Path) -> None:
    elementwise.tanh_is_slow.cache_clear()
    x = torch.randn(2, 3, 4, 4)
    compiled = torch.compile(FastTanh(), fullgraph=True, backend="eager")
    assert torch.allclose(compiled(x), x.tanh(), atol=1e-6)


def test_the_faster_tanh_is_measured_once_and_recorded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A resumed run then computes what it has computed before, to the last bit."""
    monkeypatch.setenv("GANSWEEP_CACHE", str(tmp_path / "cache"))
    elementwise.tanh_is_slow.cache_clear()
    slow = elementwise.tanh_is_slow()
    (record,) = json.loads((tmp_path / "cache/kernels.json").read_text()).values()
    assert record["slow"] is slow is (record["plain"] > kernels.GAIN * record["other"])
    monkeypatch.setattr(kernels, "measure", lambda *_: {"slow": not slow})
    elementwise.tanh_is_slow.cache_clear()
    assert elementwise.tanh_is_slow() is slow, "the record counts, not a new measurement"
    elementwise.tanh_is_slow.cache_clear()
    (tmp_path / "file").touch()
    monkeypatch.setenv("GANSWEEP_CACHE", str(tmp_path / "file/cache"))  # cannot be written
    assert not elementwise.tanh_is_slow(), "without a record, it is PyTorch's form"
    elementwise.tanh_is_slow.cache_clear()
