"""Tests of `versus`, which tests whether the difference of two rows is real."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import run as run_command
from conftest import one_line_error, revive

from gansweep.report.table.difference import compare, seeds_needed
from gansweep.store import answers
from gansweep.store.check import fault

PAIRS = 1500
GRID = ("-m", "lr=1e-3,5e-4", "data=mnist5k", "gen=5", "disc=4", "width=0.03125", "steps=6")


def verdicts(one: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """Return the share of each verdict over pairs of rows."""
    found = [compare(list(a), list(b)) for a, b in zip(one, other, strict=True)]
    said = [f.verdict for f in found if f is not None]
    return {word: said.count(word) / len(said) for word in ("better", "worse", "tie")}


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("skewed", [False, True])
def test_equal_rows_are_called_different_in_one_of_twenty(seeds: int, skewed: bool) -> None:
    rng = np.random.default_rng(seeds)
    values = rng.normal(size=(2, PAIRS, seeds))
    shares = verdicts(*(np.exp(values) if skewed else values))
    # The standard error of a share of 5 % is 0.6 % here.
    assert 0.01 < shares["better"] + shares["worse"] < 0.068
    assert shares["tie"] > 0.93


def test_the_needed_seeds_find_the_difference_in_four_of_five() -> None:
    rng = np.random.default_rng(1)
    for effect in (1.7, 2.5, 3.0):
        seeds = seeds_needed(1.0, effect)
        assert seeds is not None
        one = rng.normal(size=(300, seeds))
        other = rng.normal(effect, size=(300, seeds))
        shares = verdicts(one, other)
        # The standard error of a share of 80 % is 2.3 % here.
        assert 0.73 < shares["better"] < 0.98, (effect, seeds)
        assert shares["worse"] < 0.01
    assert seeds_needed(1.0, 0.001) is None
    assert seeds_needed(1.0, 0.0) is None
    assert seeds_needed(0.0, 1.0) == 2
    assert seeds_needed(1.0, 10.0) == 3
    # With 17 seeds of each row a difference of one deviation is found: the tables say so too.
    assert seeds_needed(1.0, 1.0) == 17


def test_the_numbers_of_a_comparison() -> None:
    found = compare([1.0, 2.0, 3.0, 4.0], [11.0, 12.0, 13.0, 14.0])
    assert found is not None
    assert (found.verdict, found.difference, found.test) == ("better", 10.0, "permutation test")
    assert found.p == pytest.approx(2 / 70)
    # scipy.stats.ttest_ind(equal_var=False).confidence_interval() gives the same.
    assert (found.low, found.high) == (
        pytest.approx(7.7663, abs=1e-4),
        pytest.approx(12.2337, abs=1e-4),
    )
    assert found.floor == pytest.approx(10 - found.low)
    reverse = compare([11.0, 12.0, 13.0, 14.0], [1.0, 2.0, 3.0, 4.0])
    more = compare([1.0, 2.0, 3.0, 4.0], [11.0, 12.0, 13.0, 14.0], sign=-1)
    assert reverse is not None
    assert more is not None
    assert reverse.verdict == more.verdict == "worse"
    three = compare([1.0, 2.0, 3.0], [4.0, 5.0, 7.0])
    assert three is not None
    assert three.test == "Welch's t-test"
    assert compare([1.0], [2.0, 3.0]) is None
    same = compare([2.0, 2.0], [2.0, 2.0])
    assert same is not None
    assert (same.verdict, same.floor, same.needed) == ("tie", 0.0, None)


# The command -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("versus")
    done = run_command(folder, *GRID, "seed=1,2", "threads=1", "name=g")
    assert done.returncode == 0, done.stderr
    revive(folder)
    return folder


def test_the_missing_seeds_are_trained(folder: Path) -> None:
    words = ("versus", "g/0", "g/1", "--seeds", "3")
    planned = run_command(folder, *words, "plan=true")
    assert planned.stdout.startswith("versus g/0 g/1: 3 seeds each, 4 done, 2 to train\n")
    assert planned.stdout.count("  planned\n") == 2
    assert not (folder / "outputs/sweeps/versus-g-0-g-1").exists()
    done = run_command(folder, *words)
    assert done.returncode == 0, done.stderr
    for words_said in (
        "A g/0: FD (LeNet) ", "B g/1: FD (LeNet) ", "Welch's t-test; B - A: 95 % interval ",
        "noise floor: with these seeds, differences below ", " seeds of each row in 80% of cases",
        "gallery: reports/versus-g-0-g-1/index.html",
    ):  # fmt: skip
        assert words_said in done.stdout, words_said
    table = (folder / "reports/versus-g-0-g-1/README.md").read_text()
    assert "| side | verdict | learning rate |" in table
    again = run_command(folder, *words, "--json")
    assert again.returncode == 0
    answer = json.loads(again.stdout)
    assert fault(answer, answers.VersusAnswer) == ""
    assert set(answer) == set(answers.VersusAnswer.__annotations__)
    assert answer["a"]["seeds"] == answer["b"]["seeds"] == [1, 2, 3]
    assert answer["complete"] is True
    assert answer["verdict"] in ("better", "worse", "tie")
    values = answer["b"]["values"], answer["a"]["values"]
    gap = np.mean(values[0]) - np.mean(values[1])
    assert math.isclose(answer["difference"], gap, rel_tol=1e-9)
    resumed = run_command(folder, "resume", "versus-g-0-g-1", "plan=true")
    assert "6 done, 0 to train" in resumed.stdout


def test_the_seeds_that_chose_the_best_row_do_not_count(folder: Path) -> None:
    done = run_command(folder, "versus", "g/best", "g/1", "--seeds", "2", "plan=true")
    best_is_1 = "have the same settings" in done.stderr
    other = "g/0" if best_is_1 else "g/1"
    done = run_command(folder, "versus", "g/best", other, "--seeds", "2", "plan=true")
    seeds = {line.split("seed=")[1].split()[0] for line in done.stdout.splitlines()[1:]}
    assert seeds == {"3", "4"}
    fresh = run_command(folder, "versus", "g/0", "g/1", "--seeds", "2", "--fresh", "plan=true")
    assert {line.split("seed=")[1].split()[0] for line in fresh.stdout.splitlines()[1:]} == seeds


def test_what_cannot_be_compared_is_refused(folder: Path) -> None:
    def refused(*words: str) -> str:
        return one_line_error(run_command(folder, "versus", *words))

    assert "g/0 and g/0 have the same settings" in refused("g/0", "g/0")
    assert "--seeds 1 is too few" in refused("g/0", "g/1", "--seeds", "1")
    assert "lr=1 cannot be changed here" in refused("g/0", "g/1", "lr=1")
    assert "the rows of g are 0 to 1" in refused("g/0", "g/9")
    words = ("-m", "lr=1e-3", "data=toyfaces", *GRID[3:-1], "steps=1", "judge=false", "name=t")
    assert run_command(folder, *words, "limit=300").returncode == 0
    assert "are trained on different data (mnist5k and toyfaces)" in refused("g/0", "t/0")


def test_all_fields_have_a_type() -> None:
    kinds: list[Any] = [answers.VersusAnswer, answers.VersusSide]
    assert all(kind.__total__ for kind in kinds)
