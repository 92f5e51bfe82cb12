"""Draw the sample picture, sixteen images of latents that are equal in all runs, in a 4×4 grid.

With labels=true each row of the grid has one class, and each column one latent.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor

from gansweep.store.run import write_file
from gansweep.training.grid import COUNT, grid
from gansweep.training.latents import latents

if TYPE_CHECKING:
    from gansweep.training.trainee import Trainee

LATENT_SEED = 16
MOST_ROWS = 10  # of classes in a sample picture


def fixed_latents(z_dim: int, count: int = COUNT) -> Tensor:
    """Return the latents of the sample picture, float32 count × z_dim, on the CPU.

    The latents depend only on `count` and `z_dim`, and not on the seed of the run.
    """
    return latents(z_dim, count, seed=LATENT_SEED)


def fixed_inputs(gan: Trainee) -> tuple[Tensor, Tensor | None]:
    """Return the latents of the sample picture of a model, and the labels, int64, or None.

    With classes, the picture has a row for each of the first MOST_ROWS classes, and as many
    columns. With fewer than four classes it has four rows, some of the same class.
    """
    count = len(gan.classes)
    if not count:
        return fixed_latents(gan.z_dim), None
    side = min(max(count, math.isqrt(COUNT)), MOST_ROWS)
    rows = [row * min(count, side) // side for row in range(side)]  # the class of each row
    repeats = [rows[:row].count(rows[row]) for row in range(side)]
    z = fixed_latents(gan.z_dim, side * (max(repeats) + 1)).view(-1, side, gan.z_dim)
    return z[repeats].flatten(0, 1), torch.tensor(rows).repeat_interleave(side)


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
