"""Tests of the plots of a search: exact expectations, and plots of all kinds of studies."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial
from PIL import Image

from gansweep.report.plots import study as study_plots
from gansweep.report.plots import style as axes
from gansweep.report.plots.study import expected_best, write_plots

ALL = ["history.png", "importance.png", "slices.png", "parallel.png", "budget.png"]
SPACE: dict[str, Any] = {
    "lr": FloatDistribution(1e-5, 1e-2, log=True),
    "beta1": FloatDistribution(0, 0.9),
    "z_dim": IntDistribution(16, 512, log=True),
    "depth": IntDistribution(1, 4),
    "gen": CategoricalDistribution(["5", "7", "resnet"]),
    "batch_size": CategoricalDistribution([16, 32, 64]),
    "slope": CategoricalDistribution([0.1, 0.2]),
    "spectral_norm": CategoricalDistribution([True, False, None]),
}
MOMENTUM = FloatDistribution(0, 0.99)


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)


def add(
    study: optuna.Study,
    values: float | list[float] | None,
    params: dict[str, Any],
    space: dict[str, Any] = SPACE,
    violation: float | None = None,
    **more: Any,
) -> None:
    if values is not None:
        more["values"] = values if isinstance(values, list) else [values]
    if violation is not None:  # All versions of Optuna read this form.
        more["system_attrs"] = {"constraints": [violation]}
    kinds = {name: {**space, "momentum": MOMENTUM}[name] for name in params}
    study.add_trial(create_trial(params=params, distributions=kinds, **more))


def draw(rng: np.random.Generator, space: dict[str, Any] = SPACE) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for name, kind in space.items():
        if isinstance(kind, CategoricalDistribution):
            params[name] = kind.choices[rng.integers(len(kind.choices))]
        elif isinstance(kind, IntDistribution):
            params[name] = int(rng.integers(kind.low, kind.high + 1))
        else:
            params[name] = float(rng.uniform(kind.low, kind.high))
    return params


def mixed(n: int, direction: str = "minimize", scale: float = 1.0) -> optuna.Study:
    """Return a study of a conditional space, with trials of all states."""
    rng, study = np.random.default_rng(3), optuna.create_study(direction=direction)
    for i in range(n):
        params = draw(rng)
        if i % 3 == 0:
            params["momentum"] = float(rng.uniform(0, 0.99))
        score = scale * (10 + 40 * abs(math.log10(params["lr"]) + 3) + rng.uniform())
        if i % 10 == 3:
            reports = {1: 3 * score, 2: 2 * score} if i % 20 == 3 else {}
            add(study, None, params, state=TrialState.PRUNED, intermediate_values=reports)
        elif i % 10 == 7:
            add(study, None, {}, state=TrialState.FAIL)
        else:
            add(study, score, params, violation=1.0 if i % 10 == 5 else -1.0)
    study.enqueue_trial({"lr": 1e-3})
    return study


def plain(values: Iterable[float]) -> optuna.Study:
    """Return a study with complete trials of two parameters."""
    rng, study = np.random.default_rng(0), optuna.create_study()
    for value in values:
        add(study, value, draw(rng, {name: SPACE[name] for name in ("lr", "gen")}))
    return study


def check(folder: Path, pictures: list[tuple[str, str]], names: list[str]) -> None:
    """Check that exactly the named pictures exist, in order and with reasonable sizes."""
    assert [name for _, name in pictures] == names
    assert sorted(path.name for path in folder.glob("*")) == sorted(names)
    for alt, name in pictures:
        assert alt
        with Image.open(folder / name) as image:
            assert 880 <= image.width <= 920
            assert 120 <= image.height <= 2500
            assert len(image.convert("RGB").getcolors(1 << 24) or []) > 10
        assert 2_000 < (folder / name).stat().st_size < 300_000


@pytest.mark.parametrize("minimize", [True, False])
@pytest.mark.parametrize("values", [[3.0], [2.0, 2.0, 2.0], [5.0, -1.0, 4.0, 4.0, 0.5, 7.25, 2.0]])
def test_the_expected_best_and_its_band_are_those_of_all_draws(
    values: list[float], minimize: bool
) -> None:
    better = min if minimize else max
    draws = [
        sorted(map(better, itertools.combinations(values, k)), reverse=not minimize)
        for k in range(1, len(values) + 1)
    ]
    means = [sum(bests) / len(bests) for bests in draws]
    assert expected_best(values, minimize) == pytest.approx(means, rel=1e-12)
    # The band has the first values from the best that a tenth and nine tenths of the draws reach.
    ranks = [[-(-len(bests) * q // 10) - 1 for q in (1, 9)] for bests in draws]
    band = [tuple(bests[i] for i in pair) for bests, pair in zip(draws, ranks, strict=True)]
    assert study_plots._band(values, minimize) == band


def test_the_expected_best_is_the_formula_for_many_trials() -> None:
    values = np.random.default_rng(0).lognormal(size=300)
    n, x = len(values), sorted(values)
    got = expected_best(list(values), True)
    for k in (1, 2, 17, 150, 299, 300):
        weights = [math.comb(n - i, k - 1) / math.comb(n, k) for i in range(1, n - k + 2)]
        assert got[k - 1] == pytest.approx(sum(w * v for w, v in zip(weights, x, strict=False)))
    assert got[-1] == min(values)
    assert expected_best([], True) == []


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_a_mixed_study_is_drawn(tmp_path: Path, direction: str) -> None:
    study = mixed(40, direction)
    pictures = write_plots(study, tmp_path / "plots", "FD (LeNet)")
    check(tmp_path / "plots", pictures, ALL)
    best = study.best_trial
    assert pictures[0][0].endswith(f"{best.value:.3g}, is that of trial {best.number}")
    assert pictures[1][0].endswith("first lr")


def test_infeasible_trials_are_never_the_best() -> None:
    study = optuna.create_study()
    for value, violation in ((5.0, None), (1.0, 0.5), (3.0, 0.0), (2.0, 1e-9)):
        add(study, value, {"beta1": 0.5}, violation=violation)
    search = study_plots._Search(study, study.trials, ["FD (LeNet)"])
    assert [trial.number for trial in search.feasible] == [0, 2]
    assert search.best is not None
    assert search.best.number == 2


@pytest.mark.skipif(not hasattr(optuna.Trial, "set_constraint"), reason="Optuna 5's own form")
def test_named_constraints_are_read() -> None:
    study = optuna.create_study()
    for violation in (-1.0, 1.0):
        trial = study.ask()
        trial.set_constraint("collapsed", violation)
        study.tell(trial, 1.0)
    assert [study_plots._feasible(trial) for trial in study.trials] == [True, False]


def test_only_infeasible_trials_are_drawn(tmp_path: Path) -> None:
    study = optuna.create_study()
    for i in range(3):
        add(study, float(i), {"beta1": 0.1 * i}, violation=1.0)
    names = ["history.png", "slices.png", "parallel.png"]
    check(tmp_path, write_plots(study, tmp_path, "FD (LeNet)"), names)


def test_one_trial_is_drawn(tmp_path: Path) -> None:
    names = ["history.png", "slices.png", "parallel.png", "budget.png"]
    check(tmp_path, write_plots(plain([3.0]), tmp_path, "FD (LeNet)"), names)


def test_equal_values_are_drawn(tmp_path: Path) -> None:
    pictures = write_plots(plain([0.0] * 10), tmp_path, "FD (LeNet)")
    check(tmp_path, pictures, [name for name in ALL if name != "importance.png"])


def test_a_study_without_parameters_is_drawn(tmp_path: Path) -> None:
    study = optuna.create_study()
    add(study, 1.0, {})
    check(tmp_path, write_plots(study, tmp_path, "FD (LeNet)"), ["history.png", "budget.png"])


def test_a_study_without_complete_trials_has_no_plots_and_old_ones_are_removed(
    tmp_path: Path,
) -> None:
    study = optuna.create_study()
    assert write_plots(study, tmp_path / "plots", "FD (LeNet)") == []
    (tmp_path / "history.png").write_bytes(b"an earlier call's")
    (tmp_path / "row0-number.png").write_bytes(b"someone else's")
    add(study, None, {"beta1": 0.5}, state=TrialState.PRUNED, intermediate_values={1: 2.0})
    add(study, None, {"beta1": 0.5}, state=TrialState.FAIL)
    add(study, math.inf, {"beta1": 0.5})
    assert write_plots(study, tmp_path, "FD (LeNet)") == []
    assert [path.name for path in tmp_path.iterdir()] == ["row0-number.png"]


def test_wide_values_get_a_logarithmic_axis(tmp_path: Path) -> None:
    assert axes.spanned_scale("FD (LeNet)", [1.0, 21.0]).log
    assert not axes.spanned_scale("FD (LeNet)", [1.0, 19.0]).log
    assert not axes.spanned_scale("FD (LeNet)", [-1.0, 21.0]).log
    assert not axes.spanned_scale("FD (LeNet)", [0.0, 21.0]).log
    check(tmp_path, write_plots(plain(10.0**i for i in range(-3, 9)), tmp_path, "FD (LeNet)"), ALL)


def test_conditional_parameters_and_importance(tmp_path: Path) -> None:
    """A parameter of some trials is drawn for these trials, and has no importance."""
    rng, study = np.random.default_rng(0), optuna.create_study()
    for i in range(10):
        params = {"beta1": float(rng.uniform(0, 0.9))}
        add(study, 9.0 + i, params | ({"momentum": 0.1 * i} if i % 2 else {}))
    pictures = write_plots(study, tmp_path, "FD (LeNet)")
    check(tmp_path, pictures, [name for name in ALL if name != "importance.png"])


def test_a_failing_importance_evaluator_affects_only_its_plot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("no")

    monkeypatch.setattr(optuna.importance, "get_param_importances", fail)
    pictures = write_plots(plain(range(9)), tmp_path, "FD (LeNet)")
    check(tmp_path, pictures, [name for name in ALL if name != "importance.png"])


def test_long_and_unusual_names_are_drawn(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    long = "discriminator.optimizer.very_long_name_of_a_parameter_" * 3
    space: dict[str, Any] = {
        long: FloatDistribution(0, 1),
        "cost $x_ in $": FloatDistribution(-1e9, 1e9),
        "two\nlines": CategoricalDistribution([f"choice {i} $ " * 5 for i in range(30)]),
    }
    rng, study = np.random.default_rng(0), optuna.create_study()
    for i in range(12):
        add(study, -1e6 * i, draw(rng, space), space)
    check(tmp_path, write_plots(study, tmp_path, "Fréchet $distance_ of $" * 9), ALL)
    assert not [warning for warning in recwarn if warning.category is UserWarning]


@pytest.mark.parametrize("directions", [["minimize", "minimize"], ["minimize", "maximize"]])
def test_two_objectives_are_drawn(tmp_path: Path, directions: list[Any]) -> None:
    study = optuna.create_study(directions=directions)
    sign = 1 if directions[1] == "minimize" else -1
    points = [(1, 9), (2, 5), (3, 6), (4, 2), (5, 2), (9, 1), (0.5, 0.5)]
    for i, (x, y) in enumerate(points):
        violation = 1.0 if i == len(points) - 1 else -1.0
        add(study, [float(x), sign * float(y)], {"beta1": 0.1 * i}, violation=violation)
    pictures = write_plots(study, tmp_path, "FD (LeNet) / minutes")
    check(tmp_path, pictures, ["pareto.png", "slices.png"])
    assert pictures[0][0] == "FD (LeNet) and minutes of every trial; the Pareto front has 4 points"
    assert pictures[1][0].startswith("FD (LeNet) by")


@pytest.mark.parametrize(
    ("violation", "says"),
    [
        (-1.0, "the Pareto front has 1 point"),
        (1.0, "the Pareto front has no point, as no trial is alive"),
    ],
)
def test_the_size_of_a_small_pareto_front_is_in_words(
    violation: float, says: str, tmp_path: Path
) -> None:
    study = optuna.create_study(directions=["minimize", "minimize"])
    add(study, [1.0, 2.0], {"beta1": 0.1}, violation=violation)
    assert write_plots(study, tmp_path, "FD (LeNet) / minutes")[0][0].endswith(says)


def test_three_objectives_are_drawn(tmp_path: Path) -> None:
    study = optuna.create_study(directions=["minimize"] * 3)
    add(study, [1.0, 2.0, 3.0], {"beta1": 0.1})
    check(tmp_path, write_plots(study, tmp_path, "a / b / c"), ["slices.png"])


def test_importing_is_cheap_and_pyplot_is_not_touched(tmp_path: Path) -> None:
    code = f"""if True:
        import pathlib, sys
        from gansweep.report.plots.study import write_plots
        assert not {{"optuna", "matplotlib"}} & set(sys.modules)
        import optuna
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study()
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), 2)
        assert write_plots(study, pathlib.Path({str(tmp_path)!r}), "FD (LeNet)")
        assert "matplotlib.pyplot" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
