"""The head-to-head of the benchmarks, with contests of seconds."""

from __future__ import annotations

import csv
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.duel.curves import at, final, hindsight, middle_reached, reached
from benchmarks.duel.report import write_report
from benchmarks.duel.terms import Terms

ROOT = Path(__file__).parents[1]


def record(*pairs: tuple[float, float]) -> dict:
    return {
        "began": None,
        "choices": [{"seconds": s, "value": 0.0, "distance": d} for s, d in pairs],
    }


def test_the_curves_of_a_contest_are_those_of_its_choices() -> None:
    found = record((5, 300.0), (10, 100.0), (20, 150.0))
    assert [at(found, t) for t in (4, 5, 12, 30)] == [math.inf, 300, 100, 150]
    assert (final(found), hindsight(found)) == (150, 100)
    assert (reached(found, 150), reached(found, 99)) == (10, math.inf)
    never = record()
    assert final(never) == math.inf
    assert middle_reached([found, never, record((7, 90.0))], 100) == 10


@pytest.mark.slow  # Each of four contests takes as long as the others need to start.
def test_every_contest_is_held_once_and_its_models_are_scored(tmp_path: Path) -> None:
    """All four train for a minute, too short for a first model on a busy machine."""
    sizes = {"DUEL_SECONDS": "60", "DUEL_SEEDS": "1", "DUEL_STEPS": "50", "DUEL_MEMBERS": "2",
             "DUEL_EVERY": "2", "DUEL_OUT": str(tmp_path / "contests")}  # fmt: skip
    environment = {**os.environ, **sizes, "PYTHONPATH": str(ROOT)}
    for held in (4, 0):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks", "duel"],
            cwd=tmp_path, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("seed 1: began") == held
    reports = tmp_path / "reports/benchmarks"
    assert (reports / "duel.png").is_file()
    with (reports / "duel_curves.csv").open() as file:
        lines = list(csv.DictReader(file))
    names = {"gansweep", "Optuna and Lightning", "Ray's example", "Ray's example with the distance"}
    assert lines
    assert {line["contestant"] for line in lines} <= names
    assert all(0 < float(line["distance"]) < math.inf for line in lines)
    table = (reports / "duel.md").read_text()
    assert all(f"\n| {name} |" in table for name in names)
    assert "![the same, drawn](duel.png)" in table


def test_a_contestant_without_a_model_has_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    terms = Terms(seconds=60, seeds=1, steps=50, members=2, every=2)
    write_report({"gansweep": [record((5, 300.0), (9, 100.0))], "Ray's example": [record()]}, terms)
    table = Path("reports/benchmarks/duel.md").read_text()
    assert "| Ray's example | no model for 1 of 1 seeds |" in table
