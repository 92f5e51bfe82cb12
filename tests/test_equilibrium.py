"""Tests on simulated curves: the best step (equilibrium), labels, flags and rare false alarms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gansweep.training.metrics.equilibrium import (
    Equilibrium,
    Evaluation,
    Tracker,
    evidence,
    flags,
    is_collapsing,
    smoothed,
)

EVALUATIONS = 40


def improving(n: int = EVALUATIONS) -> np.ndarray:
    """Return a curve that falls to its end."""
    return 100 * np.exp(-np.arange(n) / 8) + 20 - 0.4 * np.arange(n)


def u_shaped(n: int = EVALUATIONS, best: int = 14) -> np.ndarray:
    """Return a curve that falls to its best evaluation and then rises to three times the best."""
    x = np.arange(n)
    falling = 10 + 90 * ((best - x).clip(0) / best) ** 1.5
    rising = 20 * ((x - best).clip(0) / (n - 1 - best)) ** 0.9
    return falling + rising


def plateau(n: int = EVALUATIONS, start: int = 12) -> np.ndarray:
    return 10 + 90 * ((start - np.arange(n)).clip(0) / start) ** 1.5


def collapsing(n: int = EVALUATIONS, at: int = 20) -> np.ndarray:
    """Return a plateau that jumps to six times its value at the evaluation `at`."""
    curve = plateau(n)
    curve[at:] = 60
    return curve


def noisy(curve: np.ndarray, share: float, seed: int) -> np.ndarray:
    return curve * np.exp(np.random.default_rng(seed).normal(0, share, len(curve)))


def track(values: np.ndarray) -> Tracker:
    tracker = Tracker()
    for step, value in enumerate(values):
        tracker.add(Evaluation(step * 10, float(value)))
    return tracker


def found(values: np.ndarray) -> Equilibrium:
    equilibrium = track(values).equilibrium()
    assert equilibrium is not None
    return equilibrium


def best_range(curve: np.ndarray) -> tuple[int, int]:
    """Return the first and last evaluation at which the curve is within 5 % of its best."""
    near = np.flatnonzero(curve <= curve.min() * 1.05)
    return int(near[0]), int(near[-1])


@pytest.mark.parametrize("share", [0.05, 0.15])
@pytest.mark.parametrize("make", [improving, u_shaped, plateau, collapsing])
def test_the_equilibrium_is_found_within_two_evaluations(make, share: float) -> None:  # type: ignore[no-untyped-def]
    """At 5 % noise all simulations find the range of the best, at 15 % noise nine of ten do."""
    curve = make()
    first, last = best_range(curve)
    misses = 0
    for seed in range(200):
        best = found(noisy(curve, share, seed)).step // 10
        misses += not first - 2 <= best <= last + 2
    assert misses <= (0 if share == 0.05 else 20)


@pytest.mark.parametrize(
    ("curve", "label"),
    [
        (improving(), "still improving"),
        (u_shaped(), "degraded after"),
        (plateau(), "plateau"),
        (collapsing(), "degraded after"),
    ],
)
def test_labels(curve: np.ndarray, label: str) -> None:
    assert found(curve).label == label
    right = sum(found(noisy(curve, 0.05, seed)).label == label for seed in range(100))
    # Noise may put the minimum of a plateau near the end.
    assert right >= (60 if label == "plateau" else 95)


def test_false_alarms_are_rare() -> None:
    """At 15 % noise, fewer than 1 % of sound curves are called diverged."""
    alarms = 0
    for seed in range(1000):
        curve = (improving(), plateau())[seed % 2]
        tracker = Tracker()
        for step, value in enumerate(noisy(curve, 0.15, seed)):
            tracker.add(Evaluation(step, float(value)))
            if tracker.diverged():  # Early stopping checks this after each evaluation.
                alarms += 1
                break
    assert alarms < 10


def test_a_divergence_is_found_within_five_evaluations() -> None:
    tracker = Tracker()
    for step, value in enumerate(noisy(collapsing(at=20), 0.05, 1)):
        tracker.add(Evaluation(step, float(value)))
        if tracker.diverged():
            assert 22 <= step <= 25
            return
    pytest.fail("the divergence was not found")


def test_nan_is_never_the_best_and_causes_no_error() -> None:
    tracker = track(np.array([100.0, 50, 20, math.nan, math.nan]))
    assert tracker.best is not None
    assert tracker.best.step == 20
    assert track(np.array([math.nan])).equilibrium() is None
    assert smoothed([3, 1, 2, 9]) == [3, 2, 2, 2]


def test_a_single_outlier_is_not_the_best() -> None:
    tracker = track(np.array([100.0, 50, 40, 40, 12, 40, 39, 38]))
    assert tracker.best is not None
    assert tracker.best.step != 40


def evaluations(values: list[float], **facts: list[float]) -> list[Evaluation]:
    return [
        Evaluation(i * 10, v, {k: series[i] for k, series in facts.items()})
        for i, v in enumerate(values)
    ]


FINE = [100.0, 60, 40, 30, 25, 24]  # This run is still improving.


SOUND = {"diversity": 0.9, "variety": 0.95, "coverage": 0.5, "modes": 80, "distinct": 1.1}
STALE = [100.0, 98, 97, 99, 96, 95]


@pytest.mark.parametrize(
    ("evaluations", "score", "expected"),
    [
        (evaluations(FINE), {}, []),
        (evaluations(STALE), {"coverage": 0}, ["never started"]),
        # These images are far away, but cover real images.
        (evaluations(STALE), {"coverage": 0.3}, []),
        (evaluations([100, 20, 20, 70, 75, 80, 85, 90, 95]), {}, ["diverged"]),
        (evaluations(FINE), {"diversity": 0.2}, ["collapse"]),
        (evaluations(FINE), {"variety": 0.5}, ["collapse"]),
        (evaluations(FINE), {"modes": 8, "distinct": 0.2}, ["collapse"]),  # copies with some noise
        (evaluations(FINE), {"modes": 8, "distinct": 1.0}, []),  # Blurred images cover little.
        # These are the values of sixteen noisy heads of 128×128 pixels, which all differ.
        (evaluations(FINE), {"modes": 12, "distinct": 0.66}, []),
        # Images without the noise of the real ones: they cover nothing, and all of them differ.
        (evaluations(FINE), {"modes": 0.3, "diversity": 0.64, "distinct": 0.34}, []),
        (evaluations(STALE), {"coverage": 0, "variety": 0.1}, ["never started", "collapse"]),
        (evaluations(FINE), {"copied": 0.8}, ["memorised"]),
        (
            evaluations([100, 20, 21, 22, 23, 24], d_saturated=[0, 0, 0.95, 0.95, 1, 1]),
            {},
            ["discriminator"],
        ),
        (evaluations(FINE, d_saturated=[1.0] * 6), {}, []),
    ],
)
def test_flags(evaluations: list[Evaluation], score: dict[str, float], expected: list[str]) -> None:
    assert flags(evaluations, 50, SOUND | score) == expected


@pytest.mark.parametrize(
    ("flag", "score", "says"),
    [
        ("collapse", {"diversity": 0.2}, "diversity 0.2, under 0.3"),
        ("collapse", {"variety": 0.5}, "variety 0.5, under 0.6"),
        ("collapse", {"modes": 8, "distinct": 0.18}, "8 images would cover as much, and nearest"),
        ("never started", {"coverage": 0.01}, "the images cover 0.01 of the real ones, under 0.05"),
        ("memorised", {"copied": 0.8}, "80% of the images are copies"),
        ("collapse", {}, ""),  # an earlier version had another rule
    ],
)
def test_a_flag_has_evidence(flag: str, score: dict[str, float], says: str) -> None:
    found = evidence(flag, SOUND | score)
    assert found.startswith(says)
    assert bool(found) == bool(says)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"diversity": [1, 1, 1, 0.2, 0.2, 0.2]}, True),
        ({"diversity": [1, 1, 1, 1, 0.2, 1]}, False),
        ({"variety": [1, 1, 1, 0.5, 0.5, 0.5]}, True),
        # The diversity grows at the beginning of the training.
        ({"diversity": [0, 0.1, 0.1, 0.1, 0.1, 0.2]}, False),
        ({"modes": [160.0, 160, 9, 8, 9, 9], "distinct": [1, 1, 0, 0, 0, 0]}, True),
    ],
)
def test_a_search_stops_collapsing_runs(facts: dict[str, list[float]], expected: bool) -> None:
    assert is_collapsing(evaluations(FINE, **facts), 50) == expected
    assert not is_collapsing(evaluations(FINE[:2], **{k: v[-2:] for k, v in facts.items()}), 1000)


def test_no_flag_is_set_in_the_first_tenth_of_the_steps() -> None:
    assert flags(evaluations([100, 100, 100]), 1000, {"diversity": 0}) == []
