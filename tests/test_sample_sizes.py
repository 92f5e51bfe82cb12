"""Tests of the number of images of scores: runs that are compared have the same number."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli, one_line_error

from gansweep.config import Config
from gansweep.store.run import Run
from gansweep.training.data import Prepared, prepare
from gansweep.training.sample_sizes import chosen_sizes, common_size, sample_sizes, score_size

TINY = ("data=mnist5k", "gen=5", "disc=4", "width=0.03125", "threads=1", "name=g")


@pytest.fixture
def data() -> Prepared:
    return prepare(Config().data, 28)


@pytest.fixture
def run(data: Prepared) -> Callable[..., tuple[Config, Prepared]]:
    return lambda **values: (replace(Config(steps=650), **values), data)


def test_the_numbers_of_the_shortest_run_are_those_of_all(run: Callable[..., Any]) -> None:
    assert score_size(*run(batch_size=64)) == 400
    assert score_size(*run(batch_size=256)) == 4000
    assert common_size([run(batch_size=64), run(batch_size=256)]) == 400
    assert common_size([run(steps=100, batch_size=64), run(batch_size=256)]) == 250


def test_runs_of_equal_numbers_are_left_as_they_are(run: Callable[..., Any]) -> None:
    assert common_size([run(batch_size=64), run(batch_size=32)]) is None
    assert common_size([run()]) is None
    assert common_size([]) is None


def test_a_chosen_number_and_runs_without_a_score_count_for_themselves(
    run: Callable[..., Any],
) -> None:
    assert common_size([run(batch_size=64), run(batch_size=256, judge_images=4000)]) is None
    assert common_size([run(batch_size=64), run(batch_size=256, judge="false")]) is None
    assert common_size([run(batch_size=64), run(batch_size=256, command="train {out}")]) is None
    assert score_size(*run(judge_images=1234)) == 1234


def test_evaluations_have_the_number_that_belongs_to_the_score() -> None:
    for images in (100, 50_000, 500_000, 5_000_000):
        evaluation, score = sample_sizes(images)
        assert chosen_sizes(score) == (evaluation, score)
    assert chosen_sizes(100) == (200, 100)
    assert chosen_sizes(3000) == (200, 3000)


def scores(folder: Path) -> list[tuple[int, int, int]]:
    """Return for each run its batch size, and the images of its evaluations and of its score.

    A pruned run has no score, and 0 images.
    """
    found = []
    for path in (folder / "outputs/runs").iterdir():
        one = Run(folder / "outputs", path.name)
        record, result = one.read_config(), one.read_result()
        assert record is not None
        (evaluated,) = {line["n"] for line in one.read_evaluations()}
        n = (result["judge"] or {})["score"]["n"] if result else 0
        found.append((record["identity"]["batch_size"], evaluated, n))
    return sorted(found)


@pytest.mark.slow
def test_the_scores_of_a_grid_over_batch_sizes_can_be_compared(cli: Cli, tmp_path: Path) -> None:
    words = ("-m", "batch_size=64,160", *TINY, "steps=65")
    planned = json.loads(cli(*words, "plan=true", "--json").stdout)
    assert planned["counts"]["train"] == 2
    done = cli(*words)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "all scores are of 250 images, as the score of the shortest run" in said
    assert scores(tmp_path) == [(64, 200, 250), (160, 200, 250)]
    caption = (tmp_path / "reports/g/README.md").read_text()
    assert "250 generated images" in caption
    assert "fewer images give worse values" not in caption
    again = cli(*words)
    assert "2 done, 0 to train" in again.stdout


@pytest.mark.slow
def test_the_trials_of_a_search_over_batch_sizes_can_be_compared(cli: Cli, tmp_path: Path) -> None:
    """The search chooses by the shortest possible trial, not by those that it has made."""
    space = ("search=lr", "batch_size=interval(150,160)")
    done = cli("-m", *space, *TINY, "steps=65", "trials=2")
    assert done.returncode == 0, done.stderr
    found = {(evaluated, n) for _, evaluated, n in scores(tmp_path)}
    assert (200, 250) in found
    assert found <= {(200, 250), (200, 0)}


@pytest.mark.slow
def test_a_number_can_be_chosen(cli: Cli, tmp_path: Path) -> None:
    done = cli(*TINY[:-1], "steps=2", "judge_images=300")
    assert done.returncode == 0, done.stderr
    assert [n for _, _, n in scores(tmp_path)] == [300]
    assert "judge_images=50 is out of range; valid: judge_images >= 100" in one_line_error(
        cli("judge_images=50")
    )
