"""Tests of every registered network, and of the documents' networks against their tables.

A new network is tested as soon as it is registered. The tables contain only the networks of the
documents.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from gansweep.plugins import DISCRIMINATORS, GENERATORS
from gansweep.store.errors import UserError
from gansweep.training.networks import build_discriminator, build_generator, kernels
from gansweep.training.networks.chunks import Chunked
from gansweep.training.networks.elementwise import FastTanh
from gansweep.training.networks.pooled import ConvTanhPool2d
from gansweep.training.networks.stack import (
    MEMORY_FORMATS,
    Crop,
    Dropout,
    Flatten,
    Norm,
    Reshape,
    Stack,
    same_padding,
)
from gansweep.training.networks.transposed import ConvTranspose2d, transposed_is_slow
from gansweep.training.networks.upsampled import UpsampledConv2d
from testing.plain_layers import plain

Z = 100


# Each network has a partner of its image size.
PAIRS = sorted({
    (gen.name, disc.name)
    for size in {entry.image_size for entry in GENERATORS}
    for gens, discs in [([g for g in GENERATORS if g.image_size == size],
                         [d for d in DISCRIMINATORS if d.image_size == size])]
    for place in range(max(len(gens), len(discs)))
    for gen, disc in [(gens[place % len(gens)], discs[place % len(discs)])]
})  # fmt: skip


def generator(name: str, channels: int = 1, width: float = 1.0, drop: float = 0.5) -> nn.Sequential:
    return build_generator(name, z_dim=Z, channels=channels, width=width, alpha=0.2, drop=drop)


def discriminator(
    name: str, channels: int = 1, width: float = 1.0, drop: float = 0.5
) -> nn.Sequential:
    return build_discriminator(name, channels=channels, width=width, alpha=0.2, drop=drop)


def network(key: str) -> nn.Sequential:
    """Return `G1` or `D1` at full width on the meta device, without weights."""
    with torch.device("meta"):
        return generator(key[1:]) if key[0] == "G" else discriminator(key[1:])


def flat(net: nn.Sequential) -> list[nn.Module]:
    """Return the layers of a network, with the layers of chunks in the same list."""
    groups = (list(layer) if isinstance(layer, Chunked) else [layer] for layer in net)
    return [layer for group in groups for layer in group]


def block_shapes(net: nn.Sequential, x: Tensor) -> list[tuple[int, ...]]:
    """Return the shape of one example after each change, with padding and crops left out."""
    shapes: list[tuple[int, ...]] = []
    layers = flat(net)
    for layer, after in zip(layers, [*layers[1:], None], strict=True):
        x = layer(x)
        part_of_next = isinstance(layer, nn.ZeroPad2d) or isinstance(after, Crop)
        shape = tuple(x.shape[1:])
        if not part_of_next and (not shapes or shapes[-1] != shape):
            shapes.append(shape)
    return shapes


G_SHAPES = {
    "1": [(50176,), (1024, 7, 7), (512, 14, 14), (256, 28, 28), (128, 28, 28), (3, 28, 28)],
    "2": [
        (50176,), (1024, 7, 7), (512, 7, 7), (512, 14, 14), (256, 14, 14), (256, 28, 28),
        (128, 28, 28), (3, 28, 28),
    ],
    "3": [(16384,), (1024, 4, 4), (512, 7, 7), (256, 14, 14), (128, 28, 28), (3, 28, 28)],
    "4": [(50176,), (1024, 7, 7), (512, 14, 14), (256, 28, 28), (128, 28, 28), (3, 28, 28)],
    "5": [(16384,), (1024, 4, 4), (512, 7, 7), (256, 14, 14), (3, 28, 28)],
    "conv2": [
        (1024,), (8192,), (128, 8, 8), (64, 32, 32), (3, 128, 128),
    ],
    "conv3": [
        (1024,), (8192,), (128, 8, 8), (64, 32, 32), (32, 64, 64), (3, 128, 128),
    ],
}  # fmt: skip
D_SHAPES = {
    "1": [(128, 14, 14), (256, 7, 7), (512, 4, 4), (1024, 2, 2), (4096,), (1,)],
    "2": [
        (128, 14, 14), (256, 14, 14), (256, 7, 7), (512, 7, 7), (512, 4, 4), (1024, 4, 4),
        (1024, 2, 2), (4096,), (1,),
    ],
    "3": [
        (128, 14, 14), (256, 14, 14), (256, 7, 7), (512, 7, 7), (512, 4, 4), (1024, 4, 4),
        (1024, 2, 2), (4096,), (1,),
    ],
    "4": [(64, 14, 14), (128, 7, 7), (256, 4, 4), (4096,), (1,)],
    "conv2": [
        (64, 128, 128), (64, 32, 32), (128, 28, 28), (128, 14, 14), (25088,), (256,), (1,),
    ],
    "conv3": [
        (64, 128, 128), (64, 32, 32), (128, 28, 28), (128, 14, 14), (256, 14, 14), (256, 7, 7),
        (12544,), (256,), (1,),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", G_SHAPES)
def test_generator_shapes(name: str) -> None:
    assert block_shapes(generator(name, channels=3).eval(), torch.zeros(1, Z)) == G_SHAPES[name]


@pytest.mark.parametrize("name", D_SHAPES)
def test_discriminator_shapes(name: str) -> None:
    size = DISCRIMINATORS[name].image_size
    net = discriminator(name, channels=3).eval()
    images = torch.zeros(1, 3, size, size)
    assert block_shapes(plain(net), images) == D_SHAPES[name]
    assert net(images).shape[1:] == D_SHAPES[name][-1]


def conv(kernel: int, inputs: int, outputs: int, bias: bool = True) -> int:
    return kernel * kernel * inputs * outputs + bias * outputs


def dense(inputs: int, outputs: int, bias: bool = True) -> int:
    return inputs * outputs + bias * outputs


def norm(features: int) -> int:
    return 2 * features


G1_HIDDEN = conv(4, 1024, 1024) + conv(4, 1024, 512) + conv(4, 512, 256) + conv(4, 256, 128)
G1_NORMS = norm(1024) + norm(512) + norm(256) + norm(128)
# These are the parameters from the tables, at full width with one channel and z of 100.
PARAMETERS = {
    "G1": dense(Z, 50176) + G1_HIDDEN + G1_NORMS + norm(1024) + conv(5, 128, 1),
    "G2": dense(Z, 50176)
    + conv(4, 1024, 1024) + norm(1024)
    + conv(2, 1024, 512) + norm(512)
    + conv(4, 512, 512) + norm(512)
    + conv(2, 512, 256) + norm(256)
    + conv(4, 256, 256) + norm(256)
    + conv(2, 256, 128) + norm(128)
    + conv(4, 128, 128) + norm(128)
    + conv(5, 128, 1),
    "G3": dense(Z, 16384, bias=False) + norm(1024)
    + conv(4, 1024, 512, bias=False) + norm(512)
    + conv(5, 512, 256, bias=False) + norm(256)
    + conv(5, 256, 128, bias=False) + norm(128)
    + conv(5, 128, 1),
    "G4": dense(Z, 50176) + G1_HIDDEN + G1_NORMS + conv(5, 128, 1),
    "G5": dense(Z, 16384, bias=False) + norm(1024)
    + conv(4, 1024, 512, bias=False) + norm(512)
    + conv(5, 512, 256, bias=False) + norm(256)
    + conv(5, 256, 1),
    "Gconv2": dense(Z, 1024) + dense(1024, 8192) + norm(8192) + conv(5, 128, 64) + conv(5, 64, 1),
    "Gconv3": dense(Z, 1024) + dense(1024, 8192) + norm(8192)
    + conv(5, 128, 64) + conv(5, 64, 32) + conv(5, 32, 1),
    "D1": conv(4, 1, 128)
    + conv(4, 128, 256) + norm(256)
    + conv(4, 256, 512) + norm(512)
    + conv(4, 512, 1024) + norm(1024)
    + dense(4096, 1),
    "D2": conv(4, 1, 128)
    + conv(4, 128, 256) + conv(4, 256, 256) + 2 * norm(256)
    + conv(4, 256, 512) + conv(4, 512, 512) + 2 * norm(512)
    + conv(4, 512, 1024) + conv(4, 1024, 1024) + 2 * norm(1024)
    + dense(4096, 1),
    "D4": conv(5, 1, 64)
    + conv(5, 64, 128, bias=False) + norm(128)
    + conv(5, 128, 256, bias=False) + norm(256)
    + dense(4096, 1),
    "Dconv2": conv(5, 1, 64) + conv(5, 64, 128) + dense(25088, 256) + dense(256, 1),
    "Dconv3": conv(5, 1, 64) + conv(5, 64, 128) + conv(3, 128, 256)
    + dense(12544, 256) + dense(256, 1),
}  # fmt: skip
PARAMETERS["D3"] = PARAMETERS["D2"]  # Dropout has no parameters.


@pytest.mark.parametrize("key", PARAMETERS)
def test_parameter_counts(key: str) -> None:
    assert sum(p.numel() for p in network(key).parameters()) == PARAMETERS[key]


MACS = {  # These are the 10⁹ multiply-accumulates for each image, from the published tables.
    "G1": 2.06, "G2": 1.75, "G3": 0.46, "G4": 2.06, "G5": 0.30,
    "D1": 0.10, "D2": 0.53, "D3": 0.53,
}  # fmt: skip


@pytest.mark.parametrize("key", MACS)
def test_multiply_accumulates(key: str) -> None:
    if key[0] == "G":
        net, x = generator(key[1:]).eval(), torch.zeros(1, Z)
    else:
        net, x = discriminator(key[1:]).eval(), torch.zeros(1, 1, 28, 28)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(x)
    assert counter.get_total_flops() / 2e9 == pytest.approx(MACS[key], abs=0.01)


@pytest.mark.parametrize(("gen", "disc"), PAIRS)
@pytest.mark.parametrize("width", [1 / 16, 0.3])
def test_any_width_trains(gen: str, disc: str, width: float) -> None:
    nets = generator(gen, width=width), discriminator(disc, width=width)
    images = nets[0](torch.rand(2, Z))
    size = GENERATORS[gen].image_size
    assert images.shape == (2, 1, size, size)
    assert images.abs().max() <= 1
    judged = nets[1](images)
    assert judged.shape == (2, 1)
    judged.mean().backward()
    for net in nets:
        for name, parameter in net.named_parameters():
            assert parameter.grad is not None, f"{name} is never used"


def test_the_pairs_have_every_network() -> None:
    assert {gen for gen, _ in PAIRS} == set(GENERATORS.names())
    assert {disc for _, disc in PAIRS} == set(DISCRIMINATORS.names())


@pytest.mark.parametrize("key", [*(f"G{name}" for name in GENERATORS.names()),
                                 *(f"D{name}" for name in DISCRIMINATORS.names())])  # fmt: skip
def test_a_network_declares_its_layers_of_dropout_and_leaky_relu(key: str) -> None:
    """The declarations decide which parameters have no effect and are n/a in tables."""
    entry = (GENERATORS if key[0] == "G" else DISCRIMINATORS)[key[1:]]
    layers = flat(network(key))
    assert entry.dropout == any(isinstance(layer, Dropout) for layer in layers)
    assert entry.lrelu == any(isinstance(layer, nn.LeakyReLU) for layer in layers)
    assert 0 < entry.demo_width <= 1


@pytest.mark.parametrize("memory_format", MEMORY_FORMATS)
@pytest.mark.parametrize(("gen", "disc"), PAIRS)
def test_feature_maps_and_their_gradients_keep_one_memory_format(
    gen: str, disc: str, memory_format: str
) -> None:
    """With two formats, batch norm and leaky ReLU are several times slower, without any warning."""
    settings = {"channels": 3, "width": 1 / 16, "alpha": 0.2, "memory_format": memory_format}
    nets = (
        build_generator(gen, z_dim=Z, drop=0.5, **settings),  # type: ignore[arg-type]
        build_discriminator(disc, drop=0.5, **settings),  # type: ignore[arg-type]
    )
    seen: list[str] = []

    def check(of: str, x: Tensor) -> None:
        if x.dim() == 4 and min(x.shape[1:]) > 1:
            assert x.is_contiguous(memory_format=MEMORY_FORMATS[memory_format]), of
            seen.append(of)

    def watch(layer: nn.Module, _: object, output: Tensor) -> None:
        check(f"{layer}", output)
        assert output.grad_fn is not None
        output.grad_fn.register_prehook(lambda of: check(f"gradient of {layer}", of[0]))

    for net in nets:
        for layer in flat(net):
            layer.register_forward_hook(watch)
    nets[1](nets[0](torch.rand(2, Z))).sum().backward()
    assert sum(of.startswith("gradient") for of in seen) == len(seen) / 2 > 5


def test_width_scales_hidden_channels_only() -> None:
    net = generator("1", channels=3, width=1 / 4)
    convs = [layer for layer in net if isinstance(layer, nn.ConvTranspose2d)]
    assert [c.out_channels for c in convs] == [256, 128, 64, 32, 3]


def layer_names(net: nn.Sequential) -> str:
    short = {
        nn.Linear: "dense", Reshape: "", Flatten: "", nn.ZeroPad2d: "", Crop: "",
        nn.Conv2d: "conv", nn.ConvTranspose2d: "conv", ConvTranspose2d: "conv", Norm: "BN",
        nn.LeakyReLU: "LR", Dropout: "DO", nn.Tanh: "tanh", UpsampledConv2d: "up conv",
        nn.AvgPool2d: "pool", FastTanh: "tanh", ConvTanhPool2d: "conv tanh pool",
    }  # fmt: skip
    return " ".join(filter(None, (short[type(layer)] for layer in flat(net))))


ORDER = {
    "G1": "dense conv BN LR BN LR conv BN LR conv BN LR conv BN LR conv tanh",
    "G2": "dense" + " conv BN LR" * 7 + " conv tanh",
    "G3": "dense BN LR DO" + " conv BN LR DO" * 3 + " conv tanh",
    "G4": "dense" + " conv BN LR DO" * 4 + " conv tanh",
    "G5": "dense BN LR DO" + " conv BN LR DO" * 2 + " conv tanh",
    "Gconv2": "dense tanh dense BN tanh up conv tanh up conv tanh",
    "Gconv3": "dense tanh dense BN tanh up conv tanh up conv tanh up conv tanh",
    "D1": "conv LR" + " conv BN LR" * 3 + " dense",
    "D2": "conv LR" + " conv BN LR" * 6 + " dense",
    "D3": "conv LR DO" + " conv BN LR conv BN LR DO" * 3 + " dense",
    "D4": "conv LR DO" + " conv BN LR DO" * 2 + " dense",
    "Dconv2": "conv tanh pool conv tanh pool dense tanh dense",
    "Dconv3": "conv tanh pool conv tanh pool conv tanh pool dense tanh dense",
}


@pytest.mark.parametrize("key", ORDER)
def test_layer_order(key: str) -> None:
    assert layer_names(network(key)) == ORDER[key]


def test_batch_norm_has_tensorflows_constants_and_layers_their_arguments() -> None:
    net = build_generator("3", z_dim=Z, channels=1, width=0.1, alpha=0.07, drop=0.4)
    norms = [layer for layer in net if isinstance(layer, nn.BatchNorm2d)]
    assert {(n.eps, n.momentum) for n in norms} == {(1e-3, 0.01)}
    assert {layer.negative_slope for layer in net if isinstance(layer, nn.LeakyReLU)} == {0.07}
    assert {layer.p for layer in net if isinstance(layer, nn.Dropout)} == {0.4}


@pytest.mark.parametrize("shape", [(64, 3), (64, 3, 4, 4)])
def test_samples_use_moving_averages_without_their_start(
    shape: tuple[int, ...],
) -> None:
    """A moving variance that starts at 1 hides activations of variance 0.0001 for 900 steps."""
    torch.manual_seed(0)
    norm, plain = Norm(3), nn.BatchNorm1d(3, 1e-3, 0.01)
    for steps in (1, 20, 2000):
        while int(norm.num_batches_tracked) < steps:
            x = 5 + 0.01 * torch.randn(shape)
            trained = norm(x)
            if x.dim() == 2:
                assert torch.equal(trained, plain(x))  # Training does not use the averages.
        mean, variance = norm.averages()
        assert mean.tolist() == pytest.approx([5] * 3, abs=0.01)
        assert variance.tolist() == pytest.approx([1e-4] * 3, rel=0.3)
    drawn = norm.eval()(x)
    assert torch.allclose(drawn, trained, atol=0.1)
    if x.dim() == 2:  # After 2,000 steps, the start has no weight.
        assert torch.allclose(drawn, plain.eval()(x), atol=1e-4)


@pytest.mark.parametrize("p", [0.25, 0.5, 0.9])
@pytest.mark.parametrize("memory_format", MEMORY_FORMATS)
@pytest.mark.parametrize("shape", [(50, 7), (16, 5, 30, 30)])
def test_dropout_keeps_the_mean_and_passes_gradients_to_kept_values(
    p: float, memory_format: str, shape: tuple[int, ...]
) -> None:
    def dropped() -> tuple[Tensor, Tensor]:
        torch.manual_seed(3)
        x = torch.ones(shape)
        if x.dim() == 4:
            x = x.contiguous(memory_format=MEMORY_FORMATS[memory_format])
        x.requires_grad_()
        y = Dropout(p)(x)
        y.sum().backward()
        assert x.grad is not None
        return y.detach(), x.grad

    y, gradient = dropped()
    assert sorted(set(y.flatten().tolist())) == pytest.approx([0, 1 / (1 - p)])
    share = (y == 0).float().mean().item()
    assert share == pytest.approx(p, abs=4 * (p * (1 - p) / y.numel()) ** 0.5)
    assert torch.equal(gradient, y)
    assert torch.equal(dropped()[0], y)  # The mask depends on the seed.
    if y.dim() == 4:
        assert y.is_contiguous(memory_format=MEMORY_FORMATS[memory_format])
        rows, columns = ((y == 0).float().mean(dim) for dim in ((0, 1, 3), (0, 1, 2)))
        assert max(rows.std(), columns.std()) < 0.05  # The masks have no stripes.
    assert torch.equal(Dropout(p).eval()(y), y)


def test_an_untrained_norm_uses_its_initial_averages() -> None:
    x = torch.randn(8, 3)
    plain = nn.BatchNorm1d(3, 1e-3, 0.01)
    assert torch.equal(Norm(3).eval()(x), plain.eval()(x))


def test_weights_start_glorot_uniform_and_biases_at_zero() -> None:
    torch.manual_seed(0)
    net = discriminator("1", width=0.5)
    layer = next(layer for layer in net if isinstance(layer, nn.Conv2d) and layer.in_channels > 1)
    fan = 16 * (layer.in_channels + layer.out_channels)
    bound = (6 / fan) ** 0.5
    assert 0.98 * bound < layer.weight.abs().max() <= bound
    assert layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)
    assert all(not p.any() for name, p in net.named_parameters() if name.endswith("bias"))


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [(28, 4, 2, (1, 1)), (7, 4, 2, (1, 2)), (7, 4, 1, (1, 2)), (28, 5, 2, (1, 2)),
     (28, 5, 1, (2, 2)), (7, 2, 1, (0, 1)), (4, 1, 2, (0, 0))],
)  # fmt: skip
def test_same_padding_is_tensorflows(
    size: int, kernel: int, stride: int, expected: tuple[int, int]
) -> None:
    assert same_padding(size, kernel, stride) == expected


@pytest.mark.parametrize(("kernel", "stride"), [(4, 1), (4, 2), (5, 1), (5, 2), (2, 1)])
def test_transposed_convolution_is_the_adjoint_of_the_same_convolution(
    kernel: int, stride: int
) -> None:
    """TensorFlow defines conv_transpose by <conv(x), y> = <x, conv_t(y)> for the same kernel."""

    def stack(shape: tuple[int, ...]) -> Stack:
        return Stack(shape, image_channels=1, width=1.0, alpha=0.2, drop=0.0)

    down = stack((2, 14, 14)).conv(3, kernel, stride=stride)
    forward = down.finish(down.shape)
    up = stack(down.shape).conv_t(2, kernel, stride=stride)
    adjoint = up.finish((2, 14, 14))
    convolution = next(m for m in forward if isinstance(m, nn.Conv2d))
    transposed = next(m for m in adjoint if isinstance(m, nn.ConvTranspose2d))
    transposed.weight.data = convolution.weight.data
    x, y = torch.randn(1, 2, 14, 14), torch.randn(1, *down.shape)
    left, right = (forward(x) * y).sum(), (x * adjoint(y)).sum()
    assert torch.allclose(left, right, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("kernel", "padding"), [(2, 0), (4, 1), (5, 2), (4, 0), (1, 0)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_transposed_convolution_equals_a_convolution(
    kernel: int, padding: int, bias: bool
) -> None:
    layer = ConvTranspose2d(3, 5, kernel, padding=padding, bias=bias).double()
    x = torch.randn(2, 3, 6, 6, dtype=torch.double, requires_grad=True)
    wanted, found = layer(x), layer.as_convolution(x)
    assert torch.allclose(found, wanted, atol=1e-12)
    gradient, of = torch.randn_like(wanted), [x, *layer.parameters()]
    for a, b in zip(
        torch.autograd.grad(found, of, gradient),
        torch.autograd.grad(wanted, of, gradient),
        strict=True,
    ):
        assert torch.allclose(a, b, atol=1e-12)


@pytest.fixture(params=[True, False])
def slow(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[bool]:
    """Return whether transposed convolutions are slow, as if it had been measured."""
    monkeypatch.setenv("GANSWEEP_CACHE", str(tmp_path))
    monkeypatch.setattr(kernels, "measure", lambda *_: {"slow": request.param})
    transposed_is_slow.cache_clear()
    yield request.param
    transposed_is_slow.cache_clear()


def test_bf16_uses_the_form_that_was_measured_to_be_faster(
    slow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = []
    convolve = ConvTranspose2d.as_convolution
    monkeypatch.setattr(
        ConvTranspose2d, "as_convolution", lambda self, x: used.append(self) or convolve(self, x)
    )
    net = generator("1", width=1 / 4)
    z = torch.rand(4, 100) * 2 - 1
    with torch.no_grad():
        wanted = net(z)
        assert not used, "fp32 has one form"
        with torch.autocast("cpu", torch.bfloat16):
            found = net(z)
    assert len(used) == (2 if slow else 0), "not those of one colour or of stride 2"
    assert torch.allclose(found.float(), wanted, atol=0.05)


def test_same_convolution_by_hand() -> None:
    """With a kernel of ones and stride 2, the outputs are sums over padded windows of 2×2."""
    net = Stack((1, 3, 3), image_channels=1, width=1.0, alpha=0.2, drop=0.0).conv(1, 2, stride=2)
    layers = net.finish((1, 2, 2))
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            layer.weight.data.fill_(1)
    x = torch.arange(1.0, 10).reshape(1, 1, 3, 3)
    # With padding 0 before and 1 after, the windows are {1,2,4,5}, {3,6}, {7,8} and {9}.
    assert layers(x).flatten().tolist() == [12, 9, 15, 9]


def test_an_unknown_network_names_the_valid_ones() -> None:
    with pytest.raises(UserError, match="no generator '9': valid: 1, 2, 3, 4, 5, conv2, conv3"):
        generator("9")
