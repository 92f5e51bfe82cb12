"""Tests of the pruning of trials with two objectives, by fronts at the rungs."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import optuna
import pytest
from conftest import Cli, one_line_error
from optuna.trial import TrialState

from gansweep.report.stored_study import read_study
from gansweep.report.table.pareto import pareto_front
from gansweep.search.rungs import FrontPruner, dominates, fronts, goes_on, rungs
from testing.toys import search


def test_the_fronts_of_points() -> None:
    points = [(1.0, 4.0), (2.0, 2.0), (4.0, 1.0), (3.0, 3.0), (2.0, 5.0), (5.0, 5.0)]
    assert fronts(points) == [0, 0, 0, 1, 1, 2]
    assert fronts([]) == []
    assert fronts([(1.0, 1.0), (1.0, 1.0)]) == [0, 0], "equal points do not dominate each other"
    assert not dominates((1.0, 1.0), (1.0, 1.0))
    assert dominates((1.0, 1.0), (1.0, 2.0))
    rng = random.Random(0)
    many = [(rng.random(), rng.random()) for _ in range(60)]
    found = fronts(many)
    for (a, one), (b, other) in itertools.permutations(zip(found, many, strict=True), 2):
        assert not (a >= b and dominates(one, other)), "a better point is on a better front"
    for front, point in zip(found, many, strict=True):
        above = [p for f, p in zip(found, many, strict=True) if f == front - 1]
        assert not front or any(dominates(p, point) for p in above)


def test_a_quarter_of_the_trials_goes_on_by_front() -> None:
    assert rungs() == [10, 40]
    assert goes_on((1.0, 1.0), [])
    assert not goes_on((2.0, 2.0), [(1.0, 1.0)]), "one is dominated by the only other"
    assert goes_on((2.0, 0.5), [(1.0, 1.0)])
    line = [(float(i), float(10 - i)) for i in range(11)]
    assert all(goes_on(point, [p for p in line if p != point]) for point in line), (
        "a front is never cut"
    )
    chain = [(float(i), float(i)) for i in range(16)]
    going = [goes_on(point, [p for p in chain if p != point]) for point in chain]
    assert going == [True] * 4 + [False] * 12
    # Two of 16 are on the first front, so the four on the second front go on too.
    first = [(0.0, 1.0), (1.0, 0.0)]
    second = [(2.0, 5.0), (3.0, 4.0), (4.0, 3.0), (5.0, 2.0)]
    third = [(6.0 + i, 16.0 - i) for i in range(10)]
    points = [*first, *second, *third]
    going = [goes_on(point, [p for p in points if p != point]) for point in points]
    assert going == [True] * 6 + [False] * 10


def test_a_trial_is_compared_once_at_each_rung() -> None:
    study = optuna.create_study(directions=["minimize", "maximize"])
    pruner = FrontPruner(study)
    good, bad = study.ask(), study.ask()
    assert not pruner.stops(good, 8, [5.0, 0.5]), "before the first rung"
    assert "rungs" not in good.user_attrs
    assert not pruner.stops(good, 12, [5.0, 0.5])
    assert not pruner.stops(bad, 12, [6.0, 0.6]), "worse in one, better in the other"
    assert not pruner.stops(bad, 20, [9.0, 0.1]), "between two rungs"
    assert not pruner.stops(good, 40, [4.0, 0.5])
    assert pruner.stops(bad, 50, [6.0, 0.4]), "dominated"
    assert bad.user_attrs["rungs"] == {"10": [6.0, 0.6], "40": [6.0, 0.4]}
    late = study.ask()
    assert pruner.stops(late, 100, [5.0, 0.4]), "dominated at the first rung"


@pytest.mark.slow
def test_pruning_keeps_the_pareto_front(tmp_path: Path) -> None:
    """The same trials with and without pruning; a toy's order at a rung is that at its end."""
    trials, words = 16, {"slots": 1, "seed": 4, "sampler": "random"}
    alone = search("pair", tmp_path / "alone", trials, pruner="none", **words)
    pruned = search(
        "pair", tmp_path / "pruned", trials, pruner="asha", seconds=lambda _: 0.3, **words
    )
    assert [t.params for t in pruned.trials] == [t.params for t in alone.trials]
    states = [t.state for t in pruned.trials]
    assert states.count(TrialState.PRUNED) >= 3
    assert states.count(TrialState.PRUNED) + states.count(TrialState.COMPLETE) == trials
    fronts_of = [
        [t.number for t in pareto_front(s, [t for t in s.trials if t.values])]
        for s in (alone, pruned)
    ]
    assert fronts_of[0] == fronts_of[1]
    assert len(fronts_of[0]) >= 3
    for trial in pruned.trials:
        if trial.state == TrialState.PRUNED:
            assert "pruned at step" in trial.user_attrs["why"]
            assert trial.values is None


@pytest.mark.parametrize(
    "sampler",
    ["tpe", *(pytest.param(name, marks=pytest.mark.slow) for name in ("nsga2", "gp"))],
)
def test_samplers_accept_pruned_trials_without_values(sampler: str, tmp_path: Path) -> None:
    study = search(
        "pair", tmp_path, 16, sampler=sampler, pruner="asha", seed=1, seconds=lambda _: 0.3
    )
    states = [t.state for t in study.trials if t.state != TrialState.FAIL]
    assert len(states) == 16
    assert TrialState.PRUNED in states


TINY = ("gen=5", "disc=4", "width=0.0625", "threads=1", "data=mnist5k", "name=q")


@pytest.mark.slow
def test_a_search_with_two_objectives_prunes(cli: Cli, tmp_path: Path) -> None:
    words = ("-m", "search=lr", "objective=quality+size", *TINY)
    said = one_line_error(cli(*words, "steps=2", "pruner=median"))
    assert "pruner=median supports one objective; use asha or none" in said
    done = cli(*words, "trials=2", "steps=200", "sampler=random")
    assert done.returncode == 0, done.stderr
    assert "pruner asha\n" in done.stdout
    study = read_study(None, "q", tmp_path / "outputs/sweeps/q/manifest.json")
    size = next(
        trial.values[1] for trial in study.trials if trial.values
    )  # the other may be pruned
    for trial in study.trials:
        found = trial.user_attrs["rungs"]
        assert list(found) == ["10", "40"][: len(found)]
        assert {values[1] for values in found.values()} == {size}
    only = cli("-m", "search=lr", "objective=quality+fd_random", *TINY[:-1], "name=r", "trials=1",
               "steps=2")  # fmt: skip
    assert "pruner for collapsed trials only, as only the end of a run shows its FD" in only.stdout
