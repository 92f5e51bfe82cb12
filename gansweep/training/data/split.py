"""Split a data set into images to train on and images that are held out for the judge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SPLIT_SEED = 2026  # This seed gives the permutation that splits every data set.
# A small share is raised until it gives MIN_HELD_OUT images, but not above MAX_RAISED_SHARE. Fewer
# than MIN_MEASURABLE images are too few to measure by, so none are held out.
MIN_HELD_OUT = 500
MAX_RAISED_SHARE = 0.2
MIN_MEASURABLE = 200
# The cache keeps as many held-out images as training images, but at least the smaller and at most
# the larger number.
MIN_KEPT = 2000
MAX_KEPT = 10_000


@dataclass(frozen=True)
class Split:
    """The fields are the numbers of the training and the held-out images, in ascending order."""

    trained: NDArray[np.int64]
    held: NDArray[np.int64]


def split(
    count: int, share: float, *, trained: int | None = None, limit: int | None = None
) -> Split:
    """Split `count` images; equal arguments always give the same split.

    `share` is the share of the images to hold out, 0 to 1. If the data set has test images of its
    own, `trained` is the number of images before the first test image, and `share` has no effect.
    `limit` trains on only the first `limit` training images. The held-out images do not depend on
    `limit`, except that a smaller number of them is kept.
    """
    if trained is None:
        order = permutation(count)
        held = order[: held_out(count, share)]
        trainable = np.sort(order[len(held) :])
    else:
        held = trained + permutation(count - trained)
        trainable = np.arange(trained)
    chosen = trainable[:limit]
    return Split(chosen, np.sort(held[: min(MAX_KEPT, max(len(chosen), MIN_KEPT))]))


def held_out(count: int, share: float) -> int:
    """Return how many of `count` images are held out, or 0 if these are too few to measure by."""
    if share == 0:
        return 0
    number = min(
        max(round(share * count), MIN_HELD_OUT), round(max(share, MAX_RAISED_SHARE) * count)
    )
    return number if number >= MIN_MEASURABLE else 0


def permutation(count: int) -> NDArray[np.int64]:
    """Return the numbers 0 to `count` − 1 in the order in which images are held out.

    A larger share therefore contains every image of a smaller one.
    """
    return np.random.default_rng(SPLIT_SEED).permutation(count)
