"""A stack of layers with TensorFlow's rules, which both documents used.

`same` padding: a strided convolution gives ceil(in / stride) and an odd amount of padding goes
to the bottom and right; a transposed one gives in × stride and drops what its convolution would
have padded. Batch norm: eps 1e-3, moving averages with decay 0.99 (PyTorch's momentum 0.01), see
`Norm`. Weights start Glorot-uniform, biases at zero.

Feature maps keep one memory format, forth and back: where an activation and its gradient differ in
it, or one of them is a cropped view, batch norm and leaky ReLU take loops five times as slow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, pad

from gansweep import params
from gansweep.training.networks.blocked import BlockedAvgPool2d, BlockedConv2d, is_blockable
from gansweep.training.networks.chunks import LARGE, Chunked, treats_images_apart
from gansweep.training.networks.elementwise import FastTanh
from gansweep.training.networks.upsampled import UpsampledConv2d

MEMORY_FORMATS = {name: getattr(torch, there) for name, there in params.MEMORY_FORMATS.items()}
BATCH_NORM_EPS = 1e-3
BATCH_NORM_MOMENTUM = 0.01


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's `same` padding of one axis of `size`: (before, after)."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class Crop(nn.Module):
    """Keep the first `size` × `size` positions: what `same` leaves of a transposed convolution."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        surplus = x.shape[-1] - self.size
        return pad(x, (0, -surplus, 0, -surplus))  # a dense copy, where slices would be a view

    def extra_repr(self) -> str:
        return str(self.size)


class Reshape(nn.Unflatten):
    """A vector of features to a feature map."""

    def __init__(self, shape: tuple[int, ...], memory_format: torch.memory_format) -> None:
        super().__init__(1, shape)
        self.memory_format = memory_format

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).contiguous(memory_format=self.memory_format)


class Flatten(nn.Flatten):
    """A feature map to a vector of features, whose gradient comes back in the map's format."""

    def __init__(self, memory_format: torch.memory_format) -> None:
        super().__init__()
        self.memory_format = memory_format

    def forward(self, x: Tensor) -> Tensor:
        if x.requires_grad:
            x.register_hook(lambda gradient: gradient.contiguous(memory_format=self.memory_format))
        return super().forward(x)


class Dropout(nn.Dropout):
    """Dropout whose masks cost a fifth of PyTorch's on a CPU: 16 random bits a value, not 64.

    A value is dropped with the probability nearest to `p` among the multiples of 1/65,536.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or self.p == 0 or input.device.type != "cpu":
            return super().forward(input)
        words = torch.empty(-(-input.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        # In the order of the input's own memory, whatever its format.
        draws = words.view(torch.int16)[: input.numel()].as_strided(input.shape, input.stride())
        kept = draws >= min(round(self.p * 2**16), 2**16 - 1) - 2**15
        return input * kept.to(input.dtype).mul_(1 / (1 - self.p))


class Norm(nn.BatchNorm2d):
    """Batch norm of a vector or a map, which draws samples with unbiased moving averages.

    A moving variance starts at 1 and forgets that by a hundredth a step. Activations of variance
    0.001 are noise to it for 500 steps, however well the network is trained. So the start is taken
    out, as Adam does it (Kingma & Ba 2015, section 3). Training does not look at moving averages.
    """

    def __init__(self, features: int) -> None:
        super().__init__(features, BATCH_NORM_EPS, BATCH_NORM_MOMENTUM)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in (2, 4):
            raise ValueError(f"a vector or a map is normalised, not {input.dim()} dimensions")

    def forward(self, input: Tensor) -> Tensor:
        if self.training:
            return super().forward(input)
        mean, variance = self.averages()
        return batch_norm(input, mean, variance, self.weight, self.bias, eps=self.eps)

    def averages(self) -> tuple[Tensor, Tensor]:
        """Mean and variance of the activations since training began, the latest ones most."""
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None
        start = (1 - BATCH_NORM_MOMENTUM) ** int(self.num_batches_tracked)
        if start == 1:
            return self.running_mean, self.running_var
        variance = (self.running_var - start).clamp(min=0) / (1 - start)
        return self.running_mean / (1 - start), variance


class Stack:
    """Builds an `nn.Sequential` layer by layer, keeping track of the shape of one example.

    shape: (features,) or (channels, height, width), without the batch axis. memory_format: of
    weights and feature maps.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        image_channels: int,
        width: float,
        alpha: float,
        drop: float,
        memory_format: str = "channels_last",
    ) -> None:
        self.shape = shape
        self.memory_format = MEMORY_FORMATS[memory_format]
        self.image_channels = image_channels
        self.width = width
        self.alpha = alpha
        self.drop = drop
        self._layers: list[nn.Module] = []
        self._shapes: list[tuple[int, ...]] = []  # after each layer

    def _scaled(self, features: int) -> int:
        """The width multiplier applied to a hidden layer's features, never below one."""
        return max(1, round(features * self.width))

    def _add(self, layer: nn.Module, shape: tuple[int, ...] | None = None) -> Stack:
        self._layers.append(layer)
        if shape is not None:
            self.shape = shape
        self._shapes.append(self.shape)
        return self

    def dense(self, features: int, *, at: tuple[int, int] = (1, 1), bias: bool = True) -> Stack:
        """A dense layer to `features`, or to that many at each of the `at` positions of a map."""
        return self._dense(self._scaled(features) * math.prod(at), bias=bias)

    def logit(self) -> Stack:
        """The discriminator's last layer: one unscaled number an image."""
        return self._dense(1, bias=True)

    def _dense(self, features: int, *, bias: bool) -> Stack:
        return self._add(nn.Linear(self.shape[0], features, bias=bias), (features,))

    def reshape(self, height: int, width: int) -> Stack:
        """A vector of features to a feature map of `height` × `width`."""
        shape = (self.shape[0] // (height * width), height, width)
        return self._add(Reshape(shape, self.memory_format), shape)

    def flatten(self) -> Stack:
        return self._add(Flatten(self.memory_format), (math.prod(self.shape),))

    def conv(
        self,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: str = "same",
        bias: bool = True,
    ) -> Stack:
        return self._conv(self._scaled(channels), kernel, stride, padding, bias)

    def conv_image(self, kernel: int) -> Stack:
        """A convolution to the image's own channels, which the width does not scale."""
        return self._conv(self.image_channels, kernel, 1, "same", True)

    def _conv(self, channels: int, kernel: int, stride: int, padding: str, bias: bool) -> Stack:
        inputs, size, _ = self.shape
        upsampled = self._layers[-1] if self._layers else None
        if isinstance(upsampled, nn.Upsample) and stride == 1 and padding == "same" and kernel % 2:
            factor = int(upsampled.scale_factor)  # type: ignore[arg-type]
            self._layers.pop()
            self._shapes.pop()
            layer = UpsampledConv2d(inputs, channels, kernel, factor, bias)
            return self._add(layer, (channels, size, size))
        if padding == "valid":
            before = after = 0
        else:
            before, after = same_padding(size, kernel, stride)
        if before != after:
            self._add(nn.ZeroPad2d((before, after, before, after)))
            symmetric = 0
        else:
            symmetric = before
        out = (size + before + after - kernel) // stride + 1
        plain = nn.Conv2d(inputs, channels, kernel, stride, padding=symmetric, bias=bias)
        return self._add(plain, (channels, out, out))

    def conv_t(
        self,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: str = "same",
        bias: bool = True,
    ) -> Stack:
        return self._conv_t(self._scaled(channels), kernel, stride, padding, bias)

    def conv_t_image(self, kernel: int, *, stride: int = 1) -> Stack:
        """A transposed convolution to the image's own channels."""
        return self._conv_t(self.image_channels, kernel, stride, "same", True)

    def _conv_t(self, channels: int, kernel: int, stride: int, padding: str, bias: bool) -> Stack:
        inputs, size, _ = self.shape
        if padding == "valid":
            before, out = 0, (size - 1) * stride + kernel
        else:
            out = size * stride
            before, _ = same_padding(out, kernel, stride)
        # PyTorch cuts `padding` off both ends, TensorFlow `before` off the top and the rest
        # off the bottom: cut `before` off both and crop what is left over.
        layer = nn.ConvTranspose2d(inputs, channels, kernel, stride, padding=before, bias=bias)
        self._add(layer, (channels, out, out))
        full = (size - 1) * stride + kernel - 2 * before
        return self if full == out else self._add(Crop(out))

    def upsample(self, factor: int) -> Stack:
        channels, size, _ = self.shape
        layer = nn.Upsample(scale_factor=factor, mode="nearest")
        return self._add(layer, (channels, size * factor, size * factor))

    def avg_pool(self, factor: int) -> Stack:
        channels, size, _ = self.shape
        pool: nn.Module = nn.AvgPool2d(factor)
        match self._layers:
            case [nn.Conv2d() as conv, FastTanh()] if self._blockable(conv, size, factor):
                bias = conv.bias is not None
                kernel = conv.kernel_size[0]
                self._layers[0] = BlockedConv2d(conv.in_channels, channels, kernel, bias)
                pool = BlockedAvgPool2d(factor)
        return self._add(pool, (channels, size // factor, size // factor))

    def _blockable(self, conv: nn.Conv2d, size: int, factor: int) -> bool:
        return self.memory_format is torch.channels_last and is_blockable(conv, size, factor)

    def norm(self) -> Stack:
        """Batch norm: per channel of a feature map, per feature of a vector."""
        return self._add(Norm(self.shape[0]))

    def lrelu(self) -> Stack:
        # In place: what comes before, a norm or a convolution, does not need its output again.
        return self._add(nn.LeakyReLU(self.alpha, inplace=True))

    def tanh(self) -> Stack:
        large = len(self.shape) == 3 and self.shape[-1] >= LARGE
        return self._add(FastTanh() if large else nn.Tanh())

    def dropout(self) -> Stack:
        return self._add(Dropout(self.drop))

    def finish(self, shape: tuple[int, ...]) -> nn.Sequential:
        """The module, initialised. Raises ValueError unless one output has `shape`."""
        if self.shape != shape:
            raise ValueError(f"the network ends in {self.shape}, not in {shape}")
        for layer in self._layers:
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                nn.init.xavier_uniform_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        net = nn.Sequential(*self._in_chunks()).to(memory_format=self.memory_format)
        net.register_load_state_dict_pre_hook(_renumbered)
        return net

    def _in_chunks(self) -> Iterator[nn.Module]:
        """The layers, with those around large maps put into chunks."""
        each = list(zip(self._layers, self._shapes, strict=True))
        for apart, group in groupby(each, lambda pair: treats_images_apart(*pair)):
            layers, shapes = zip(*group, strict=True)
            if apart and any(shape[-1] >= LARGE for shape in shapes):
                yield Chunked(layers, max(map(math.prod, shapes)))
            else:
                yield from layers


def _renumbered(net: nn.Module, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Weights of an earlier version, whose layers had other numbers: their order is the same."""
    own = {prefix + name: value.shape for name, value in net.state_dict().items()}
    stored = {name: value.shape for name, value in state.items() if name.startswith(prefix)}
    if list(stored) != list(own) and list(stored.values()) == list(own.values()):
        values = [state.pop(name) for name in stored]
        state.update(zip(own, values, strict=True))
