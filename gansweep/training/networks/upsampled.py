"""Convolve a nearest-neighbour upsampled map without making that map."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from gansweep.training.networks.blocks import from_blocks, taps


class UpsampledConv2d(nn.Conv2d):
    """This layer upsamples by `factor` (nearest) and convolves with stride 1 and `same` padding.

    Upsampling makes a block of factor × factor equal pixels from each input pixel, so the weights
    of a kernel that fall into one block can be added beforehand. Each pixel of a block then has a
    separate small kernel on the input map, as in sub-pixel convolutions (Shi et al. 2016). A 5×5
    kernel becomes 3×3 weights for each pixel, and the layer reads a map of the input's size. The
    output differs from that of an upsampling and a convolution only in the order in which numbers
    are added.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, factor: int, bias: bool = True
    ) -> None:
        """`inputs` and `outputs` are channels; `kernel` is that on the upsampled map.

        Raises ValueError for an even kernel, whose `same` padding would not be symmetric.
        """
        of_pixels, self.margin = taps(factor, kernel)
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, bias=bias)
        self.factor = factor
        # The input pixels of a block are equal, so their weights are added: pixel × block × weight.
        self.register_buffer("sums", of_pixels.sum(2), persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        """Map N×I×H×W to N×O×(H·factor)×(W·factor)."""
        blocks = 2 * self.margin + 1
        kernel = torch.einsum("pau,qbv,oiuv->pqoiab", self.sums, self.sums, self.weight)
        maps = conv2d(
            input,
            kernel.reshape(-1, self.in_channels, blocks, blocks),
            None if self.bias is None else self.bias.repeat(self.factor**2),
            padding=self.margin,
        )
        full = from_blocks(maps, self.factor)
        if not input.is_contiguous(memory_format=torch.channels_last):
            full = full.contiguous()
        return full

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, factor={self.factor}"
