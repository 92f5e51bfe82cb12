"""Whiten a sample: document 000 shows it raw as `dirty` and whitened as `clean`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WHITE_ABOVE = 5 * 127  # This bounds the sum of a pixel and its four neighbours.
WHITE = 255


def whiten(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Make each pixel white whose sum with its four neighbours exceeds 5·127; keep the borders.

    `images` are grey, uint8 N×H×W, and so is the result. Document 000 scans an image row by row and
    in place, so the neighbours above and to the left of a pixel are already whitened. Pixels that
    depend on each other lie on different anti-diagonals. This function therefore whitens one
    anti-diagonal of all images at a time and gives exactly the document's result.
    """
    pixels = np.asarray(images, np.int32).copy()
    height, width = pixels.shape[1:]
    for diagonal in range(2, height + width - 3):
        rows = np.arange(max(1, diagonal - width + 2), min(height - 2, diagonal - 1) + 1)
        columns = diagonal - rows
        total = (
            pixels[:, rows, columns]
            + pixels[:, rows - 1, columns]
            + pixels[:, rows + 1, columns]
            + pixels[:, rows, columns - 1]
            + pixels[:, rows, columns + 1]
        )
        pixels[:, rows, columns] = np.where(total > WHITE_ABOVE, WHITE, pixels[:, rows, columns])
    return pixels.astype(np.uint8)
