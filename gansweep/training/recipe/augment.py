"""Differentiable augmentation of the images that D reads (DiffAugment, Zhao et al. 2020).

Real and generated images are changed alike, in D's step and in G's, and the gradient passes
through. The strengths are those of the paper. All functions map images, B×C×H×W in [−1, 1], to
images of the same shape, and draw random numbers for each image from torch's global generators.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

SHIFT = 1 / 8  # of the side, at most, to each direction
CUTOUT = 1 / 2  # of the side


def augment(images: Tensor, names: str) -> Tensor:
    """Return the images changed by each of `names`, joined by +; `none` changes nothing."""
    if names == "none":
        return images
    for name in names.split("+"):
        images = _FUNCTIONS[name](images)
    return images


def color(images: Tensor) -> Tensor:
    """Change brightness by ±0.5, saturation by a factor of 0 to 2, and contrast by 0.5 to 1.5."""
    images = images + (_uniform(images) - 0.5)
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * (2 * _uniform(images))
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + (images - mean) * (_uniform(images) + 0.5)


def translation(images: Tensor) -> Tensor:
    """Shift each image by up to an eighth of its side; the pixels that enter are 0 (grey)."""
    count, _, height, width = images.shape
    device = images.device
    most = [int(side * SHIFT + 0.5) for side in (height, width)]
    down, right = (torch.randint(-m, m + 1, (count, 1), device=device) for m in most)
    rows = (torch.arange(height, device=device) + down).clamp(-1, height) + 1
    columns = (torch.arange(width, device=device) + right).clamp(-1, width) + 1
    padded = pad(images, (1, 1, 1, 1)).permute(0, 2, 3, 1)
    image = torch.arange(count, device=device)[:, None, None]
    return padded[image, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cutout(images: Tensor) -> Tensor:
    """Set a square of half the side at a random place, partly outside perhaps, to 0 (grey)."""
    count, _, height, width = images.shape
    device = images.device
    inside = []
    for side in (height, width):
        size = int(side * CUTOUT + 0.5)
        centre = torch.randint(0, side + (1 - size % 2), (count, 1), device=device)
        first = centre - size // 2
        place = torch.arange(side, device=device)
        inside.append((place >= first) & (place < first + size))
    hole = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    return images.masked_fill(hole, 0.0)


def _uniform(images: Tensor) -> Tensor:
    """Return one random number in [0, 1) for each image, B×1×1×1."""
    return torch.rand(len(images), 1, 1, 1, device=images.device, dtype=images.dtype)


_FUNCTIONS = {"color": color, "translation": translation, "cutout": cutout}
