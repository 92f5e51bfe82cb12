"""Make one picture of sixteen generated or real images in a 4×4 grid, without torch."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

COUNT = 16


def grid(images: NDArray[np.uint8]) -> Image.Image:
    """Return images, uint8 N×C×H×W with C 1 or 3, as one square picture without gaps.

    The images that do not fill the largest possible square are left out.
    """
    side = math.isqrt(len(images))
    return tiles(images[: side * side], side)


def tiles(images: NDArray[np.uint8], columns: int) -> Image.Image:
    """Return images, uint8 N×C×H×W with C 1 or 3, as rows of one picture without gaps.

    The images that do not fill the last row are left out.
    """
    rows = len(images) // columns
    _, channels, height, width = images.shape
    parts = images[: rows * columns].reshape(rows, columns, channels, height, width)
    pixels = parts.transpose(0, 3, 1, 4, 2).reshape(rows * height, columns * width, channels)
    return Image.fromarray(pixels.squeeze(2) if channels == 1 else pixels)
