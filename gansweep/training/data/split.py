"""Which images of a data set are trained on, and which are held out for the judge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SEED = 2026  # of the one permutation that splits every data set
AT_LEAST = 500  # images held out, where that is no more than …
AT_MOST = 0.2  # … this share of all, or the share that is asked for
FEWEST = 200  # with fewer than these nothing can be measured: none are held out
MOST = 10_000  # held-out images that are kept
MOST_OF_FEW = 2000  # and where fewer are trained on than that


@dataclass(frozen=True)
class Split:
    """The numbers of the images that are trained on, in the order of the files, and of the
    held-out ones."""

    trained: NDArray[np.int64]
    held: NDArray[np.int64]


def split(
    count: int, share: float, *, trained: int | None = None, limit: int | None = None
) -> Split:
    """Split `count` images; always in the same way.

    share: of the images, to hold out. trained: only the first so many may be trained on, as the
    data set has test images of its own, and `share` has no meaning. limit: train on the first so
    many of those that may be trained on; the held-out ones do not depend on it, but of very many
    only some are kept.
    """
    if trained is None:
        order = permutation(count)
        held = order[: held_out(count, share)]
        rest = np.sort(order[len(held) :])
    else:
        held = trained + permutation(count - trained)
        rest = np.arange(trained)
    chosen = rest[:limit]
    return Split(chosen, np.sort(held[: min(MOST, max(len(chosen), MOST_OF_FEW))]))


def held_out(count: int, share: float) -> int:
    """How many of `count` images are held out: none where they would be too few to measure by."""
    if share == 0:
        return 0
    number = min(max(round(share * count), AT_LEAST), round(max(share, AT_MOST) * count))
    return number if number >= FEWEST else 0


def permutation(count: int) -> NDArray[np.int64]:
    """The order in which images are held out: a larger share adds to a smaller one."""
    return np.random.default_rng(SEED).permutation(count)
