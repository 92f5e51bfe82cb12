"""Compare where the parts of images stand, by the principal components of small copies.

The features of random convolutions are means over the whole image, and so are the patches of the
sliced Wasserstein distance. Both are nearly the same for a face and for its parts in disorder. The
principal components of faces (eigenfaces, Turk and Pentland 1991) are not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gansweep.training.metrics.distances import Moments, frechet

SIZE = 32  # pixels of the copies, at most
COMPONENTS = 64  # at most, and at most a quarter of the number of real images


class Layout:
    """The principal components of real images, uint8 N×C×H×W, each scaled to unit variance."""

    def __init__(self, real: NDArray[np.uint8]) -> None:
        pixels = _small(real)
        self.mean = pixels.mean(0)
        # With fewer images than pixels, the singular vectors are cheaper than a covariance matrix.
        _, deviations, vectors = np.linalg.svd(pixels - self.mean, full_matrices=False)
        deviations = deviations / np.sqrt(max(1, len(pixels) - 1))
        count = min(COMPONENTS, max(1, len(pixels) // 4), int((deviations > 1e-6).sum()))
        if count == 0:
            raise ValueError("the real images are all equal")
        self.directions = vectors[:count].T / deviations[:count]
        self.real = self.moments(real)

    def moments(self, images: NDArray[np.uint8]) -> Moments:
        """Return the mean and the covariance of the components of images, uint8 M×C×H×W."""
        return Moments.of((_small(images) - self.mean) @ self.directions)

    def distance(self, images: NDArray[np.uint8]) -> float:
        """Return the Fréchet distance of the components of images to those of the real ones."""
        return frechet(self.real, self.moments(images))


def _small(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the pixels of copies of at most SIZE×SIZE, float N×d in [0, 1]."""
    import torch  # not at the top, because tables need the labels of metrics without torch
    from torch.nn import functional as F

    values = torch.from_numpy(images).float() / 255
    if values.shape[-1] > SIZE:
        values = F.interpolate(values, (SIZE, SIZE), mode="area")
    return values.flatten(1).numpy()
