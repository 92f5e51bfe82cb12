"""Tests of --json, quiet=true, NO_COLOR and on_done=, by which programs follow sweeps."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from commands import run as run_command
from conftest import one_line_error, revive

from gansweep.launch import on_done
from gansweep.launch.on_done import run_on_done
from gansweep.store import answers
from gansweep.store.check import fault

pytestmark = pytest.mark.slow

GRID = (
    "-m", "lr=1e-3,5e-4", "data=mnist5k", "gen=5", "disc=4", "width=0.03125", "steps=6",
    "threads=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("answers")
    done = run_command(folder, *GRID, "name=g", fault="do=raise lr=0.0005 step=3")
    assert done.returncode == 1, done.stderr
    revive(folder)
    return folder


def answered(kind: Any, done: subprocess.CompletedProcess[str], code: int = 0) -> Any:
    """Return the JSON that a command has printed, checked against its type."""
    assert done.returncode == code, done.stderr
    answer = json.loads(done.stdout)
    for value in answer if isinstance(answer, list) else [answer]:
        assert fault(value, kind) == ""
        assert set(value) == set(kind.__annotations__)
    return answer


def test_commands_answer_programs(folder: Path) -> None:
    plan = answered(
        answers.PlanAnswer,
        run_command(folder, *GRID, "beta1=0.3,0.5", "name=p", "plan=true", "--json"),
    )
    assert plan["rows"] == 4
    assert plan["counts"] == {"train": 2, "none": 2, "duplicate": 0}
    assert {run["status"] for run in plan["runs"]} == {"planned", "done", "failed"}
    status = answered(answers.StatusAnswer, run_command(folder, "status", "g", "--json"), 1)
    assert status["counts"] == {"done": 1, "failed": 1}
    assert status["weights_bytes"] > 1000
    assert [run["note"] for run in status["runs"]] == ["", "failed: injected"]
    listed = answered(answers.StatusAnswer, run_command(folder, "status", "--json"))
    assert [sweep["name"] for sweep in listed] == ["g"]
    report = answered(answers.ReportAnswer, run_command(folder, "report", "g", "--json"))
    cells = [row["cells"]["Number Output"] for row in report["rows"]]
    assert [cell["statuses"] for cell in cells] == [["done"], ["failed"]]
    assert cells[0]["metric"] == "fd_lenet"
    assert cells[0]["value"] > 0
    (shown,) = answered(answers.RunAnswer, run_command(folder, "show", "g/0", "--json"))
    assert shown["params"]["lr"] == 0.001
    assert shown["result"]["judge"]["score"]["fd_lenet"] == cells[0]["value"]
    diff = answered(answers.DiffAnswer, run_command(folder, "diff", "g/0", "g/1", "--json"), 1)
    assert diff["parameters"] == {"learning rate": ["1e-3", "5e-4"]}
    same = answered(answers.DiffAnswer, run_command(folder, "diff", "g/0", "g/0", "--json"))
    assert same["same"] is True
    confirmed = answered(
        answers.ConfirmAnswer,
        run_command(folder, "confirm", "g", "--top", "1", "--seeds", "2", "--json"),
    )
    assert [len(row["values"]) for row in confirmed["rows"]] == [2]
    assert confirmed["complete"] is True


def test_json_alone_is_refused_for_a_training(folder: Path) -> None:
    message = one_line_error(run_command(folder, *GRID, "--json"))
    assert "--json prints the plan of a sweep: add plan=true" in message
    message = one_line_error(run_command(folder, "-m", "search=lr", "plan=true", "--json"))
    assert "a search has no list of runs" in message


def test_quiet_prints_only_what_fails(folder: Path) -> None:
    done = run_command(folder, *GRID, "name=q", "seed=7", "quiet=true")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (folder / "reports/q/README.md").exists()
    failed = run_command(folder, *GRID, "name=q", "seed=8", "quiet=true", fault="do=raise step=3")
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert failed.stderr.count("failed: injected (log: ") == 2
    single = run_command(folder, *GRID[2:], "quiet=true")
    assert (single.returncode, single.stdout) == (0, "")


def test_a_command_at_the_end_gets_the_counts(folder: Path) -> None:
    words = (*GRID, "name=d", "seed=9")
    say = "on_done='env | grep ^GANSWEEP_ > done.txt; exit 3'"
    done = run_command(folder, *words, say, fault="do=raise lr=0.0005 step=3")
    assert done.returncode == 1, "that of the sweep"
    assert "on_done: the command failed with exit code 3" in done.stdout
    found = dict(line.split("=", 1) for line in (folder / "done.txt").read_text().splitlines())
    assert found["GANSWEEP_NAME"] == "d"
    counts = [found[f"GANSWEEP_{n}"] for n in ("TOTAL", "DONE", "FAILED", "WAITING", "STATUS")]
    assert counts == ["2", "1", "1", "0", "failed"]
    assert Path(found["GANSWEEP_REPORT"]).is_file()


def test_a_command_that_never_ends_is_not_awaited(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(on_done, "PATIENCE", 0.1)
    run_on_done("sleep 1", "g", [], None)
    assert "still runs after 0.1 s" in capsys.readouterr().out
    run_on_done("exit 0", "g", [], None)
    run_on_done(None, "g", [], None)
    assert capsys.readouterr().out == ""


def test_no_color_is_honoured(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    coloured = run_command(folder, "status", "g", cold=True).stdout
    assert "\x1b[32m" in coloured or "\x1b[38" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    plain = run_command(folder, "status", "g", cold=True).stdout
    assert "\x1b[32m" not in plain
    assert "\x1b[38" not in plain
