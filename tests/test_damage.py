"""Tests of records with invalid values: JSON that an edit or a flipped bit may produce."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli

from gansweep.commands.confirm import best_rows
from gansweep.commands.diff import show_differences
from gansweep.commands.show import show
from gansweep.report import write_report
from gansweep.report.table.outcome import read_outcome
from gansweep.store.check import fault
from gansweep.store.errors import UserError
from gansweep.store.estimate import Estimates, cost_of
from gansweep.store.manifest import Manifest, read_manifest
from gansweep.store.records import RunConfig
from gansweep.store.run import Run, read_json, write_json
from testing.synthetic import write_sweep

NUMBER = "Number Output"
NESTED = "[" * 5000 + "]" * 5000
# Each entry has a field of result.json, its new text, and the message in the row.
ODD = [
    ("training_seconds", "NaN", "training_seconds is null, not a number"),
    ("training_seconds", "Infinity", "training_seconds is null, not a number"),
    ("training_seconds", "1e999", "training_seconds is Infinity, not a number"),
    ("training_seconds", "true", "training_seconds is true, not a number"),
    ("epochs", '"many"', 'epochs is "many", not a number'),
    ("images_per_second", '"fast"', 'images_per_second is "fast", not a number'),
    ("parameters", "[]", "parameters is a list, not an object"),
    ("judge", "[]", "judge is a list, not an object"),
    ("judge", '"good"', 'judge is "good", not an object'),
    ("judge", "{}", "judge.primary is missing"),
    ("judge.primary", '["fd_lenet"]', "judge.primary is a list, not text"),
    ("judge.primary", '"speed"', "judge.score.speed is no finite number"),
    ("judge.flags", '[["collapse"]]', "judge.flags[0] is a list, not text"),
    ("judge.score", "null", "judge.score is null, not an object"),
    ("judge.score.fd_lenet", "1" + 400 * "0", "judge.score.fd_lenet is no finite number"),
    ("judge.score.fd_lenet", "NaN", "judge.score.fd_lenet is no finite number"),
    ("judge.score.n", '"few"', 'judge.score.n is "few", not a whole number'),
    ("judge.equilibrium", "7", "judge.equilibrium is 7, not an object"),
    ("judge.equilibrium.epoch", '"late"', 'judge.equilibrium.epoch is "late", not a number'),
]
MARK = '"put the text here"'


def hurt(path: Path, place: str, text: str) -> None:
    record: Any = json.loads(path.read_text())
    *outer, last = place.split(".")
    inner = record
    for name in outer:
        inner = inner[name]
    inner[last] = json.loads(MARK)
    path.write_text(json.dumps(record).replace(MARK, text))


def check_the_rest(out: Path, run_id: str, said: str) -> None:
    """Check that all readers of runs report the damage in one row, and show all other rows."""
    report = write_report(
        "synthetic", out=out, reports=out / "reports", formats=("markdown", "html", "csv", "latex"),
        plots=True,
    )  # fmt: skip
    runs = {run.run_id: run for run in report.results.outcomes()}
    assert len(runs) == 6
    assert said in runs[run_id].note
    assert all(run.note == "" and run.value for key, run in runs.items() if key != run_id)
    for run in runs.values():
        show(Run(out, run.run_id), True, False)
        show_differences(runs[run_id], run)
    _, candidates = best_rows(read_manifest(out, "synthetic"), NUMBER, str(out), 3)
    assert len(candidates) >= 2
    estimates = Estimates(out, "cpu", 1)
    assert estimates.seconds(cost_of(None), 10) is None


@pytest.mark.parametrize(("place", "text", "said"), ODD, ids=[f"{p}={t[:9]}" for p, t, _ in ODD])
def test_an_invalid_result_affects_only_its_row(
    place: str, text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sweep(tmp_path, 3, pictures=1)
    run = Run(tmp_path, "000001m-s1")
    hurt(run.result, place, text)
    check_the_rest(tmp_path, run.id, f"result.json damaged ({said}): run the sweep again with")
    printed = capsys.readouterr().out
    assert f"row 1 ({run.id}): result.json damaged ({said})" in printed.replace("\n", " ")


def test_deeply_nested_json_is_a_damaged_record(tmp_path: Path) -> None:
    write_sweep(tmp_path, 3, pictures=1)
    run = Run(tmp_path, "000001m-s1")
    hurt(run.result, "judge", NESTED)
    with run.metrics.open("a") as stream:
        stream.write(f'{{"step": {NESTED}}}\n')
    check_the_rest(tmp_path, run.id, "result.json damaged: run the sweep again")


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("identity", "[]"), ("identity.steps", "NaN"), ("identity.batch_size", '"32"'),
        ("data", "null"), ("data.images", "1e999"), ("params", "[]"), ("command", "5"),
    ],
)  # fmt: skip
def test_an_invalid_configuration_affects_only_its_row(
    place: str, text: str, tmp_path: Path
) -> None:
    write_sweep(tmp_path, 3, pictures=1)
    run = Run(tmp_path, "000001m-s1")
    hurt(run.config, place, text)
    check_the_rest(tmp_path, run.id, f"config.json damaged ({place}")


@pytest.mark.parametrize("lr", ["[]", '"abc"', "NaN", "-3", "1e999"])
def test_runs_with_invalid_parameters_are_not_confirmed(
    lr: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sweep(tmp_path, 3, pictures=1)
    run = Run(tmp_path, "000001m-s1")
    hurt(run.config, "params.lr", lr)
    _, candidates = best_rows(read_manifest(tmp_path, "synthetic"), NUMBER, str(tmp_path), 3)
    assert sorted(candidate.row for candidate in candidates) == [0, 2]
    assert f"row 1 ({run.id}) cannot be trained by this version: lr=" in capsys.readouterr().out
    write_report("synthetic", out=tmp_path, reports=tmp_path / "reports")


def test_invalid_lines_of_the_streams_are_left_out(tmp_path: Path) -> None:
    write_sweep(tmp_path, 3, pictures=1)
    run = Run(tmp_path, "000001m-s1")
    before = run.read_metrics(), run.read_evaluations()
    huge = "1" + 400 * "0"
    for stream in (run.metrics, run.evaluations):
        with stream.open("a") as file:
            file.write(f'{{"loss_d": 1}}\n{{"step": "x"}}\n{{"step": {huge}}}\n{{"step": true}}\n')
    assert (run.read_metrics(), run.read_evaluations()) == before
    for stream in (run.metrics, run.evaluations):
        with stream.open("a") as file:
            file.write(f'{{"step": 700, "loss_d": "x", "fd_lenet": {huge}, "loss_g": [1]}}\n')
    write_report(
        "synthetic", out=tmp_path, reports=tmp_path / "reports", formats=("html",), plots=True
    )


@pytest.mark.parametrize(
    ("name", "record", "said"),
    [
        ("environment", {"gansweep": 1}, "environment.json damaged (gansweep is 1, not text)"),
        ("failure", {"error": ["x"]}, "failure.json damaged (error is a list, not text): "),
    ],
)
def test_other_invalid_files_are_named(
    name: str, record: dict[str, Any], said: str, tmp_path: Path
) -> None:
    write_sweep(tmp_path, 3, pictures=1)
    run = Run(tmp_path, "000001m-s1")
    write_json(getattr(run, name), record)
    if name == "failure":
        run.result.unlink()
        assert run.status() == "failed"
    assert read_outcome(run).note.startswith(said)
    write_report("synthetic", out=tmp_path, reports=tmp_path / "reports")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ({"rows": 3}, "rows is 3, not a list"),
        ({"rows": [{"params": []}]}, r"rows\[0\].params is a list, not an object"),
        ({"rows": [{"params": {}, "runs": {"a": [5]}}]}, r"rows\[0\].runs.a\[0\] is 5, not text"),
        ({"pictures": "x"}, 'pictures is "x", not a list'),
        ({"titles": ["x"]}, "titles is a list, not an object"),
        ({"command": None}, "command is null, not text"),
    ],
    ids=str,
)
def test_an_invalid_manifest_is_refused_in_one_line(
    harm: dict[str, Any], said: str, tmp_path: Path
) -> None:
    write_sweep(tmp_path, 1, pictures=0)
    path = tmp_path / "sweeps/synthetic/manifest.json"
    write_json(path, {**(read_json(path) or {}), **harm})
    with pytest.raises(UserError, match=rf"is damaged \({said}\); run the sweep's command again"):
        read_manifest(tmp_path, "synthetic")


def test_commands_skip_a_damaged_run_and_a_retry_repairs_it(tmp_path: Path, cli: Cli) -> None:
    """One of two finished runs is damaged; commands show the other, and retry=failed repairs it."""
    sweep = ("-m", "lr=1e-3,1e-4", "steps=4", "width=0.0625", "data=mnist5k", "judge=false",
             "threads=1", "name=n")  # fmt: skip
    done = cli(*sweep)
    assert done.returncode == 0, done.stderr
    manifest: Manifest = read_manifest(tmp_path / "outputs", "n")
    first, second = (Run(tmp_path / "outputs", row.runs[NUMBER][0]) for row in manifest.rows)
    hurt(first.result, "training_seconds", "NaN")
    damaged = first.result.read_text()
    why = "result.json damaged (training_seconds is null, not a number)"
    for words, code in (
        (("report", "n"), 0), (("show", first.id), 0), (("diff", first.id, second.id), 1),
        (("status", "n"), 0),
    ):  # fmt: skip
        done = cli(*words)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
    assert why in (tmp_path / "reports/n/README.md").read_text().replace("\\", "")

    again = cli(*sweep)
    assert again.returncode == 0, again.stderr
    assert "2 done, 0 to train" in again.stdout
    assert "(training_seconds is null, not a number): retry=failed trains the run again" in (
        again.stdout
    )
    assert first.result.read_text() == damaged, "a run is retried only on request"
    repaired = cli(*sweep, "retry=failed")
    assert repaired.returncode == 0, repaired.stderr
    assert "1 done, 1 to train" in repaired.stdout
    assert "1 of 1 run trained" in repaired.stdout
    assert first.read_result() is not None
    assert read_outcome(first).note == ""


def test_a_fault_is_described_with_its_field() -> None:
    whole = {
        "identity": {"batch_size": 1, "precision": "fp32", "gen_width": 1, "disc_width": 1.5,
                     "steps": 3, "data": {"images": 7}, "of_a_newer_version": [1]},
        "data": {"name": "x", "images": 7, "size": 28}, "another": None,
    }  # fmt: skip
    assert fault(whole, RunConfig) == ""
    assert fault([], RunConfig) == "the value is a list, not an object"
    assert fault({**whole, "id": 5}, RunConfig) == "id is 5, not text"
    assert fault({**whole, "data": {"name": "x"}}, RunConfig) == "data.images is missing"
    assert fault(True, int) == "the value is true, not a whole number"
    assert fault(1.5, int) == "the value is 1.5, not a whole number"
    assert fault(None, float | None) == ""
    assert fault("x" * 99, float | None) == f'the value is "{29 * "x"}…, not a number'
