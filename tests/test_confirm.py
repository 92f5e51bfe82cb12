"""Tests of `confirm`, which trains the best rows of a sweep with new seeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli, one_line_error, revive

from gansweep.commands.confirm import spread, verdict
from gansweep.report.table.replicates import difference_test, permutation_test, welch_test


def test_significance_tests_find_differences_and_ties() -> None:
    assert permutation_test([1, 2, 3], [4, 5, 6]) == pytest.approx(2 / 20)
    assert permutation_test([1, 2, 3], [1, 2, 3]) == 1
    assert verdict([1, 2, 3, 4], [11, 12, 13, 14]) == "worse (p 0.029)"
    assert verdict([1, 12, 3, 14], [11, 2, 13, 4]).startswith("tie with the best (p ")
    assert verdict([1], [2, 3]) == "too few runs to compare"
    # Few values have too few permutations. SciPy's ttest_ind(equal_var=False) gives the same.
    assert welch_test([1, 2, 3], [4, 5, 7]) == pytest.approx(0.0419, abs=1e-4)
    assert difference_test([1, 2, 3], [4, 5, 7]) == welch_test([1, 2, 3], [4, 5, 7])
    assert difference_test([1, 2], [1.5, 2.5]) > 0.5
    assert difference_test([2, 2], [3, 3]) == 0
    assert difference_test([2, 2], [2, 2]) == 1
    far, near = [float(i) for i in range(20)], [float(i) + 30 for i in range(20)]
    assert permutation_test(far, near) < 1e-3, "the permutations are sampled"
    assert spread([90.0, 96.2]) == "93.1 ± 4.4 (2)"


@pytest.mark.slow
def test_the_best_rows_are_trained_again(cli: Cli, tmp_path: Path) -> None:
    grid = ("-m", "lr=1e-4,5e-4,2e-3", "data=mnist5k", "steps=6", "name=g")
    assert cli(*grid).returncode == 0
    revive(tmp_path)
    again = ("g", "--top", "2", "--seeds", "2")
    planned = cli("confirm", *again, "plan=true")
    assert planned.returncode == 0, planned.stderr
    assert planned.stdout.startswith("confirm g: 2 rows × 2 fresh seeds\n")
    assert planned.stdout.count("  planned\n") == 4
    assert not (tmp_path / "outputs/sweeps/g-confirm").exists()
    done = cli(*again, module="gansweep.confirm")
    assert done.returncode == 0, done.stderr
    assert "confirm g: 2 rows × 2 fresh seeds, 0 done, 4 to train" in done.stdout
    text = (tmp_path / "reports/g-confirm/README.md").read_text()
    assert (
        "| from row | FD (LeNet) before | FD (LeNet) with fresh seeds | verdict | learning rate |"
        in text
    )
    assert "\nrow  row  before" in done.stdout, "the table on the screen has a heading"
    assert "first by its value, in spite of its flags: row 0, lr=" in done.stdout
    assert "its generator: outputs/runs/" in done.stdout
    assert text.count("(2) | ") == 2
    assert "seed 2" in text
    assert "seed 3" in text
    manifest = json.loads((tmp_path / "outputs/sweeps/g-confirm/manifest.json").read_text())
    assert (
        len({run for row in manifest["rows"] for runs in row["runs"].values() for run in runs}) == 4
    )
    assert "4 done, 0 to train" in cli(*again, module="gansweep.confirm").stdout
    resumed = cli("g-confirm", module="gansweep.resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "python -m gansweep confirm g --top 2 --seeds 2" in resumed.stdout
    assert "4 done, 0 to train" in resumed.stdout
    wider = cli("g-confirm", "width=1", module="gansweep.resume")
    assert "a confirmation resumes with its own parameters: leave out width=1" in one_line_error(
        wider
    )
    assert cli("resume", "g-confirm", "plan=true").stdout.count("  done\n") == 4
    # A version before 0.2 recorded this command.
    path = tmp_path / "outputs/sweeps/g-confirm/manifest.json"
    path.write_text(path.read_text().replace("-m gansweep confirm g", "-m gansweep.confirm g"))
    assert "4 done, 0 to train" in cli("resume", "g-confirm").stdout
    path.write_text(path.read_text().replace("-m gansweep confirm g", "-m gansweep confirm 'g"))
    assert "has no command to repeat" in one_line_error(cli("resume", "g-confirm"))


@pytest.mark.slow
def test_a_confirmation_retries_failed_runs_only_on_request(
    cli: Cli, faulty_cli: Any, tmp_path: Path
) -> None:
    places = ("--out", "o", "--reports", "r")
    grid = ("-m", "lr=1e-3", "data=mnist5k", "steps=6", "name=g", "out=o", "reports=r")
    assert cli(*grid).returncode == 0
    revive(tmp_path, "o")
    again = ("g", "--top", "1", "--seeds", "2", *places)
    assert faulty_cli("do=raise step=3")(*again, module="gansweep.confirm").returncode == 1
    left = cli(*again, module="gansweep.confirm")
    assert "0 done, 2 failed before (retry=failed trains them again), 0 to train" in left.stdout
    assert left.returncode == 1
    # The recorded command contains the folders.
    done = cli("g-confirm", "retry=failed", "--out", "o", module="gansweep.resume")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "confirm g --top 1 --seeds 2 --out o --reports r retry=failed" in done.stdout
    assert "0 done, 2 to train" in done.stdout
    assert (tmp_path / "r/g-confirm/README.md").exists()
    assert not (tmp_path / "outputs").exists()


@pytest.mark.slow
def test_the_best_rows_are_trained_again_in_wider_networks(cli: Cli, tmp_path: Path) -> None:
    grid = ("-m", "lr=1e-4,5e-4", "data=mnist5k", "steps=2", "batch_size=8", "name=g")
    assert cli(*grid, "gen=5").returncode == 0
    refused = one_line_error(cli("g", "width=0.25", module="gansweep.confirm"))
    assert "sweep g has no judged row that is alive in Number Output" in refused
    revive(tmp_path)
    again = ("g", "width=0.25", "--top", "1", "--seeds", "2")
    done = cli(*again, module="gansweep.confirm")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "reports/g-confirm-width-0.25/README.md").read_text()
    assert "width G 0.25, D 0.25, seeds 2, 3" in text
    assert "the best with fresh seeds, width=0.25" in text
    assert "2 done, 0 to train" in cli(*again, module="gansweep.confirm").stdout
    manifest = json.loads(
        (tmp_path / "outputs/sweeps/g-confirm-width-0.25/manifest.json").read_text()
    )
    assert manifest["common"]["width"] == 0.25
    assert "python -m gansweep confirm g width=0.25 --top 1 --seeds 2" in manifest["command"]


def test_an_impossible_confirmation_is_refused(cli: Cli) -> None:
    def refused(*arguments: str) -> str:
        return one_line_error(cli(*arguments, module="gansweep.confirm"))

    assert "no sweep 'g'" in refused("g")
    assert "--seeds 1 is too few" in refused("g", "--seeds", "1")
    assert "width=9.0 is out of range" in refused("g", "width=9")
    assert "data cannot be changed here" in refused("g", "data=toyfaces")
    assert "seed cannot be changed here" in refused("g", "seed=3")
    cli("-m", "lr=1e-4", "data=mnist5k", "steps=2", "name=g", "judge=false")
    assert "has no judged row that is alive in Number Output" in refused("g")
    assert "--on Nothing: no such column; valid: Number Output" in refused("g", "--on", "Nothing")
