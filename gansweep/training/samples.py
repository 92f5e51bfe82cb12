"""Draw the sample picture, sixteen images of latents that are equal in all runs, in a 4×4 grid."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from gansweep.store.run import write_file
from gansweep.training.grid import COUNT, grid
from gansweep.training.latents import latents

LATENT_SEED = 16


def fixed_latents(z_dim: int, count: int = COUNT) -> Tensor:
    """Return the latents of the sample picture, float32 count × z_dim, on the CPU.

    The latents depend only on `count` and `z_dim`, and not on the seed of the run.
    """
    return latents(z_dim, count, seed=LATENT_SEED)


def stretched_grid(images: Tensor) -> Image.Image:
    """Return images, float N×C×H×W, as one square picture, stretched to the full range of grey.

    The same stretch applies to the whole grid, as in the samples of document 004.
    """
    shown = images[: math.isqrt(len(images)) ** 2].cpu()
    low, high = shown.min(), shown.max()
    scaled = (shown - low) * (255 / (high - low).clamp_min(1e-8))
    return grid(scaled.round().to(torch.uint8).numpy())


def save_grid(images: Tensor, path: Path) -> None:
    """Write `stretched_grid` of images, float N×C×H×W, to the PNG file `path`."""
    picture = stretched_grid(images)
    write_file(path, lambda temporary: picture.save(temporary, format="PNG", optimize=True))
