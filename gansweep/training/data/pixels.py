"""Pixels: bytes in files, pictures and metrics, floats in [−1, 1] in the networks."""

from __future__ import annotations

import torch
from torch import Tensor


def normalise(pixels: Tensor) -> Tensor:
    """Bytes 0…255 → float32 in [−1, 1], as both documents have it."""
    return pixels.to(torch.float32).div_(127.5).sub_(1)


def as_bytes(images: Tensor) -> Tensor:
    """Images in [−1, 1] → the uint8 that a picture file would hold."""
    return ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
