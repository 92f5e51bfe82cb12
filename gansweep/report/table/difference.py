"""Is the difference of two rows real? A test, the noise floor, and the seeds that it would take.

The test is that of the tables (`replicates.difference_test`). It is a permutation test of the
means: it needs no normal distribution, which the skewed distances of seeds do not have, and it is
exact if the two rows have the same distribution. Where so few values have too few arrangements for
a p below 0.05, it is Welch's t-test, which does not assume equal variances. The interval, the noise
floor and the number of seeds come from Welch's statistic, as they need a model of the values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean, variance

from gansweep.report.table.replicates import SIGNIFICANT, difference_test, has_arrangements

POWER = 0.8  # the probability with which the needed seeds would find a difference of this size
FEW = 5  # seeds with fewer permutations than the formula's test has values
MOST_SEEDS = 1000  # a larger number is given as "more than"
BETTER, WORSE, TIE = "better", "worse", "tie"


@dataclass(frozen=True)
class Difference:
    """The comparison of the values of two rows, A and B.

    verdict: whether A is BETTER or WORSE than B, or a TIE; difference: mean of B minus mean of A,
    so that it is positive if A has less; low, high: its 95 % interval (Welch); p, test: the
    two-sided p, and the test that it comes from; floor: the least difference that would be
    significant with this spread and these numbers of seeds; needed: seeds of each row with which a
    difference of this size would be found with probability POWER, None for more than MOST_SEEDS.
    """

    verdict: str
    difference: float
    low: float
    high: float
    p: float
    test: str
    floor: float
    needed: int | None


def compare(one: list[float], other: list[float], sign: int = 1) -> Difference | None:
    """Return the comparison of the values of two rows; None if one has fewer than two values.

    sign: 1 if less is better, −1 if more is.
    """
    if len(one) < 2 or len(other) < 2:
        return None
    p = difference_test(one, other)
    difference = fmean(other) - fmean(one)
    floor = _floor(one, other)
    verdict = TIE
    if p < SIGNIFICANT:
        verdict = BETTER if sign * difference > 0 else WORSE
    return Difference(
        verdict, difference, difference - floor, difference + floor, p,
        "permutation test" if has_arrangements(len(one), len(other)) else "Welch's t-test",
        floor, seeds_needed(math.sqrt((variance(one) + variance(other)) / 2), difference),
    )  # fmt: skip


def _floor(one: list[float], other: list[float]) -> float:
    """Return half of Welch's 95 % interval (Welch 1947)."""
    from scipy.special import stdtrit  # scipy.stats takes a second to import

    a, b = variance(one) / len(one), variance(other) / len(other)
    if a + b == 0:
        return 0.0
    freedom = (a + b) ** 2 / (a**2 / (len(one) - 1) + b**2 / (len(other) - 1))
    return float(stdtrit(freedom, 1 - SIGNIFICANT / 2)) * math.sqrt(a + b)


def seeds_needed(deviation: float, difference: float) -> int | None:
    """Return the seeds of each row that find a difference with probability POWER.

    deviation: the standard deviation over the seeds of a row. The formula is that of a two-sided
    t-test of two groups, with Guenther's correction for small groups (1981), and one more seed for
    the smallest, of which there are few permutations. Returns None for more than MOST_SEEDS.
    """
    from scipy.special import ndtri

    if difference == 0:
        return None
    alpha, beta = float(ndtri(1 - SIGNIFICANT / 2)), float(ndtri(POWER))
    effect = abs(difference) / deviation if deviation else math.inf
    needed = 2 * ((alpha + beta) / effect) ** 2 + alpha**2 / 4
    if needed > MOST_SEEDS:
        return None
    return math.ceil(needed) + (needed < FEW)
