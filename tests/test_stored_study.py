"""Tests of stored studies: truncated journals, and passwords of databases."""

from __future__ import annotations

import json
from pathlib import Path

import optuna
import pytest
from conftest import Cli

from gansweep.report.stored_study import best_setting, open_storage, read_study
from gansweep.store.manifest import read_manifest
from gansweep.store.passwords import without_password


def make_study(folder: Path, trials: int) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        study_name="q", storage=open_storage(None, folder), load_if_exists=True
    )
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=trials)


def count(folder: Path) -> int:
    study = read_study(None, "q", folder / "manifest.json")
    return len([trial for trial in study.trials if trial.state.name == "COMPLETE"])


@pytest.mark.parametrize("cut", [2, 37, 60])
def test_a_truncated_journal_can_be_continued(cut: int, tmp_path: Path) -> None:
    make_study(tmp_path, 2)
    journal = tmp_path / "study.journal"
    journal.write_bytes(journal.read_bytes()[:-cut])
    whole = journal.read_bytes()
    assert count(tmp_path) == 1, "the end of the second trial is missing"
    assert journal.read_bytes() == whole, "a reader does not change the journal"
    make_study(tmp_path, 2)
    assert count(tmp_path) == 3
    for line in journal.read_text().splitlines():
        json.loads(line)


def test_a_record_without_its_line_end_is_kept(tmp_path: Path) -> None:
    make_study(tmp_path, 2)
    journal = tmp_path / "study.journal"
    journal.write_bytes(journal.read_bytes()[:-1])
    make_study(tmp_path, 1)
    assert count(tmp_path) == 3


def test_a_journal_with_the_partial_record_of_another_process_can_be_continued(
    tmp_path: Path,
) -> None:
    """A second search has the storage open while the first search is killed."""
    make_study(tmp_path, 1)
    study = optuna.load_study(study_name="q", storage=open_storage(None, tmp_path))
    assert len(study.trials) == 1
    with (tmp_path / "study.journal").open("ab") as stream:
        stream.write(b'{"op_code":4,"worker_id":"x')
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    assert count(tmp_path) == 3


def front(*points: tuple[float, float], directions: tuple[str, str]) -> list[str]:
    study = optuna.create_study(directions=list(directions))
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        study.set_metric_names(["FD (LeNet)", "glare"])
    space = {"lr": optuna.distributions.FloatDistribution(0, 1)}
    for number, values in enumerate(points):
        study.add_trial(
            optuna.trial.create_trial(
                values=list(values), params={"lr": 0.1}, distributions=space,  # type: ignore
                user_attrs={"command": f"command {number}", "dead": float(values[0] < 0)},
            )
        )  # fmt: skip
    return best_setting(study, "FD (LeNet)", "fd_lenet")


def test_a_search_with_two_objectives_ends_with_its_pareto_front() -> None:
    points = [(20.04, 0.5), (10.0, 0.9), (30.0, 0.7), (5.0, 0.123456), (-1.0, 0.0)]
    assert front(*points, directions=("minimize", "minimize")) == [
        "The Pareto front has 1 point of 4 trials, the best FD (LeNet) first:",
        "Trial 3: FD (LeNet) 5.0, glare 0.1235 (lr 0.1)",
        "command 3",
    ]
    assert front(*points, directions=("minimize", "maximize")) == [
        "The Pareto front has 2 points of 4 trials, the best FD (LeNet) first:",
        "Trial 3: FD (LeNet) 5.0, glare 0.1235 (lr 0.1)",
        "Trial 1: FD (LeNet) 10.0, glare 0.9 (lr 0.1)",
        "command 3\ncommand 1",
    ]
    many = front(*((x, 10.0 - x) for x in range(8)), directions=("minimize", "minimize"))
    assert many[0] == "The Pareto front has 8 points of 8 trials, the best FD (LeNet) first:"
    assert many[-2] == "The table has the other 3 points."
    assert len(many) == 8
    assert front((-1.0, 1.0), directions=("minimize", "minimize")) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://me:secret@host:5432/db", "postgresql://me@host:5432/db"),
        ("storage=mysql+pymysql://me:se%40c/r:et@host/db", "storage=mysql+pymysql://me@host/db"),
        ("'storage=\"postgresql://me:se@cret@/db?host=/tmp\"'",
         "'storage=\"postgresql://me@/db?host=/tmp\"'"),
        ("postgresql:///db?user=me&password=secret&sslmode=off",
         "postgresql:///db?user=me&password=&sslmode=off"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("sqlite:///study.db", "sqlite:///study.db"),
        ("data.root=/a:/b@c lr=1e-4", "data.root=/a:/b@c lr=1e-4"),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
    ],
)  # fmt: skip
def test_passwords_are_removed_from_urls(text: str, expected: str) -> None:
    assert without_password(text) == expected


def test_no_file_of_a_search_has_its_password(tmp_path: Path, cli: Cli) -> None:
    """SQLite ignores unknown parts of a URL, so this URL can have a password."""
    url = "sqlite:///file:study.db?uri=true&password=hunter2"
    search = (
        "-m", "search=lr", "trials=1", "sampler=random", "pruner=none", "name=q", "data=mnist5k",
        "steps=4", "width=0.0625", "threads=1", f"storage='{url}'",
    )  # fmt: skip
    done = cli(*search)
    assert done.returncode == 0, done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    assert cli("report", "q", "--plots").returncode == 0
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert (tmp_path / "reports/q/index.html") in files
    for path in files:
        assert b"hunter2" not in path.read_bytes(), path
    manifest = read_manifest(tmp_path / "outputs", "q")
    assert manifest.search["storage"] == url.removesuffix("hunter2")
    assert "storage=" in manifest.command
