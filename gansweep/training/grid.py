"""The 4×4 grid of sixteen images, as one picture: of generated and of real ones alike. No torch."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

COUNT = 16


def grid(images: NDArray[np.uint8]) -> Image.Image:
    """N×C×H×W as one square picture without gaps; what does not fill the square is left out."""
    side = math.isqrt(len(images))
    _, channels, height, width = images.shape
    tiles = images[: side * side].reshape(side, side, channels, height, width)
    pixels = tiles.transpose(0, 3, 1, 4, 2).reshape(side * height, side * width, channels)
    return Image.fromarray(pixels.squeeze(2) if channels == 1 else pixels)
