"""Do the flags agree with the eye? Finished runs, labelled by looking at their pictures alone.

`labelled/runs.jsonl.gz` has a line a run: what it was, the distance at each look, what the judge
measured of its best weights, and two labels that were given before any number was looked at: does
the picture show what it should (`shows`), and are its images different from each other (`varied`)?
Each is yes, no, or unclear, which counts for neither. `labelled/*.webp` are the pictures, numbered.
The rules were set by the half `fit` alone.
"""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import pytest

from gansweep.training.metrics.equilibrium import Evaluation, flags

LABELLED = Path(__file__).parent / "labelled"
OF = {"never started": "shows", "collapse": "varied"}  # which label a flag denies


def runs() -> list[dict[str, Any]]:
    with gzip.open(LABELLED / "runs.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def found(run: dict[str, Any]) -> list[str]:
    looks = [
        Evaluation(step, math.nan if value is None else value, {"d_saturated": saturated})
        for step, value, saturated in run["looks"]
    ]
    return flags(looks, run["steps"], run["score"])


def precision_and_recall(flag: str, half: str) -> tuple[float, float, int]:
    """Over the runs of a half whose label is clear; and how many should have the flag."""
    label = OF[flag]
    known = [run for run in runs() if run["half"] == half and run[label] != "unclear"]
    flagged = {run["number"] for run in known if flag in found(run)}
    dead = {run["number"] for run in known if run[label] == "no"}
    right = len(flagged & dead)
    return right / max(1, len(flagged)), right / max(1, len(dead)), len(dead)


@pytest.mark.parametrize("flag", OF)
def test_flags_agree_with_the_eye(flag: str) -> None:
    precision, recall, count = precision_and_recall(flag, "held out")
    assert count >= 10, "too few to tell"
    assert precision >= 0.9, (precision, recall)
    assert recall >= 0.9, (precision, recall)


def test_nothing_good_is_thrown_away() -> None:
    """Of the runs that show varied images hardly one may be kept from winning."""
    good = [run for run in runs() if (run["shows"], run["varied"]) == ("yes", "yes")]
    dead = [run["number"] for run in good if {"never started", "collapse"} & {*found(run)}]
    assert len(good) >= 80
    assert len(dead) <= 0.05 * len(good), dead


def test_no_sound_run_is_taken_for_a_copier() -> None:
    good = [run for run in runs() if (run["shows"], run["varied"]) == ("yes", "yes")]
    assert not any("memorised" in found(run) for run in good)


def test_there_are_enough_of_every_kind() -> None:
    everything = runs()
    assert len(everything) >= 160
    assert {run["data"] for run in everything} >= {"mnist", "mnist5k", "images", "toyfaces"}
    assert {run["width"] for run in everything} >= {1 / 32, 1 / 16, 1 / 8}
    assert all((LABELLED / run["sheet"]).exists() for run in everything)
