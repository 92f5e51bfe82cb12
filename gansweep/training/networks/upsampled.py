"""A convolution of a nearest-neighbour upsampled map, without making that map."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad


class UpsampledConv2d(nn.Conv2d):
    """Nearest upsampling by `factor`, then a convolution of stride 1 and `same` padding.

    The pixels of a block are equal, so that the taps of a kernel that fall into the same block can
    be added up beforehand: each of the factor × factor places within a block has a small kernel of
    its own on the map as it is (as in sub-pixel convolutions, Shi et al. 2016). Of a 5×5 kernel
    after an upsampling by 4, 2×2 weights are left at each place: a sixth of the multiplications.
    Equal to the plain form but for the order in which numbers are added.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, factor: int, bias: bool = True
    ) -> None:
        """Raises ValueError for an even kernel, whose `same` padding would not be symmetric."""
        if kernel % 2 == 0:
            raise ValueError(f"a kernel of {kernel}×{kernel} has no middle")
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, bias=bias)
        self.factor = factor
        reach = [
            [(place + tap - kernel // 2) // factor for tap in range(kernel)]
            for place in range(factor)
        ]
        self.starts = [min(blocks) for blocks in reach]
        span = max(
            max(blocks) - start + 1 for blocks, start in zip(reach, self.starts, strict=True)
        )
        # Which blocks a place's kernel covers, from its first one on: place × block × tap.
        sums = torch.zeros(factor, span, kernel)
        for place, blocks in enumerate(reach):
            for tap, block in enumerate(blocks):
                sums[place, block - self.starts[place], tap] = 1
        self.register_buffer("sums", sums, persistent=False)
        self.span = span
        # Neighbouring places whose kernels begin at the same block: that block, and the places.
        self.same_start = [
            (start, slice(self.starts.index(start), self.starts.index(start) + count))
            for start, count in Counter(self.starts).items()
        ]

    def forward(self, input: Tensor) -> Tensor:
        """N×I×H×W → N×O×(H·factor)×(W·factor)."""
        n, _, height, width = input.shape
        r, outputs = self.factor, self.out_channels
        before, after = -min(self.starts), max(self.starts) + self.span - 1
        small = torch.einsum("pat,qbu,oitu->pqoiab", self.sums, self.sums, self.weight)
        maps = conv2d(
            pad(input, (before, after, before, after)),
            small.reshape(r * r * outputs, self.in_channels, self.span, self.span),
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
