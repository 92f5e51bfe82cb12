"""Measure distances and diversities of two sets of feature vectors by pure functions of arrays.

In all functions, `real` and `fake` are float arrays N×d and M×d from the same feature net.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.floating]


@dataclass(frozen=True)
class Moments:
    """The mean, shape (d,), and the covariance, d×d, of features, in float64."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @classmethod
    def of(cls, features: Features) -> Moments:
        """Return the moments of features N×d.

        Raises ValueError for fewer than two vectors, or for values that are not finite.
        """
        values = np.asarray(features, np.float64)
        if len(values) < 2 or not np.isfinite(values).all():
            raise ValueError("moments need two or more finite feature vectors")
        return cls(values.mean(0), np.atleast_2d(np.cov(values, rowvar=False)))


class Standardised:
    """Moments of features that are standardised by the means and deviations of the real ones."""

    def __init__(self, real: Features) -> None:
        self.mean, self.deviation = real.mean(0), real.std(0)
        self.real = self.moments(real)

    def moments(self, features: Features) -> Moments:
        """Return the moments of features N×d after the standardisation."""
        return Moments.of((features - self.mean) / (self.deviation + 1e-8))


def frechet(real: Moments, fake: Moments) -> float:
    """Return the Fréchet distance of two Gaussians (Heusel et al. 2017).

    The root of S1·S2 has the same trace as the root of R·S2·R, where R is the root of S1. R·S2·R is
    symmetric, so NumPy's `eigh` suffices and SciPy is not needed.
    """
    values, vectors = np.linalg.eigh(real.covariance)
    root = vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T
    cross = np.linalg.eigvalsh(root @ fake.covariance @ root)
    traces = np.trace(real.covariance) + np.trace(fake.covariance)
    gap = real.mean - fake.mean
    distance = gap @ gap + traces - 2 * np.sqrt(np.clip(cross, 0, None)).sum()
    return float(max(distance, 0.0))


def kernel_distance(real: Features, fake: Features, block: int = 250) -> tuple[float, float]:
    """Return the kernel distance and its standard error, which is NaN for a single block.

    The distance is the unbiased squared MMD with a cubic kernel (Bińkowski et al. 2018), as the
    mean over disjoint blocks of `block` real and `block` fake vectors.
    """
    real, fake = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    size = min(block, len(real), len(fake))
    count = min(len(real), len(fake)) // size
    blocks = [slice(i * size, (i + 1) * size) for i in range(count)]
    values = np.array([_mmd(real[b], fake[b]) for b in blocks])
    error = values.std(ddof=1) / np.sqrt(count) if count > 1 else float("nan")
    return float(values.mean()), float(error)


def _mmd(x: Features, y: Features) -> float:
    """Return the unbiased squared MMD of two arrays n×d with the kernel (x·y / d + 1)³."""
    n, d = x.shape
    xx, yy, xy = ((a @ b.T / d + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = (xx.sum() - np.trace(xx) + yy.sum() - np.trace(yy)) / (n * (n - 1))
    return float(within - 2 * xy.mean())


def distances(x: Features, y: Features) -> Features:
    """Return the Euclidean distances, N×M, between the vectors `x`, N×d, and `y`, M×d.

    Both arrays are shifted by the mean of `x`, so that float32 is exact enough to find neighbours.
    """
    centre = np.asarray(x, np.float64).mean(0)
    x, y = (np.asarray(v - centre, np.float32) for v in (x, y))
    squares = (x * x).sum(1)[:, None] + (y * y).sum(1)[None] - 2 * (x @ y.T)
    return np.sqrt(np.clip(squares, 0, None))


class Neighbourhood:
    """The neighbourhoods and distances of real vectors, computed once for many comparisons.

    The neighbourhood of a real vector is the ball that reaches to its `K`-th nearest real vector.
    """

    K = 5
    MAX_VECTORS = 1000  # A score compares at most this many real and this many generated vectors.

    @classmethod
    def of_first(cls, real: Features) -> Neighbourhood:
        """Return the neighbourhoods of the first MAX_VECTORS of `real`."""
        return cls(real[: cls.MAX_VECTORS])

    def __init__(self, real: Features) -> None:
        self.real = real
        within = distances(real, real)
        np.fill_diagonal(within, 0)
        self.radii = np.partition(within, self.K, axis=1)[
            :, self.K
        ]  # Entry 0 is the vector itself.
        self.mean_distance, self.nearest = _spread(within)

    def density_and_coverage(self, fake: Features) -> tuple[float, float]:
        """Return density and coverage (Naeem et al. 2020).

        Density is the mean number of neighbourhoods in which a fake vector lies, divided by `K`,
        and may exceed 1. Coverage is the share of neighbourhoods that contain a fake vector.
        """
        inside = distances(self.real, fake) <= self.radii[:, None]
        return float(inside.sum() / (self.K * inside.shape[1])), float(inside.any(1).mean())

    def measure(self, fake: Features) -> dict[str, float]:
        """Return the diversity, density and coverage of `fake`, and two signs of a collapse.

        "diversity" is the mean distance of two vectors, and "distinct" is the median distance of a
        vector to its nearest other vector; both are divided by the same value of the real vectors.
        "modes" is the number of images that would have the same coverage if each covered K + 1 real
        ones. See `equilibrium.flags`.
        """
        covered = self.density_and_coverage(fake)
        mean_distance, nearest = _spread(distances(fake, fake))
        return {
            "diversity": mean_distance / self.mean_distance,
            "density": covered[0],
            "coverage": covered[1],
            "modes": covered[1] * len(self.real) / (self.K + 1),
            "distinct": nearest / max(self.nearest, 1e-9),
        }


def _spread(within: Features) -> tuple[float, float]:
    """Return the mean distance of two vectors, and the median distance of a vector to its nearest.

    `within` has the distances of the vectors, N×N; the function overwrites its diagonal.
    """
    n = len(within)
    np.fill_diagonal(within, 0)
    mean = float(within.sum(dtype=np.float64) / (n * (n - 1)))
    np.fill_diagonal(within, np.inf)
    return mean, float(np.median(within.min(1)))


def pixel_variety(images: NDArray[np.uint8]) -> float:
    """Return the share, 0 to 1, of the variance of pixels that is between the images, N×C×H×W.

    The rest is the variance within the mean image, which is a pattern that all images share. Equal
    images have variety 0. The measure needs no features, because random features see variety in the
    noise of a lattice that is the same in all images.
    """
    pixels = images.reshape(len(images), -1).astype(np.float32)
    mean = pixels.mean(0)
    between = float(pixels.var(0).sum())
    return between / max(between + float(((mean - mean.mean()) ** 2).sum()), 1e-9)


def class_shares(labels: NDArray[np.integer], classes: int) -> NDArray[np.float64]:
    """Return the share of each class, shape (classes,), among `labels`, shape (N,)."""
    return np.bincount(labels, minlength=classes) / max(1, len(labels))


def total_variation(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Return half the sum of absolute differences of two distributions, shape (n,) each.

    The value is 0 for equal distributions and 1 for disjoint ones.
    """
    return float(np.abs(p - q).sum() / 2)
