"""Distances and diversities of two sets of feature vectors: pure functions of two arrays.

Everywhere `real` and `fake` are float arrays N×d and M×d of the same feature net.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gansweep.registry import Registry

Features = NDArray[np.floating]

METRICS = Registry("metric")


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


@METRICS.register("fld", direction="minimize", digits=1, label="FLD")
def fld(real: Features, fake: Features) -> float:
    """Fréchet distance in the features of a small digit classifier (LeNet)"""
    return frechet(Moments.of(real), Moments.of(fake))


@METRICS.register("rfd", direction="minimize", digits=1, label="RFD")
def rfd(real: Features, fake: Features) -> float:
    """Fréchet distance in random-convolution features, for any images (Naeem et al. 2020)"""
    return frechet(Moments.of(real), Moments.of(fake))


@METRICS.register("fid", direction="minimize", digits=1, label="FID")
def fid(real: Features, fake: Features) -> float:
    """Fréchet distance in Inception's features, as papers print it (Heusel et al. 2017)"""
    return frechet(Moments.of(real), Moments.of(fake))


@METRICS.register("swd", direction="minimize", digits=1, label="SWD")
def swd(real: Features, fake: Features) -> float:
    """Sliced Wasserstein distance of patches at every scale, uint8 images (Karras et al. 2018)"""
    import torch

    from gansweep.judge.pyramid import sliced_wasserstein

    return sliced_wasserstein(torch.from_numpy(real), torch.from_numpy(fake))


@METRICS.register("kid", direction="minimize", digits=4, label="KID")
def kid(real: Features, fake: Features) -> float:
    """Kernel distance: squared MMD with a cubic kernel, unbiased (Bińkowski et al. 2018)"""
    return kid_with_error(real, fake)[0]


def kid_with_error(real: Features, fake: Features, block: int = 250) -> tuple[float, float]:
    """KID and its standard error, from disjoint blocks of real and fake vectors."""
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


@METRICS.register("coverage", direction="maximize", digits=2, label="coverage")
def coverage(real: Features, fake: Features) -> float:
    """Share of the real images that have a generated one near (k = 5)"""
    return Neighbourhood(real).density_and_coverage(fake)[1]


@METRICS.register("density", direction="maximize", digits=2, label="density")
def density(real: Features, fake: Features) -> float:
    """How crowded the generated images are where the real ones are (k = 5)"""
    return Neighbourhood(real).density_and_coverage(fake)[0]


@METRICS.register("diversity", direction="maximize", digits=2, label="diversity")
def diversity(real: Features, fake: Features) -> float:
    """Mean distance between two generated images, over that between two real ones"""
    return Neighbourhood(real).measure(fake)["diversity"]


def class_shares(labels: NDArray[np.integer], classes: int) -> NDArray[np.float64]:
    """Share of each class."""
    return np.bincount(labels, minlength=classes) / max(1, len(labels))


def total_variation(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Half the sum of absolute differences of two distributions: 0 the same, 1 disjoint."""
    return float(np.abs(p - q).sum() / 2)
