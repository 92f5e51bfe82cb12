"""Distances and diversities of two sets of feature vectors: pure functions of two arrays.

Everywhere `real` and `fake` are float arrays N×d and M×d of the same feature net.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gansweep.plugins import DATASETS, METRICS

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


@METRICS.register("swd", direction="minimize", digits=1, label="SWD")
def swd(real: Features, fake: Features) -> float:
    """Sliced Wasserstein distance of patches at every scale, uint8 images (Karras et al. 2018)"""
    import torch

    from gansweep.training.metrics.pyramid import sliced_wasserstein

    return sliced_wasserstein(torch.from_numpy(real), torch.from_numpy(fake))


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


def _fd(real: Features, fake: Features) -> float:
    return frechet(Moments.of(real), Moments.of(fake))


def _kd(real: Features, fake: Features) -> float:
    return kernel_distance(real, fake)[0]


# The features in which distances are taken: names of the Fréchet and of the kernel distance, their
# labels, and what they are called in a sentence. Only Inception's are called FID and KID.
SPACES = (
    ("fd_lenet", "FD (LeNet)", "kd_lenet", "KD (LeNet)",
     "the features of a small digit classifier"),
    ("fd_random", "FD (random)", "kd_random", "KD (random)",
     "random-convolution features, for any images (Naeem et al. 2020)"),
    ("fid", "FID", "kid", "KID", "Inception's features (Heusel et al. 2017)"),
    ("fd_dinov2", "FD (DINOv2)", "kd_dinov2", "KD (DINOv2)",
     "DINOv2's features (Stein et al. 2023)"),
)  # fmt: skip
PUBLISHED = {"inception": "fid", "dinov2": "fd_dinov2"}  # what judge= adds at the end of a run
KERNEL = {fd: kd for fd, _, kd, _, _ in SPACES}  # the kernel distance in a Fréchet one's features


def _name_distances() -> None:
    for fd, fd_label, kd, kd_label, space in SPACES:
        for name, label, kind, measure, digits in (
            (fd, fd_label, "Fréchet", _fd, 1), (kd, kd_label, "kernel", _kd, 4),
        ):  # fmt: skip
            METRICS.register(
                name, direction="minimize", digits=digits, label=label,
                help=f"{kind} distance in {space}",
            )(measure)  # fmt: skip


_name_distances()


def metrics_of(data_set: str) -> tuple[str, str]:
    """The primary metric and the second opinion: by LeNet for digits, else by random nets."""
    digits = DATASETS[data_set].digits
    return ("fd_lenet", "fd_random") if digits else ("fd_random", "swd")


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
