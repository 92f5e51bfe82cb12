"""Test that the flags agree with labels by eye, on finished runs.

`labelled/runs.jsonl.gz` has one line for each run: its settings, the distance at each evaluation,
the score of its best weights, and two labels. The labels were given by the pictures before anyone
saw a number. `shows` says whether the picture shows digits or faces, and `varied` says whether the
images differ from each other. Each label is yes, no or unclear, and unclear labels do not count.
`labelled/*.webp` has the numbered pictures. The rules were set with the half `fit` only.
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
OF = {"never started": "shows", "collapse": "varied"}  # Each flag means that this label is no.


def runs() -> list[dict[str, Any]]:
    with gzip.open(LABELLED / "runs.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def found(run: dict[str, Any]) -> list[str]:
    evaluations = [
        Evaluation(step, math.nan if value is None else value, {"d_saturated": saturated})
        for step, value, saturated in run["looks"]
    ]
    return flags(evaluations, run["steps"], run["score"])


def precision_and_recall(flag: str, half: str) -> tuple[float, float, int]:
    """Return the precision, the recall, and how many runs with a clear label need the flag."""
    label = OF[flag]
    known = [run for run in runs() if run["half"] == half and run[label] != "unclear"]
    flagged = {run["number"] for run in known if flag in found(run)}
    dead = {run["number"] for run in known if run[label] == "no"}
    right = len(flagged & dead)
    return right / max(1, len(flagged)), right / max(1, len(dead)), len(dead)


@pytest.mark.parametrize("flag", OF)
def test_flags_agree_with_labels_by_eye(flag: str) -> None:
    precision, recall, count = precision_and_recall(flag, "held out")
    assert count >= 10, "too few runs should have the flag"
    assert precision >= 0.9, (precision, recall)
    assert recall >= 0.9, (precision, recall)


def test_good_runs_rarely_get_a_severe_flag() -> None:
    """At most 5 % of the runs with varied images may get a severe flag."""
    good = [run for run in runs() if (run["shows"], run["varied"]) == ("yes", "yes")]
    dead = [run["number"] for run in good if {"never started", "collapse"} & {*found(run)}]
    assert len(good) >= 80
    assert len(dead) <= 0.05 * len(good), dead


def test_no_good_run_is_flagged_as_memorised() -> None:
    good = [run for run in runs() if (run["shows"], run["varied"]) == ("yes", "yes")]
    assert not any("memorised" in found(run) for run in good)


def test_every_kind_of_run_is_present() -> None:
    everything = runs()
    assert len(everything) >= 160
    assert {run["data"] for run in everything} >= {"mnist", "mnist5k", "images", "toyfaces"}
    assert {run["width"] for run in everything} >= {1 / 32, 1 / 16, 1 / 8}
    assert all((LABELLED / run["sheet"]).exists() for run in everything)
