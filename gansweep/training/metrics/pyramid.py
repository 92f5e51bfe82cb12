"""Compare textures by the multi-scale sliced Wasserstein distance (Karras et al. 2018).

The distance compares small patches at every scale. The patches are standardised, so the distance
does not depend on overall brightness, contrast or colour. It therefore serves as a second opinion,
and not as the metric of a search. Each level sees what is as large as its patches: the finest sees
noise, and the level of 32×32 pixels sees the parts of a face.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gansweep.training.data.pixels import normalise

PATCH = 7
PATCHES = 16  # of each image and level
MIN_SIZE = 14  # pixels of the coarsest level
DIRECTIONS = 64
MAX_IMAGES = 500  # real images, and as many generated ones
SCALE = 1000  # The distance is in thousandths, as in the paper.


def sliced_wasserstein(
    real: Tensor, fake: Tensor, seed: int = 0, *, side: int | None = None
) -> float:
    """Return the mean distance of the levels of two Laplacian pyramids; less is better.

    `real` and `fake` are uint8 N×C×H×W. Equal numbers of both are compared, at most MAX_IMAGES.
    With `side`, only the levels of the size nearest to `side` × `side` pixels are compared. The
    computation takes place on the device of `fake`, with random numbers that depend only on `seed`.
    """
    real = real.to(fake.device)
    count = min(len(real), len(fake), MAX_IMAGES)
    rng = torch.Generator().manual_seed(seed)
    levels = list(zip(_laplacian(real[:count]), _laplacian(fake[:count]), strict=True))
    if side is not None:
        levels = [min(levels, key=lambda pair: abs(pair[0].shape[-1] - side))]
    distances = [_distance(_patches(a, rng), _patches(b, rng), rng) for a, b in levels]
    return SCALE * sum(distances) / len(distances)


def _laplacian(images: Tensor) -> list[Tensor]:
    """Return the levels of the Laplacian pyramid of images, uint8 N×C×H×W, the finest first.

    A level has the details that the next coarser level does not have; the coarsest is the image.
    """
    current = normalise(images)
    levels = []
    while current.shape[-1] // 2 >= MIN_SIZE:
        coarser = F.avg_pool2d(_smooth(current), 2)
        finer = F.interpolate(
            coarser, size=current.shape[-2:], mode="bilinear", align_corners=False
        )
        levels.append(current - finer)
        current = coarser
    return [*levels, current]


def _smooth(images: Tensor) -> Tensor:
    """Smooth images, N×C×H×W, with the binomial filter 1 4 6 4 1 in both directions."""
    line = torch.tensor([1.0, 4, 6, 4, 1], device=images.device) / 16
    channels = images.shape[1]
    kernel = torch.outer(line, line).expand(channels, 1, 5, 5)
    return F.conv2d(F.pad(images, (2, 2, 2, 2), mode="reflect"), kernel, groups=channels)


def _patches(level: Tensor, rng: torch.Generator) -> Tensor:
    """Return random patches of a level, N·PATCHES × C·PATCH².

    Each channel is standardised to mean 0 and deviation 1 over all patches.
    """
    n, _, height, width = level.shape
    unfolded = level.unfold(2, PATCH, 1).unfold(3, PATCH, 1)  # N×C×rows×columns×PATCH×PATCH
    image = torch.arange(n).repeat_interleave(PATCHES)
    row = torch.randint(height - PATCH + 1, (n * PATCHES,), generator=rng)
    column = torch.randint(width - PATCH + 1, (n * PATCHES,), generator=rng)
    image, row, column = (place.to(level.device) for place in (image, row, column))
    patches = unfolded[image, :, row, column]  # N·PATCHES × C × PATCH × PATCH
    mean = patches.mean((0, 2, 3), keepdim=True)
    deviation = patches.std((0, 2, 3), keepdim=True)
    return ((patches - mean) / (deviation + 1e-8)).flatten(1)


def _distance(a: Tensor, b: Tensor, rng: torch.Generator) -> float:
    """Return the sliced Wasserstein-1 distance of two sets of vectors, n×d each.

    This is the mean distance of the sorted projections on random directions.
    """
    directions = torch.randn(a.shape[1], DIRECTIONS, generator=rng)
    directions = (directions / directions.norm(dim=0)).to(a.device)
    sorted_a, sorted_b = _sorted(a @ directions), _sorted(b @ directions)
    return float(np.abs(sorted_a - sorted_b).mean())


def _sorted(projections: Tensor) -> np.ndarray:
    """Return projections, N×DIRECTIONS, as DIRECTIONS×N with sorted rows.

    NumPy sorts four times as fast as torch.
    """
    return np.sort(projections.T.contiguous().cpu().numpy(), axis=1)
