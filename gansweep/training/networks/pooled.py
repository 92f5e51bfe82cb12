"""Convolve, take tanh and average-pool in one layer, a few images at a time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d

from gansweep.training.networks.blocks import (
    BLOCK,
    kernel_of,
    mirrored,
    taps,
    to_blocks,
    weight_gradient,
    write_pixel_gradient,
)
from gansweep.training.networks.chunks import images_of_a_chunk
from gansweep.training.networks.elementwise import tanh_is_slow

FEW_CHANNELS = 4  # Up to this number, the pixels of blocks are made channels.


class ConvTanhPool2d(nn.Conv2d):
    """This layer is a convolution with stride 1, a tanh and an average pooling by `factor`.

    On a CPU it differs from the three layers in four ways, and from their result only in rounding:

    * It works on a few images at a time, whose maps fit the cache.
    * A convolution with few input channels, as that of an image, is slow, and its gradient is
      slower still. The pixels of a block of 2×2 then become four channels, for 1.4 times the
      multiplications of a 5×5 kernel.
    * Where a CPU's tanh is slow, it is 2 σ(2x) − 1. The weights have the inner factor 2, and the
      pooled map has the rest.
    * The pooling is a product with a matrix, and so is its gradient.
    """

    taps: Tensor
    pooling: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        factor: int,
        *,
        padding: int = 0,
        bias: bool = True,
        in_blocks: bool = False,
    ) -> None:
        """`in_blocks` makes channels of the pixels of blocks.

        For this the kernel must be odd, the padding "same", the input's size a multiple of 4 and
        `factor` even.
        """
        super().__init__(inputs, outputs, kernel, padding=padding, bias=bias)
        self.loss_of_size = kernel - 1 - 2 * padding
        self.factor = factor
        self.side, self.margin = 1, padding
        if in_blocks:
            self.side = BLOCK
            of_pixels, self.margin = taps(BLOCK, kernel)
            self.register_buffer("taps", of_pixels, persistent=False)
        # A row of pixels that are pooled has factor / side columns of side² pixels each.
        pooling = torch.eye(outputs).repeat(factor * self.side, 1)
        self.register_buffer("pooling", pooling, persistent=False)

    @classmethod
    def of(cls, conv: nn.Conv2d, size: int, factor: int) -> ConvTanhPool2d:
        """Return a layer with new weights that does what `conv`, a tanh and a pooling do.

        size: the height and width of the map after `conv`, in pixels.
        """
        kernel, padding = conv.kernel_size[0], int(conv.padding[0])
        keeps_size = kernel % 2 == 1 and padding == kernel // 2
        has_blocks = keeps_size and size % (2 * BLOCK) == factor % BLOCK == 0
        return cls(
            conv.in_channels, conv.out_channels, kernel, factor, padding=padding,
            bias=conv.bias is not None, in_blocks=has_blocks and conv.in_channels <= FEW_CHANNELS,
        )  # fmt: skip

    def forward(self, input: Tensor) -> Tensor:
        """Map N×I×H×W to N×O×h×w, where h and w are those of the convolution, divided by `factor`.

        The convolution must give a map whose height and width are multiples of `factor`.
        """
        if input.device.type != "cpu":
            return self.plain(input, self.weight, self.bias)
        kind = input.dtype
        if torch.is_autocast_enabled("cpu"):
            kind = torch.get_autocast_dtype("cpu")
        with torch.autocast("cpu", enabled=False):
            bias = None if self.bias is None else self.bias.to(kind)
            operands = input.to(kind), self.weight.to(kind), bias
            return _InChunks.apply(*operands, self, torch.is_grad_enabled())

    def scaled_pooling(self, kind: torch.dtype, scale: int) -> Tensor:
        """Return the matrix that pools `scale` times a map, in at least 32 bits.

        16 bits, as `kind` may have, are too few for 2 σ − 1 near 0.
        """
        exact = torch.float32 if kind.itemsize < 4 else kind
        return self.pooling.to(exact) * (scale / self.factor**2)

    def plain(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return the same by three functions of PyTorch."""
        return avg_pool2d(conv2d(input, weight, bias, padding=self.padding).tanh(), self.factor)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, factor={self.factor}"


class _InChunks(torch.autograd.Function):
    """This function computes `ConvTanhPool2d` on a CPU.

    If `keeps` is set, it keeps the map before the pooling, tanh or σ, for gradients. tanh of x is
    `scale` times this map of `scale` times x, less `scale` − 1: the scale is 1 for tanh, 2 for σ.
    """

    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        layer: ConvTanhPool2d,
        keeps: bool,
    ) -> Tensor:
        in_blocks, outputs = layer.side > 1, layer.out_channels
        scale, activate = (2, torch.sigmoid_) if tanh_is_slow() else (1, torch.tanh_)
        kernel = scale * (kernel_of(weight, layer.taps.to(weight)) if in_blocks else weight)
        kernel = kernel.contiguous(memory_format=torch.channels_last)
        offsets = None if bias is None else scale * bias.repeat(layer.side**2)
        pooling = layer.scaled_pooling(input.dtype, scale)
        size = input.shape[-1] - layer.loss_of_size
        height = size // layer.factor
        pooled = pooling.new_empty(len(input), height, height, outputs)
        images = images_of_a_chunk(outputs * size**2)
        kept = []
        source = to_blocks(input) if in_blocks else input
        source = source.contiguous(memory_format=torch.channels_last)
        for blocks, found in zip(source.split(images), pooled.split(images), strict=True):
            image = conv2d(blocks, kernel, offsets, padding=layer.margin)
            image = image.contiguous(memory_format=torch.channels_last)
            image = activate(image.to(pooling.dtype))
            if keeps:
                kept += [blocks, image]
            rows = image.permute(0, 2, 3, 1).reshape(-1, len(pooling)) @ pooling
            first, *others = rows.view(len(found), height, -1, height, outputs).unbind(2)
            torch.sub(first, scale - 1, out=found)
            for row in others:
                found.add_(row)
        ctx.layer, ctx.scale = layer, scale
        ctx.save_for_backward(input, weight, bias, kernel, *kept)
        return pooled.permute(0, 3, 1, 2).to(input.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        layer: ConvTanhPool2d = ctx.layer
        scale: int = ctx.scale
        input, weight, bias, kernel, *kept = ctx.saved_tensors
        needed = ctx.needs_input_grad[:3]
        if torch.is_grad_enabled():  # The gradient of this gradient is wanted.
            sources = [x for x, need in zip((input, weight, bias), needed, strict=True) if need]
            output = layer.plain(input, weight, bias)
            found = iter(torch.autograd.grad(output, sources, gradient, create_graph=True))
            return (*(next(found) if need else None for need in needed), None, None)

        in_blocks = layer.side > 1
        slope = torch.ops.aten.tanh_backward if scale == 1 else torch.ops.aten.sigmoid_backward
        spread = layer.scaled_pooling(gradient.dtype, scale).t()
        convolution = ([1, 1], [layer.margin] * 2, [1, 1], False, [0, 0], 1)
        wanted = (needed[0] and not in_blocks, *needed[1:])
        of_input = None
        if needed[0]:
            of_input = torch.empty_like(input, memory_format=torch.channels_last)
        # The gradients of many chunks are not added in 16 bits.
        of_kernel = torch.zeros_like(kernel, dtype=spread.dtype)
        of_offsets = spread.new_zeros(len(kernel))
        mirror_image = mirrored(kernel) if in_blocks and needed[0] else None
        start = 0
        for blocks, image in zip(kept[::2], kept[1::2], strict=True):
            part = slice(start, start + len(blocks))
            start = part.stop
            of_pooled = gradient[part].permute(0, 2, 3, 1)
            n, height, _, outputs = of_pooled.shape
            of_image = of_pooled.reshape(-1, outputs).to(spread.dtype) @ spread
            # Each row of a window has the same gradient.
            rows = image.permute(0, 2, 3, 1).view(n, height, layer.factor // layer.side, -1)
            slopes = slope(of_image.view(n, height, 1, -1), rows)
            slopes = slopes.view(n, *image.shape[2:], -1).permute(0, 3, 1, 2).to(kernel.dtype)
            of_blocks, of_weights, of_bias = torch.ops.aten.convolution_backward(
                slopes, blocks, kernel, [len(kernel)], *convolution, wanted
            )
            if of_input is not None and mirror_image is not None:
                write_pixel_gradient(of_input[part], slopes, mirror_image)
            elif of_input is not None:
                of_input[part] = of_blocks
            if needed[1]:
                of_kernel += of_weights
            if needed[2]:
                of_offsets += of_bias
        if in_blocks and needed[1]:
            of_kernel = weight_gradient(of_kernel, layer.taps.to(of_kernel))
        return (
            of_input,
            (scale * of_kernel).to(weight.dtype) if needed[1] else None,
            scale * of_offsets.view(-1, layer.out_channels).sum(0).to(weight.dtype)
            if needed[2]
            else None,
            None,
            None,
        )
