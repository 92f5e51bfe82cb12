"""Distances and diversities of two sets of feature vectors: pure functions of two arrays.

Everywhere `real` and `fake` are float arrays N×d and M×d of the same feature net.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.floating]


@dataclass(frozen=True)
class Moments:
    """Mean (d) and covariance (d×d) of features, in float64."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @classmethod
    def of(cls, features: Features) -> Moments:
        """Raises ValueError for fewer than two vectors or values that are not finite."""
        values = np.asarray(features, np.float64)
        if len(values) < 2 or not np.isfinite(values).all():
            raise ValueError("moments need two or more finite feature vectors")
        return cls(values.mean(0), np.cov(values, rowvar=False))


class Standardised:
    """Moments of real features, each standardised by its own mean and deviation, and of others
    that are standardised by these too."""

    def __init__(self, real: Features) -> None:
        self.mean, self.deviation = real.mean(0), real.std(0)
        self.real = self.moments(real)

    def moments(self, features: Features) -> Moments:
        return Moments.of((features - self.mean) / (self.deviation + 1e-8))


def frechet(real: Moments, fake: Moments) -> float:
    """Fréchet distance of two Gaussians (Heusel et al. 2017), without SciPy: by eigh.

    The trace of the root of S1·S2 is that of the symmetric R·S2·R, R the root of S1.
    """
    values, vectors = np.linalg.eigh(real.covariance)
    root = vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T
    cross = np.linalg.eigvalsh(root @ fake.covariance @ root)
    traces = np.trace(real.covariance) + np.trace(fake.covariance)
    gap = real.mean - fake.mean
    distance = gap @ gap + traces - 2 * np.sqrt(np.clip(cross, 0, None)).sum()
    return float(max(distance, 0.0))


def kernel_distance(real: Features, fake: Features, block: int = 250) -> tuple[float, float]:
    """Kernel distance and its standard error, from disjoint blocks of real and fake vectors.

    It is the squared MMD with a cubic kernel, unbiased (Bińkowski et al. 2018).
    """
    real, fake = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    size = min(block, len(real), len(fake))
    count = min(len(real), len(fake)) // size
    blocks = [slice(i * size, (i + 1) * size) for i in range(count)]
    values = np.array([_mmd(real[b], fake[b]) for b in blocks])
    error = values.std(ddof=1) / np.sqrt(count) if count > 1 else float("nan")
    return float(values.mean()), float(error)


def _mmd(x: Features, y: Features) -> float:
    n, d = x.shape
    xx, yy, xy = ((a @ b.T / d + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = (xx.sum() - np.trace(xx) + yy.sum() - np.trace(yy)) / (n * (n - 1))
    return float(within - 2 * xy.mean())


def distances(x: Features, y: Features) -> Features:
    """Euclidean, N×M; in float32, around the mean of `x`, which is exact enough for neighbours."""
    centre = np.asarray(x, np.float64).mean(0)
    x, y = (np.asarray(v - centre, np.float32) for v in (x, y))
    squares = (x * x).sum(1)[:, None] + (y * y).sum(1)[None] - 2 * (x @ y.T)
    return np.sqrt(np.clip(squares, 0, None))


class Neighbourhood:
    """The real vectors' k-th neighbour balls and mean distances, computed once."""

    K = 5
    MOST = 1000  # vectors of each kind in a score

    @classmethod
    def of_first(cls, real: Features) -> Neighbourhood:
        """That of the first vectors, as many as a score compares."""
        return cls(real[: cls.MOST])

    def __init__(self, real: Features) -> None:
        self.real = real
        within = distances(real, real)
        np.fill_diagonal(within, 0)
        self.radii = np.partition(within, self.K, axis=1)[:, self.K]  # the nearest is itself
        self.mean_distance, self.nearest = _spread(within)

    def density_and_coverage(self, fake: Features) -> tuple[float, float]:
        """How often fakes lie in the real balls, and the share of balls that have one.

        Naeem et al. 2020. Density may exceed 1.
        """
        inside = distances(self.real, fake) <= self.radii[:, None]
        return float(inside.sum() / (self.K * inside.shape[1])), float(inside.any(1).mean())

    def measure(self, fake: Features) -> dict[str, float]:
        """Diversity, coverage, density, and what tells a collapse: see `equilibrium.flags`.

        modes: so many images would cover as much; distinct: the median distance to the nearest
        other, over that of the reals.
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
    """The mean distance of two vectors, and the median one of a vector to its nearest."""
    n = len(within)
    np.fill_diagonal(within, 0)
    mean = float(within.sum(dtype=np.float64) / (n * (n - 1)))
    np.fill_diagonal(within, np.inf)
    return mean, float(np.median(within.min(1)))


def pixel_variety(images: NDArray[np.uint8]) -> float:
    """The share of the pixels' variance that is between images, N×C×H×W; 0: all are the same.

    The rest is that of their mean image: a pattern that they have in common. It needs no features,
    which may see variety in the noise of a lattice that is always the same.
    """
    pixels = images.reshape(len(images), -1).astype(np.float32)
    mean = pixels.mean(0)
    between = float(pixels.var(0).sum())
    return between / max(between + float(((mean - mean.mean()) ** 2).sum()), 1e-9)


def class_shares(labels: NDArray[np.integer], classes: int) -> NDArray[np.float64]:
    """Share of each class."""
    return np.bincount(labels, minlength=classes) / max(1, len(labels))


def total_variation(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Half the sum of absolute differences of two distributions: 0 the same, 1 disjoint."""
    return float(np.abs(p - q).sum() / 2)
