"""Convolve an image in blocks of 2×2 pixels, and average-pool the result."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, pixel_unshuffle

BLOCK_SIDE = 2  # pixels


def is_blockable(conv: nn.Conv2d, size: int, factor: int) -> bool:
    """Return whether the two layers below can replace `conv` and the pooling after it.

    `conv` works on a map of `size` × `size` pixels, and `factor` is that of the average pooling.
    """
    kernel = conv.kernel_size[0]
    keeps_size = conv.stride == (1, 1) and kernel % 2 == 1 and conv.padding == (kernel // 2,) * 2
    return keeps_size and size % BLOCK_SIDE == factor % BLOCK_SIDE == 0


class BlockedConv2d(nn.Conv2d):
    """This layer convolves with stride 1 and `same` padding and leaves its output in blocks.

    The input is N×C×H×W, and the output is N×(4·O)×(H/2)×(W/2), channels last: each of the O output
    channels has four values, for the four pixels of a block. On a CPU, a convolution with one input
    channel is slow, and its gradient is slower still. With the pixels of a block as channels, the
    layer has four input channels, for 1.4 times the multiplications of a 5×5 kernel.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, bias: bool = True) -> None:
        """`inputs`, `outputs` and `kernel` are those of the convolution on single pixels.

        Raises ValueError for an even kernel, whose `same` padding would not be symmetric.
        """
        if kernel % 2 == 0:
            raise ValueError(f"a kernel of {kernel}×{kernel} has no middle pixel")
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, bias=bias)
        self.margin = -(-(kernel // 2) // BLOCK_SIDE)  # blocks on each side
        # An entry is 1 where, for an output pixel of a block, a tap (weight of the kernel's row)
        # falls on an input pixel of a block. The axes are output pixel, block, input pixel, tap.
        taps = torch.zeros(BLOCK_SIDE, 2 * self.margin + 1, BLOCK_SIDE, kernel)
        for output in range(BLOCK_SIDE):
            for tap in range(kernel):
                block, pixel = divmod(output + tap - kernel // 2, BLOCK_SIDE)
                taps[output, block + self.margin, pixel, tap] = 1
        self.register_buffer("taps", taps, persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve N×C×H×W to N×(4·O)×(H/2)×(W/2)."""
        kernel = torch.einsum("paiu,qbjv,oxuv->pqoxijab", self.taps, self.taps, self.weight)
        blocks = 2 * self.margin + 1
        pixels = BLOCK_SIDE**2
        shape = (pixels * self.out_channels, pixels * self.in_channels, blocks, blocks)
        return conv2d(
            pixel_unshuffle(input, BLOCK_SIDE),
            kernel.reshape(shape).contiguous(memory_format=torch.channels_last),
            None if self.bias is None else self.bias.repeat(pixels),
            padding=self.margin,
        )


class BlockedAvgPool2d(nn.Module):
    """This layer average-pools a map that is in blocks of 2×2 pixels, by an even factor."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, input: Tensor) -> Tensor:
        """Pool N×(4·C)×H×W to N×C×(2·H/factor)×(2·W/factor)."""
        blocks = avg_pool2d(input, self.factor // BLOCK_SIDE)
        # The values are added in channels-last order, so that the gradient has that order too. The
        # gradient of a sum costs less than that of a mean.
        pixels = blocks.permute(0, 2, 3, 1).unflatten(-1, (BLOCK_SIDE**2, -1))
        return pixels.sum(3).permute(0, 3, 1, 2) / BLOCK_SIDE**2

    def extra_repr(self) -> str:
        return str(self.factor)
