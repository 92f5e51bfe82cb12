"""Layers over a few images at a time, where the maps of a batch do not fit a processor's cache."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

BYTES = 2 << 20  # of the largest map of a chunk: about a core's second-level cache
LARGE = 64  # pixels: chunks are for maps of this size and more


class Chunked(nn.Sequential):
    """Its layers one after another, over a few images at a time on a CPU.

    The same numbers as without chunks, but for the order in which a weight's gradients are added.
    Each layer has to treat an image by itself, which batch norm does not. largest: values of the
    largest map of one image.
    """

    def __init__(self, layers: Iterable[nn.Module], largest: int) -> None:
        super().__init__(*layers)
        self.largest = largest

    def forward(self, input: Tensor) -> Tensor:
        if input.device.type != "cpu":
            return super().forward(input)
        images = max(1, BYTES * torch.get_num_threads() // (4 * self.largest))
        return torch.cat([super(Chunked, self).forward(part) for part in input.split(images)])


def treats_images_apart(layer: nn.Module, shape: tuple[int, ...]) -> bool:
    """Is this a layer of feature maps that could work on a part of a batch?"""
    return len(shape) == 3 and not isinstance(layer, nn.BatchNorm2d | nn.Dropout)
