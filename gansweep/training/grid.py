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
    _, channels, height, width = images.shape
    tiles = images[: side * side].reshape(side, side, channels, height, width)
    pixels = tiles.transpose(0, 3, 1, 4, 2).reshape(side * height, side * width, channels)
    return Image.fromarray(pixels.squeeze(2) if channels == 1 else pixels)
