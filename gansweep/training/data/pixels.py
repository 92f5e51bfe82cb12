"""Convert pixels between the bytes of files and metrics and the floats of the networks."""

from __future__ import annotations

import torch
from torch import Tensor


def normalise(pixels: Tensor) -> Tensor:
    """Return bytes 0 to 255, of any shape, as float32 in [−1, 1], as both documents do."""
    return pixels.to(torch.float32).div_(127.5).sub_(1)


def as_bytes(images: Tensor) -> Tensor:
    """Return floats in [−1, 1], of any shape, as the uint8 that a picture file would hold."""
    return ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
