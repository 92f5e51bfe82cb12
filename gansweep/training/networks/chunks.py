"""Run layers on a few images at a time where the maps of a batch do not fit a CPU's cache."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

CHUNK_BYTES = 2 << 20  # The largest map of a chunk fits the second-level cache of one core.
LARGE_MAP = 64  # pixels; maps of at least this side length are computed in chunks


class Chunked(nn.Sequential):
    """This module runs its layers in order, on a CPU over a chunk of a few images at a time.

    The output is the same as without chunks, and only the gradients of the weights are added in
    another order. Each layer must work image by image, which batch norm does not. `largest` is the
    number of values in the largest map of one image.
    """

    def __init__(self, layers: Iterable[nn.Module], largest: int) -> None:
        super().__init__(*layers)
        self.largest = largest

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layers to a batch N×C×H×W."""
        if input.device.type != "cpu":
            return super().forward(input)
        parts = input.split(images_of_a_chunk(self.largest))
        return torch.cat([super(Chunked, self).forward(part) for part in parts])


def images_of_a_chunk(largest: int) -> int:
    """Return how many images to compute at a time where a map has `largest` values an image."""
    return max(1, CHUNK_BYTES * torch.get_num_threads() // (4 * largest))


def works_image_by_image(layer: nn.Module, shape: tuple[int, ...]) -> bool:
    """Return whether `layer` gives a map the same output in a part of a batch as in the whole.

    `shape` is that of one example after the layer. Layers of vectors do not count, and neither does
    dropout, whose random numbers depend on the batch.
    """
    return len(shape) == 3 and not isinstance(layer, nn.BatchNorm2d | nn.Dropout)
