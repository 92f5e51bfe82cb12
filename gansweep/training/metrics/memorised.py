"""Does a generator replay its training images? By distances to the nearest of them, in features.

Held-out real images show how near an image comes to the training images without having been seen
(as in Meehan et al. 2020, "A Non-Parametric Test to Detect Data-Copying in Generative Models").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gansweep.training.metrics.distances import Features

CHUNK = 2000  # training images that are compared at once
MOST = 1000  # images whose nearest training image is searched
CLOSE = 0.05  # share of the unseen real images that are as near as what is called close


def nearest(
    images: Features, trained: Features, *, itself: NDArray[np.integer] | None = None
) -> tuple[Features, NDArray[np.integer]]:
    """Distance to, and number of, the nearest training image of each vector.

    itself: for each vector a training image that does not count, as it is its own.
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
    """How far unseen real images are from the nearest training image, sorted.

    Where none are held out: how far training images are from the nearest other one.
    """
    if held is not None:
        return np.sort(nearest(held[:MOST], trained)[0])
    chosen = np.random.default_rng(0).permutation(len(trained))[:MOST]
    return np.sort(nearest(trained[chosen], trained, itself=chosen)[0])


def memorisation(fake: Features, trained: Features, typical: Features) -> dict[str, float]:
    """How near generated images are to training images.

    nearest_ratio: their median distance over that of unseen real images; copied: the share of
    them that is nearer than all but a twentieth of the unseen real images.
    """
    found = nearest(fake[:MOST], trained)[0]
    return {
        "nearest_ratio": float(np.median(found) / max(float(np.median(typical)), 1e-9)),
        "copied": float((found < np.quantile(typical, CLOSE)).mean()),
    }
