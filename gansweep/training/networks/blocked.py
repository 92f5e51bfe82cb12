"""A convolution of an image over blocks of 2×2 pixels, and the average pooling after it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, pixel_unshuffle

SIDE = 2  # of a block


def is_blockable(conv: nn.Conv2d, size: int, factor: int) -> bool:
    """May these two take the place of `conv` on a map of `size` and of a pooling by `factor`?"""
    kernel = conv.kernel_size[0]
    same = conv.stride == (1, 1) and kernel % 2 == 1 and conv.padding == (kernel // 2,) * 2
    return same and size % SIDE == factor % SIDE == 0


class BlockedConv2d(nn.Conv2d):
    """A convolution of stride 1 and `same` padding whose output stays in blocks, channels last.

    N×C×H×W → N×(4·O)×(H/2)×(W/2): each channel four times, for the four places in a block. A
    processor's convolutions are slow with one input channel, above all their gradients. With the
    pixels of a block as channels there are four, for 1.4 times the multiplications of a 5×5 kernel.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, bias: bool = True) -> None:
        """Raises ValueError for an even kernel, whose `same` padding would not be symmetric."""
        if kernel % 2 == 0:
            raise ValueError(f"a kernel of {kernel}×{kernel} has no middle")
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, bias=bias)
        self.reach = -(-(kernel // 2) // SIDE)  # blocks on each side of the middle one
        # Which pixel of which block a tap falls on: place × block × pixel × tap.
        taps = torch.zeros(SIDE, 2 * self.reach + 1, SIDE, kernel)
        for place in range(SIDE):
            for tap in range(kernel):
                block, pixel = divmod(place + tap - kernel // 2, SIDE)
                taps[place, block + self.reach, pixel, tap] = 1
        self.register_buffer("taps", taps, persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        kernel = torch.einsum("paiu,qbjv,oxuv->pqoxijab", self.taps, self.taps, self.weight)
        blocks = 2 * self.reach + 1
        shape = (SIDE**2 * self.out_channels, SIDE**2 * self.in_channels, blocks, blocks)
        return conv2d(
            pixel_unshuffle(input, SIDE),
            kernel.reshape(shape).contiguous(memory_format=torch.channels_last),
            None if self.bias is None else self.bias.repeat(SIDE**2),
            padding=self.reach,
        )


class BlockedAvgPool2d(nn.Module):
    """The average pooling of a map in blocks, by an even factor: N×(4·C)×H×W → N×C×(2·H/factor)…"""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, input: Tensor) -> Tensor:
        blocks = avg_pool2d(input, self.factor // SIDE)
        # Channels last, so that the gradient comes back so; that of a sum costs less than a mean's.
        places = blocks.permute(0, 2, 3, 1).unflatten(-1, (SIDE**2, -1))
        return places.sum(3).permute(0, 3, 1, 2) / SIDE**2

    def extra_repr(self) -> str:
        return str(self.factor)
