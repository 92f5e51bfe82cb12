"""Find copies of training images, by the distances to the nearest training images in features.

Held-out real images show how near to a training image an image is that no network has seen (Meehan
et al. 2020, "A Non-Parametric Test to Detect Data-Copying in Generative Models").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gansweep.training.metrics.distances import Features

CHUNK = 2000  # training images that are compared at once
MAX_IMAGES = 1000  # whose nearest training images are searched
COPY_QUANTILE = 0.05  # A copy is nearer to a training image than all but this share of unseen ones.


def nearest(
    images: Features, trained: Features, *, itself: NDArray[np.integer] | None = None
) -> tuple[Features, NDArray[np.integer]]:
    """Return the distance to the nearest training image, and its number, shape (N,) each.

    `images` and `trained` are features, N×d and M×d. `itself` has for each vector the number of a
    training image to leave out, because it is the same image.
    """
    best = np.full(len(images), np.inf, np.float32)
    number = np.zeros(len(images), np.int64)
    squares = (images * images).sum(1)
    for start in range(0, len(trained), CHUNK):
        chunk = trained[start : start + CHUNK]
        found = squares[:, None] + (chunk * chunk).sum(1)[None] - 2 * (images @ chunk.T)
        if itself is not None:
            inside = (itself >= start) & (itself < start + len(chunk))
            found[np.flatnonzero(inside), itself[inside] - start] = np.inf
        place = found.argmin(1)
        value = found[np.arange(len(images)), place]
        better = value < best
        best[better], number[better] = value[better], start + place[better]
    return np.sqrt(np.clip(best, 0, None)), number


def typical_distances(trained: Features, held: Features | None) -> Features:
    """Return the distances of held-out images to their nearest training images, in ascending order.

    `trained` and `held` are features. If no images are held out, the distances are those of
    training images to their nearest other training images.
    """
    if held is not None:
        return np.sort(nearest(held[:MAX_IMAGES], trained)[0])
    chosen = np.random.default_rng(0).permutation(len(trained))[:MAX_IMAGES]
    return np.sort(nearest(trained[chosen], trained, itself=chosen)[0])


def memorisation(fake: Features, trained: Features, typical: Features) -> dict[str, float]:
    """Return how near generated images are to their nearest training images.

    `typical` has the distances of `typical_distances`. "nearest_ratio" is the ratio of the median
    distances of generated and of unseen real images. "copied" is the share of generated images that
    are nearer than all but a twentieth of the unseen real images.
    """
    found = nearest(fake[:MAX_IMAGES], trained)[0]
    return {
        "nearest_ratio": float(np.median(found) / max(float(np.median(typical)), 1e-9)),
        "copied": float((found < np.quantile(typical, COPY_QUANTILE)).mean()),
    }
