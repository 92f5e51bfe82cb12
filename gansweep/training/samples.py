"""The sample picture: sixteen images of the same latents for every run, in a 4×4 grid."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from gansweep.store.run import write_file

COUNT = 16
LATENT_SEED = 16


def fixed_latents(z_dim: int, count: int = COUNT) -> Tensor:
    """z ~ Uniform(−1, 1), count × z_dim: the same for all runs of one z_dim, whatever the seed."""
    dice = torch.Generator().manual_seed(LATENT_SEED)
    return torch.rand(count, z_dim, generator=dice) * 2 - 1


def grid(images: Tensor) -> Image.Image:
    """N×C×H×W floats as one square picture without gaps, stretched to the full range of grey.

    One stretch for the whole grid, as document 004 drew its samples.
    """
    n, channels, height, width = images.shape
    side = math.isqrt(n)
    tiles = images[: side * side].reshape(side, side, channels, height, width)
    flat = tiles.permute(0, 3, 1, 4, 2).reshape(side * height, side * width, channels).cpu()
    low, high = flat.min(), flat.max()
    scaled = (flat - low) * (255 / (high - low).clamp_min(1e-8))
    pixels = scaled.round().to(torch.uint8).squeeze(2).numpy()
    return Image.fromarray(pixels)


def save_grid(images: Tensor, path: Path) -> None:
    picture = grid(images)
    write_file(path, lambda temporary: picture.save(temporary, format="PNG", optimize=True))
