"""Convolve a nearest-neighbour upsampled map without making that map."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad


class UpsampledConv2d(nn.Conv2d):
    """This layer upsamples by `factor` (nearest) and convolves with stride 1 and `same` padding.

    Upsampling makes a block of factor × factor equal pixels from each input pixel, so the weights
    of a kernel that fall into one block can be added beforehand. Each pixel of a block then has a
    separate small kernel on the input map, as in sub-pixel convolutions (Shi et al. 2016). A 5×5
    kernel after an upsampling by 4 becomes 2×2 weights for each pixel, a sixth of the
    multiplications. The output differs from that of an upsampling and a convolution only in the
    order in which numbers are added.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, factor: int, bias: bool = True
    ) -> None:
        """`inputs` and `outputs` are channels; `kernel` is that on the upsampled map.

        Raises ValueError for an even kernel, whose `same` padding would not be symmetric.
        """
        if kernel % 2 == 0:
            raise ValueError(f"a kernel of {kernel}×{kernel} has no middle pixel")
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, bias=bias)
        self.factor = factor
        blocks_of_pixel = [
            [(pixel + tap - kernel // 2) // factor for tap in range(kernel)]
            for pixel in range(factor)
        ]
        self.starts = [min(blocks) for blocks in blocks_of_pixel]
        span = max(
            max(blocks) - start + 1
            for blocks, start in zip(blocks_of_pixel, self.starts, strict=True)
        )
        # An entry is 1 where a tap (weight of the kernel's row) at a pixel of a block falls on a
        # block, counted from the first block of this pixel. The axes are pixel, block, tap.
        sums = torch.zeros(factor, span, kernel)
        for pixel, blocks in enumerate(blocks_of_pixel):
            for tap, block in enumerate(blocks):
                sums[pixel, block - self.starts[pixel], tap] = 1
        self.register_buffer("sums", sums, persistent=False)
        self.span = span
        # Each entry is a block and the neighbouring pixels whose small kernels start at this block.
        self.same_start = [
            (start, slice(self.starts.index(start), self.starts.index(start) + count))
            for start, count in Counter(self.starts).items()
        ]

    def forward(self, input: Tensor) -> Tensor:
        """Map N×I×H×W to N×O×(H·factor)×(W·factor)."""
        n, _, height, width = input.shape
        r, outputs = self.factor, self.out_channels
        before, after = -min(self.starts), max(self.starts) + self.span - 1
        small_kernels = torch.einsum("pat,qbu,oitu->pqoiab", self.sums, self.sums, self.weight)
        maps = conv2d(
            pad(input, (before, after, before, after)),
            small_kernels.reshape(r * r * outputs, self.in_channels, self.span, self.span),
            None if self.bias is None else self.bias.repeat(r * r),
        )
        maps = maps.permute(0, 2, 3, 1).unflatten(-1, (r, r, outputs))  # N × y × x × p × q × O
        parts = []
        for start, p in self.same_start:
            rows = maps[:, start + before : start + before + height, :, p]
            columns = [
                rows[:, :, start + before : start + before + width, :, q]
                for start, q in self.same_start
            ]
            parts.append(torch.cat(columns, 4))
        full = torch.cat(parts, 3).transpose(2, 3).reshape(n, height * r, width * r, outputs)
        full = full.permute(0, 3, 1, 2)
        if not input.is_contiguous(memory_format=torch.channels_last):
            full = full.contiguous()
        return full

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, factor={self.factor}"
