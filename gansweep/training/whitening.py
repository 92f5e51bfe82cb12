"""Document 000's `dirty` and `clean` pictures: a raw sample, and the same one whitened."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

THRESHOLD = 5 * 127  # of a pixel and its four neighbours together
WHITE = 255


def whiten(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """N×H×W grey bytes; where a pixel and its four neighbours sum to more than 5·127: white.

    The document scans row by row and in place, so the neighbours above and to the left are already
    whitened. What depends on each other lies on different anti-diagonals: one is done at a time,
    for all images at once, with the very same result. The borders stay.
    """
    done = np.asarray(images, np.int32).copy()
    height, width = done.shape[1:]
    for diagonal in range(2, height + width - 3):
        rows = np.arange(max(1, diagonal - width + 2), min(height - 2, diagonal - 1) + 1)
        columns = diagonal - rows
        around = (
            done[:, rows, columns]
            + done[:, rows - 1, columns]
            + done[:, rows + 1, columns]
            + done[:, rows, columns - 1]
            + done[:, rows, columns + 1]
        )
        done[:, rows, columns] = np.where(around > THRESHOLD, WHITE, done[:, rows, columns])
    return done.astype(np.uint8)
