"""Statistics of rows with several seeds: the spread, and tests for significant differences."""

from __future__ import annotations

import itertools
import math
import random
from statistics import fmean, stdev, variance
from typing import Any

EXACT = (
    200_000  # a permutation test tries all arrangements up to this number, else DRAWN random ones
)
DRAWN = 20_000
SIGNIFICANT = 0.05  # a difference with a smaller p is significant


def spread(values: list[float], digits: int = 1) -> str:
    """Return mean ± standard deviation (number of values), for example `93.1 ± 4.2 (5)`."""
    if not values:
        return "–"
    if len(values) == 1:
        return f"{values[0]:,.{digits}f} (1)"
    return f"{fmean(values):,.{digits}f} ± {stdev(values):,.{digits}f} ({len(values)})"


def difference_test(one: list[float], other: list[float]) -> float:
    """Return the two-sided p of a difference of means. Each list needs at least two values.

    A permutation test needs no normal distribution, but enough arrangements for a p below
    SIGNIFICANT: three values against three have only 20. In such cases Welch's t-test is used.
    """
    permuted = has_arrangements(len(one), len(other))
    return permutation_test(one, other) if permuted else welch_test(one, other)


def has_arrangements(one: int, other: int) -> bool:
    """Return whether so many values have enough arrangements for a p below SIGNIFICANT."""
    return (2 if one == other else 1) / math.comb(one + other, one) < SIGNIFICANT


def welch_test(one: list[float], other: list[float]) -> float:
    """Return the two-sided p of a difference of means, for normal values (Welch 1947)."""
    from scipy.special import stdtr  # the t distribution; scipy.stats takes a second to import

    a, b = variance(one) / len(one), variance(other) / len(other)
    if a + b == 0:
        return float(one[0] == other[0])
    t = abs(fmean(one) - fmean(other)) / math.sqrt(a + b)
    freedom = (a + b) ** 2 / (a**2 / (len(one) - 1) + b**2 / (len(other) - 1))
    return float(2 * stdtr(freedom, -t))


def permutation_test(one: list[float], other: list[float]) -> float:
    """Return the two-sided p of a difference of means, by permutations of the group labels.

    The test is exact for up to EXACT arrangements, and random with a fixed seed for more.
    """
    values, n = [*one, *other], len(one)
    total = math.fsum(values)
    observed = abs(fmean(one) - fmean(other)) * (1 - 1e-12)

    def differs(chosen: Any) -> bool:
        inside = math.fsum(chosen)
        return abs(inside / n - (total - inside) / (len(values) - n)) >= observed

    count = math.comb(len(values), n)
    if count <= EXACT:
        hits = sum(differs(chosen) for chosen in itertools.combinations(values, n))
        return hits / count
    generator = random.Random(0)
    hits = sum(differs(generator.sample(values, n)) for _ in range(DRAWN))
    return (hits + 1) / (DRAWN + 1)
