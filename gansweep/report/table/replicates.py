"""Rows trained with several seeds: their spread, and which differences are more than chance."""

from __future__ import annotations

import itertools
import math
import random
from statistics import fmean, stdev, variance
from typing import Any

EXACT = 200_000  # arrangements up to which a permutation test is exact; else 20,000 are drawn
SIGNIFICANT = 0.05  # p of a difference that is called one


def spread(values: list[float], digits: int = 1) -> str:
    """`93.1 ± 4.2 (5)`: mean, standard deviation, number."""
    if not values:
        return "–"
    if len(values) == 1:
        return f"{values[0]:,.{digits}f} (1)"
    return f"{fmean(values):,.{digits}f} ± {stdev(values):,.{digits}f} ({len(values)})"


def difference_test(one: list[float], other: list[float]) -> float:
    """Two-sided p of a difference of means; of two values each at least.

    By permutations, which assume nothing, where there are enough to ever come below SIGNIFICANT:
    of three seeds against three there are only 20. With so few it is Welch's t-test.
    """
    least = (2 if len(one) == len(other) else 1) / math.comb(len(one) + len(other), len(one))
    return permutation_test(one, other) if least < SIGNIFICANT else welch_test(one, other)


def welch_test(one: list[float], other: list[float]) -> float:
    """Two-sided p of a difference of means of normal values (Welch 1947)."""
    from scipy.special import stdtr  # the t distribution; scipy.stats takes a second to import

    a, b = variance(one) / len(one), variance(other) / len(other)
    if a + b == 0:
        return float(one[0] == other[0])
    t = abs(fmean(one) - fmean(other)) / math.sqrt(a + b)
    freedom = (a + b) ** 2 / (a**2 / (len(one) - 1) + b**2 / (len(other) - 1))
    return float(2 * stdtr(freedom, -t))


def permutation_test(one: list[float], other: list[float]) -> float:
    """Two-sided p of a difference of means: how often do shuffled labels differ as much?

    Exact where there are few arrangements.
    """
    values, n = [*one, *other], len(one)
    total = math.fsum(values)
    seen = abs(fmean(one) - fmean(other)) * (1 - 1e-12)

    def differs(chosen: Any) -> bool:
        inside = math.fsum(chosen)
        return abs(inside / n - (total - inside) / (len(values) - n)) >= seen

    count = math.comb(len(values), n)
    if count <= EXACT:
        hits = sum(differs(chosen) for chosen in itertools.combinations(values, n))
        return hits / count
    dice = random.Random(0)
    hits = sum(differs(dice.sample(values, n)) for _ in range(20_000))
    return (hits + 1) / 20_001
