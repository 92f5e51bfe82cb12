"""Stack layers by the rules of TensorFlow, which both documents used.

* With `same` padding, a strided convolution gives ceil(input / stride) pixels, and an odd amount of
  padding goes to the bottom and right. A transposed convolution gives input × stride pixels and
  drops what the convolution in the other direction would have padded.
* Batch norm has eps 1e-3 and moving averages with decay 0.99 (PyTorch's momentum 0.01); see `Norm`.
* Weights start Glorot-uniform (Glorot & Bengio 2010), and biases start at zero.

Feature maps and their gradients keep one memory format. Where an activation and its gradient differ
in format, or one of them is a cropped view, batch norm and leaky ReLU are five times as slow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, pad

from gansweep import params
from gansweep.training.networks.chunks import LARGE_MAP, Chunked, works_image_by_image
from gansweep.training.networks.elementwise import FastTanh
from gansweep.training.networks.pooled import ConvTanhPool2d
from gansweep.training.networks.transposed import ConvTranspose2d
from gansweep.training.networks.upsampled import UpsampledConv2d

MEMORY_FORMATS = {name: getattr(torch, value) for name, value in params.MEMORY_FORMATS.items()}
BATCH_NORM_EPS = 1e-3
BATCH_NORM_MOMENTUM = 0.01
GROUP = 16  # channels of a group in group norm


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return TensorFlow's `same` padding of one axis of `size` pixels: (before, after)."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class Crop(nn.Module):
    """This layer keeps the first `size` × `size` pixels, as `same` transposed convolutions do."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Crop N×C×H×H to N×C×size×size."""
        surplus = x.shape[-1] - self.size
        return pad(x, (0, -surplus, 0, -surplus))  # pad() makes a dense copy; slices make a view.

    def extra_repr(self) -> str:
        return str(self.size)


class Reshape(nn.Unflatten):
    """This layer makes a feature map of `shape` (C, H, W) from a vector of C·H·W features."""

    def __init__(self, shape: tuple[int, ...], memory_format: torch.memory_format) -> None:
        super().__init__(1, shape)
        self.memory_format = memory_format

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).contiguous(memory_format=self.memory_format)


class Flatten(nn.Flatten):
    """This layer makes a vector of features from a feature map.

    The gradient of the map gets the map's own memory format.
    """

    def __init__(self, memory_format: torch.memory_format) -> None:
        super().__init__()
        self.memory_format = memory_format

    def forward(self, x: Tensor) -> Tensor:
        if x.requires_grad:
            x.register_hook(lambda gradient: gradient.contiguous(memory_format=self.memory_format))
        return super().forward(x)


class Dropout(nn.Dropout):
    """This dropout draws 16 random bits for each value on a CPU, where PyTorch draws 64.

    A mask costs a fifth of the time of PyTorch's. A value is dropped with the multiple of 1/65,536
    that is nearest to the probability `p`.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or self.p == 0 or input.device.type != "cpu":
            return super().forward(input)
        words = torch.empty(-(-input.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        # The draws have the memory order of the input, whatever its format.
        draws = words.view(torch.int16)[: input.numel()].as_strided(input.shape, input.stride())
        kept = draws >= min(round(self.p * 2**16), 2**16 - 1) - 2**15
        return input * kept.to(input.dtype).mul_(1 / (1 - self.p))


class Norm(nn.BatchNorm2d):
    """This batch norm of vectors or maps uses unbiased moving averages in eval mode.

    A moving variance starts at 1, and the weight of this start falls by a hundredth at each step.
    For 500 steps the start outweighs activations of variance 0.001, however well the network is
    trained. `averages` therefore takes out the start, as Adam does (Kingma & Ba 2015, section 3).
    Training does not use the moving averages.
    """

    def __init__(self, features: int) -> None:
        super().__init__(features, BATCH_NORM_EPS, BATCH_NORM_MOMENTUM)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in (2, 4):
            raise ValueError(f"batch norm takes 2 or 4 dimensions, and the input has {input.dim()}")

    def forward(self, input: Tensor) -> Tensor:
        if self.training:
            return super().forward(input)
        mean, variance = self.averages()
        return batch_norm(input, mean, variance, self.weight, self.bias, eps=self.eps)

    def averages(self) -> tuple[Tensor, Tensor]:
        """Return the mean and variance of each feature during training, shape (features,) each.

        The weight of a step falls by a hundredth with each later step.
        """
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None
        start_weight = (1 - BATCH_NORM_MOMENTUM) ** int(self.num_batches_tracked)
        if start_weight == 1:
            return self.running_mean, self.running_var
        variance = (self.running_var - start_weight).clamp(min=0) / (1 - start_weight)
        return self.running_mean / (1 - start_weight), variance


class Stack:
    """This builder appends layers to an `nn.Sequential` and tracks the shape of one example.

    `shape` is (features,) or (channels, height, width), without the batch axis. `image_channels` is
    the number of colours, `width` multiplies every hidden channel count, `alpha` is the leaky-ReLU
    slope, and `drop` is the dropout probability. `norm` is the kind of normalisation: `batch`,
    `group` or `none`. `logits` is the number of outputs of `logit`. `memory_format` applies
    to weights and feature maps. Every method that appends a layer returns the builder.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        image_channels: int,
        width: float,
        alpha: float,
        drop: float,
        norm: str = "batch",
        memory_format: str = "channels_last",
        logits: int = 1,
    ) -> None:
        self.shape = shape
        self.logits = logits
        self.memory_format = MEMORY_FORMATS[memory_format]
        self.image_channels = image_channels
        self.width = width
        self.alpha = alpha
        self.drop = drop
        self.normalisation = norm
        self._layers: list[nn.Module] = []
        self._shapes: list[tuple[int, ...]] = []  # the shape after each layer

    def _scaled(self, features: int) -> int:
        """Return `features` times the width multiplier, rounded, but at least one."""
        return max(1, round(features * self.width))

    def _add(self, layer: nn.Module, shape: tuple[int, ...] | None = None) -> Stack:
        """Append `layer`; after it, an example has `shape`, or the same shape as before."""
        self._layers.append(layer)
        if shape is not None:
            self.shape = shape
        self._shapes.append(self.shape)
        return self

    def dense(self, features: int, *, at: tuple[int, int] = (1, 1), bias: bool = True) -> Stack:
        """Append a dense layer from a vector to `features` at each of the `at` pixels of a map.

        The output is a vector of scaled features × height × width values; see `reshape`.
        """
        return self._dense(self._scaled(features) * math.prod(at), bias=bias)

    def logit(self) -> Stack:
        """Append the discriminator's last layer, from a vector to one number, or to `logits`."""
        return self._dense(self.logits, bias=True)

    def _dense(self, features: int, *, bias: bool) -> Stack:
        return self._add(nn.Linear(self.shape[0], features, bias=bias), (features,))

    def reshape(self, height: int, width: int) -> Stack:
        """Append a layer that makes a feature map of `height` × `width` pixels from a vector."""
        shape = (self.shape[0] // (height * width), height, width)
        return self._add(Reshape(shape, self.memory_format), shape)

    def flatten(self) -> Stack:
        """Append a layer that makes a vector from a feature map."""
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
        """Append a `kernel` × `kernel` convolution to `channels` times the width multiplier.

        A map of H×H pixels becomes ceil(H / stride) pixels high with `padding` "same", and
        (H − kernel) // stride + 1 with "valid".
        """
        return self._conv(self._scaled(channels), kernel, stride, padding, bias)

    def conv_image(self, kernel: int) -> Stack:
        """Append a convolution to the channels of an image, which the width does not scale."""
        return self._conv(self.image_channels, kernel, 1, "same", True)

    def _conv(self, channels: int, kernel: int, stride: int, padding: str, bias: bool) -> Stack:
        """Append a convolution to `channels`; merge it with an upsampling before it if possible."""
        inputs, size, _ = self.shape
        last = self._layers[-1] if self._layers else None
        if isinstance(last, nn.Upsample) and stride == 1 and padding == "same" and kernel % 2:
            factor = int(last.scale_factor)  # type: ignore[arg-type]
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
        """Append a transposed convolution to `channels` times the width multiplier.

        A map of H×H pixels becomes H·stride pixels high with `padding` "same", and
        (H − 1)·stride + kernel with "valid".
        """
        return self._conv_t(self._scaled(channels), kernel, stride, padding, bias)

    def conv_t_image(self, kernel: int, *, stride: int = 1) -> Stack:
        """Append a transposed convolution to the channels of an image."""
        return self._conv_t(self.image_channels, kernel, stride, "same", True)

    def _conv_t(self, channels: int, kernel: int, stride: int, padding: str, bias: bool) -> Stack:
        inputs, size, _ = self.shape
        if padding == "valid":
            before, out = 0, (size - 1) * stride + kernel
        else:
            out = size * stride
            before, _ = same_padding(out, kernel, stride)
        # PyTorch cuts `padding` off both ends of an axis; TensorFlow cuts `before` off the top and
        # the rest off the bottom. This layer cuts `before` off both, and Crop cuts the rest.
        layer: nn.ConvTranspose2d
        if stride == 1:
            layer = ConvTranspose2d(inputs, channels, kernel, padding=before, bias=bias)
        else:
            layer = nn.ConvTranspose2d(inputs, channels, kernel, stride, padding=before, bias=bias)
        self._add(layer, (channels, out, out))
        full = (size - 1) * stride + kernel - 2 * before
        return self if full == out else self._add(Crop(out))

    def upsample(self, factor: int) -> Stack:
        """Append a nearest-neighbour upsampling, which makes a map `factor` times as high and wide.

        A convolution after the upsampling merges with it into one layer; see `UpsampledConv2d`.
        """
        channels, size, _ = self.shape
        layer = nn.Upsample(scale_factor=factor, mode="nearest")
        return self._add(layer, (channels, size * factor, size * factor))

    def avg_pool(self, factor: int) -> Stack:
        """Append an average pooling over `factor` × `factor` pixels, which divides the size.

        A convolution and a tanh before it merge with it into one layer if possible; see
        `ConvTanhPool2d`.
        """
        channels, size, _ = self.shape
        pool: nn.Module = nn.AvgPool2d(factor)
        fits = self.memory_format is torch.channels_last and size % factor == 0
        match self._layers:
            case [*_, nn.Conv2d(stride=(1, 1)) as conv, FastTanh() | nn.Tanh()] if (
                type(conv) is nn.Conv2d and fits
            ):
                del self._layers[-2:], self._shapes[-2:]
                pool = ConvTanhPool2d.of(conv, size, factor)
        return self._add(pool, (channels, size // factor, size // factor))

    def norm(self) -> Stack:
        """Append the normalisation of a feature map's channels or of a vector's features.

        Group norm has groups of 16 channels (Wu & He 2018), or of the largest power of two below
        that divides the channels.
        """
        features = self.shape[0]
        if self.normalisation == "none":
            return self
        if self.normalisation == "group":
            return self._add(nn.GroupNorm(features // math.gcd(features, GROUP), features))
        return self._add(Norm(features))

    def lrelu(self) -> Stack:
        """Append a leaky ReLU of slope `alpha`."""
        # The layer works in place, as a norm or convolution does not need its output again.
        return self._add(nn.LeakyReLU(self.alpha, inplace=True))

    def tanh(self) -> Stack:
        """Append tanh, as `FastTanh` where the map is large."""
        large = len(self.shape) == 3 and self.shape[-1] >= LARGE_MAP
        return self._add(FastTanh() if large else nn.Tanh())

    def dropout(self) -> Stack:
        """Append dropout with probability `drop`."""
        return self._add(Dropout(self.drop))

    def finish(self, shape: tuple[int, ...]) -> nn.Sequential:
        """Return the initialised module. Raises ValueError unless an example now has `shape`."""
        if self.shape != shape:
            raise ValueError(f"the network ends in the shape {self.shape}, and must end in {shape}")
        for layer in self._layers:
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                nn.init.xavier_uniform_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        net = nn.Sequential(*self._in_chunks()).to(memory_format=self.memory_format)
        net.register_load_state_dict_pre_hook(_rename_weights)
        return net

    def _in_chunks(self) -> Iterator[nn.Module]:
        """Yield the layers, with neighbouring layers of large maps put into `Chunked` modules."""
        pairs = list(zip(self._layers, self._shapes, strict=True))
        for can_chunk, group in groupby(pairs, lambda pair: works_image_by_image(*pair)):
            layers, shapes = zip(*group, strict=True)
            if can_chunk and any(shape[-1] >= LARGE_MAP for shape in shapes):
                yield Chunked(layers, max(map(math.prod, shapes)))
            else:
                yield from layers


def _rename_weights(net: nn.Module, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Give the weights in `state` the names in `net` if they come from an earlier version.

    Earlier versions numbered the layers differently, but in the same order.
    """
    own = {prefix + name: value.shape for name, value in net.state_dict().items()}
    stored = {name: value.shape for name, value in state.items() if name.startswith(prefix)}
    if list(stored) != list(own) and list(stored.values()) == list(own.values()):
        values = [state.pop(name) for name in stored]
        state.update(zip(own, values, strict=True))
