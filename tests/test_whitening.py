"""Tests of the whitening against the scan of document 000."""

from __future__ import annotations

import numpy as np
import pytest

from gansweep.training.whitening import whiten


def scan(image: np.ndarray) -> np.ndarray:
    """Whiten images pixel by pixel and in place, as the document does."""
    pixels = image.astype(int).copy()
    height, width = pixels.shape
    for i in range(1, height - 1):
        for j in range(1, width - 1):
            around = pixels[i, j] + pixels[i - 1, j] + pixels[i + 1, j]
            around += pixels[i, j - 1] + pixels[i, j + 1]
            if around > 5 * 127:
                pixels[i, j] = 255
    return pixels.astype(np.uint8)


@pytest.mark.parametrize("shape", [(3, 3), (5, 9), (9, 5), (28, 28), (128, 128)])
@pytest.mark.parametrize("mean", [100, 127, 140])
def test_whitening_equals_the_scan_in_place(shape: tuple[int, int], mean: int) -> None:
    rng = np.random.default_rng(mean)
    images = rng.normal(mean, 40, (4, *shape)).clip(0, 255).astype(np.uint8)
    expected = np.stack([scan(image) for image in images])
    assert np.array_equal(whiten(images), expected)
    assert (expected[:, 1:-1, 1:-1] != images[:, 1:-1, 1:-1]).any() or mean == 100


def test_white_spreads_only_to_the_right_and_down() -> None:
    image = np.full((1, 7, 7), 100, np.uint8)
    image[0, 3, 3] = 255
    assert whiten(image)[0, 3, 4] == 255  # The sum is 100 + 255 + 100 + 100 + 100 = 655.
    assert whiten(image)[0, 2, 2] == 100
