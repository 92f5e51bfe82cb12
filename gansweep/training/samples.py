"""The sample picture: sixteen images of the same latents for every run, in a 4×4 grid."""

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
    """The latents of the sample picture: the same for all runs of one z_dim, whatever the seed."""
    return latents(z_dim, count, seed=LATENT_SEED)


def stretched_grid(images: Tensor) -> Image.Image:
    """N×C×H×W floats as one square picture, stretched to the full range of grey.

    One stretch for the whole grid, as document 004 drew its samples.
    """
    shown = images[: math.isqrt(len(images)) ** 2].cpu()
    low, high = shown.min(), shown.max()
    scaled = (shown - low) * (255 / (high - low).clamp_min(1e-8))
    return grid(scaled.round().to(torch.uint8).numpy())


def save_grid(images: Tensor, path: Path) -> None:
    picture = stretched_grid(images)
    write_file(path, lambda temporary: picture.save(temporary, format="PNG", optimize=True))
