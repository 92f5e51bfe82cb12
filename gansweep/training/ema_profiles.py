"""Combine averages of weights over a training into an average of another length.

This is the post-hoc EMA of Karras et al. 2024 (EDM2, arXiv 2312.02696, section 3 and appendix C).
An average at time t weights the weights θ(τ) of each earlier time τ by its profile
p(τ) = (γ + 1) τ^γ / t^(γ + 1). Its length is the standard deviation of the profile divided by t
(their σ_rel), so an average of length 0.1 looks back over about a tenth of the training. A weighted
sum of averages is an average too, whose profile is the weighted sum of their profiles.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gansweep.store.check import is_number
from gansweep.store.errors import UserError

Floats = NDArray[np.float64]

TRACKED = (0.02, 0.2)  # A run with post_hoc_ema keeps running averages of these lengths.
JUDGED = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)  # The judge measures these lengths.
SHORTEST, LONGEST = 0.005, 0.2
MOST_ERROR = 0.05  # A length whose profile has a larger relative error is refused.
# Between two snapshots the profile of a sum of averages is a τ^γ₁ + b τ^γ₂ with any a and b, where
# γ₁ and γ₂ belong to TRACKED. This fits the profile of another length well where that changes by a
# factor of e at most, which the profile of length σ does within about σ of the end. So the
# snapshots are dense near the end: t / (T − t) grows by a constant factor from FIRST to LAST, where
# t is the time and T the end. With these numbers the error of all lengths is at most 2.7 %, and the
# sizes of the factors of the averages add up to 310 at most, so rounding errors stay small. The
# paper tracks 0.05 and 0.1 for lengths up to 0.25, with many more snapshots; with these few, the
# factors of the shortest length would then add up to 800, and the error of 0.2 would be 10 %.
FIRST, LAST, SNAPSHOTS = 1, 199, 11


@functools.cache
def exponent(length: float) -> float:
    """Return γ of the profile of a length (their algorithm 2)."""
    square = length**-2
    return float(np.roots([1, 7, 16 - square, 12 - square]).real.max())


def snapshot_steps(total: int) -> list[int]:
    """Return the steps, 1 to `total`, after which the averages of a run of `total` steps are kept.

    There are at most SNAPSHOTS + 1 steps, and the last one is `total`.
    """
    odds: list[float] = np.geomspace(FIRST, LAST, SNAPSHOTS).tolist()
    return sorted({round(total * each / (1 + each)) for each in odds} - {0} | {total})


def decay(length: float, now: float, since: float) -> float:
    """Return the factor β of an average at time `now`, if its last update was `since` ago.

    The average becomes β · average + (1 − β) · weights. After updates at each multiple of `since`,
    the weights of time τ count by the integral of the profile from τ − `since` to τ.
    """
    return (1 - since / now) ** (exponent(length) + 1)


def solve(
    ends: Sequence[float], lengths: Sequence[float], end: float, length: float
) -> tuple[Floats, float]:
    """Return the factors of averages whose sum is nearest to the average of `length` at `end`.

    ends and lengths: the time and the length of each of the n averages; end: at least the largest
    time. Returns n factors, whose sum is 1, and the error: the L2 norm of the difference of the
    profiles, divided by that of the wanted profile (their algorithm 3).
    """
    times = np.asarray(ends, float) / end
    exponents = np.array([exponent(each) for each in lengths])
    wanted = np.array([1.0]), np.array([exponent(length)])
    products = _products(times, exponents, times, exponents)
    # Profiles of norm 1 make the equations well conditioned. lstsq allows equal profiles.
    norms = np.sqrt(np.diag(products))
    products /= np.outer(norms, norms)
    targets = _products(times, exponents, *wanted)[:, 0] / norms
    factors = np.linalg.lstsq(products, targets, rcond=None)[0] / norms
    factors /= factors.sum()
    scaled = factors * norms
    square = float(_products(*wanted, *wanted)[0, 0])
    error = float(scaled @ products @ scaled - 2 * scaled @ targets) + square
    return factors, float(np.sqrt(max(error, 0.0) / square))


def _products(ends: Floats, exponents: Floats, others: Floats, of_others: Floats) -> Floats:
    """Return the integrals of the products of profiles, n × m, in closed form."""
    t, u = ends[:, None], others[None, :]
    p, q = exponents[:, None], of_others[None, :]
    later = np.maximum(t, u)
    ratio = np.minimum(t, u) / later
    found: Floats = (p + 1) * (q + 1) / (p + q + 1) * ratio ** np.where(t < u, q, p) / later
    return found


def check_length(length: object) -> float:
    """Return the length of an average, if it is valid. Raises UserError if it is not."""
    if not is_number(length) or not SHORTEST <= length <= LONGEST:  # type: ignore[operator]
        raise UserError(
            f"ema={length}: the length of an average is a number from {SHORTEST} to {LONGEST} (its "
            "standard deviation as a share of the training)"
        )
    return float(length)  # type: ignore[arg-type]
