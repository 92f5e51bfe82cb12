"""Tests of the commands: each is listed, has two spellings and is completed in the shell."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from conftest import Cli, one_line_error

from gansweep.commands import COMMANDS
from gansweep.store.find_run import find_sweep
from testing.synthetic import write_sweep


def test_help_lists_every_command_with_its_usage(cli: Cli) -> None:
    lines = cli("--help").stdout.splitlines()
    for name, command in COMMANDS.items():
        usage = f"  python -m gansweep {name} {command.usage}"
        assert [line for line in lines if line.startswith(usage) and line.endswith(command.help)]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_module_with_help_of_its_own(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        importlib.import_module(f"gansweep.commands.{name}").main(["--help"])
    assert end.value.code == 0
    usage = " ".join(capsys.readouterr().out.split("\n\n")[0].split())
    assert usage.startswith(f"usage: python -m gansweep {name} ")


# Version 0.1 had these commands in a second spelling, which still works.
OLD = ["report", "status", "resume", "confirm", "show", "diff", "judge", "data", "export"]


@pytest.mark.parametrize("name", OLD)
def test_the_old_spelling_of_a_command_is_the_same_function(name: str) -> None:
    room = ".__main__" if name == "report" else ""  # gansweep/report/ is a package
    old = importlib.import_module(f"gansweep.{name}{room}")
    assert old.main is importlib.import_module(f"gansweep.commands.{name}").main


@pytest.mark.parametrize("spelling", ["gansweep status", "gansweep.status"])
def test_both_spellings_are_the_same_command(spelling: str, cli: Cli) -> None:
    module, *words = spelling.split()
    assert "no sweep 'x' in outputs/sweeps" in one_line_error(cli(*words, "x", module=module))
    assert cli(*words, module=module).returncode == 0


def test_a_misspelt_command_names_the_nearest_command(cli: Cli) -> None:
    message = "no command 'stauts': did you mean 'status'? --help lists all commands"
    assert message in one_line_error(cli("stauts"))
    assert message in one_line_error(cli("stauts", "my-sweep"))
    assert "no command 'reprot': did you mean 'report'?" in one_line_error(cli("reprot", "x"))
    assert "is neither name=value nor a command" in one_line_error(cli("sweep"))


def test_data_without_a_name_lists_the_data_sets(cli: Cli) -> None:
    done = cli("data")
    assert done.returncode == 0
    assert "mnist5k    5,000 real handwritten digits" in done.stdout


@pytest.fixture
def complete(cli: Cli, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Return the shell's completions of a line, with the script that `-sc install=bash` prints."""

    def query(line: str) -> list[str]:
        monkeypatch.setenv("COMP_LINE", line)
        done = cli("-sc", "query=bash")
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout.split()

    return query


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("gansweep ", {*COMMANDS, "lr=", "profile="}),
        ("gansweep sta", {"status", "stand_ins="}),
        ("gansweep gen=", {"gen=1", "gen=5", "gen=conv3"}),
        ("gansweep -m disc=1,co", {"disc=1,conv2", "disc=1,conv3"}),
        ("gansweep lr=1e-3 -m sweep=re", {"sweep=readme_table"}),
        ("gansweep -m sampler=n", {"sampler=nsga2", "sampler=nsga3"}),
        ("gansweep -m search=lr,be", {"search=lr,beta1", "search=lr,beta2"}),
        ("gansweep joint_d=", {"joint_d=true", "joint_d=false"}),
        ("gansweep data=mn", {"data=mnist", "data=mnist5k"}),
        ("gansweep -m hydra/launcher=gan", {"hydra/launcher=gansweep_local"}),
        ("gansweep steps=abc sampler=t", {"sampler=tpe"}),  # Hydra cannot compose this line.
        ("gansweep --conf", {"--config-dir", "--config-name"}),
        ("gansweep report my", {"my-sweep"}),
        ("gansweep show my", {"my-sweep/"}),
        ("gansweep export my", {"my-sweep", "my-sweep/"}),
        ("gansweep logger=csv,t", {"logger=csv,tensorboard", "logger=csv,trackio"}),
        ("gansweep status --out elsewhere ", {"there"}),
        ("gansweep data t", {"toyfaces"}),
    ],
)
def test_the_shell_completes(
    line: str,
    offered: set[str],
    complete,
    tmp_path: Path,  # type: ignore[no-untyped-def]
) -> None:
    for place in ("outputs/sweeps/my-sweep", "elsewhere/sweeps/there"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "manifest.json").write_text(json.dumps({}))
    found = complete(line)
    assert offered <= set(found)
    last = "" if line.endswith(" ") else line.split()[-1]
    assert all(word.startswith(last) for word in found)


@pytest.fixture
def sweeps(tmp_path: Path) -> Path:
    """Plan three sweeps one after the other, and return their folder."""
    for age, name in ((30, "lr-aaa"), (20, "beta1-bbb"), (10, "lr-ccc")):
        write_sweep(tmp_path / "outputs", 1, name=name)
        moment = time.time() - 3600 * age
        os.utime(tmp_path / "outputs/sweeps" / name / "manifest.json", (moment, moment))
    return tmp_path


def test_a_sweep_is_found_by_its_beginning_and_as_the_latest(cli: Cli, sweeps: Path) -> None:
    for text, name in (("lr-aaa", "lr-aaa"), ("b", "beta1-bbb"), ("latest", "lr-ccc")):
        assert cli("status", text).stdout.startswith(f"{name}  ")
        done = cli("report", text, "--format", "markdown", "--to", f"as-{text}")
        assert done.returncode == 0, done.stderr
        assert find_sweep(text, sweeps / "outputs") == name
    message = "lr: 2 sweeps have this prefix, the latest first: lr-ccc, lr-aaa"
    for command in ("status", "report", "resume", "confirm"):
        assert message in one_line_error(cli(command, "lr"))
    assert "no sweep 'x' in outputs/sweeps: valid: " in one_line_error(cli("status", "x"))


def test_all_sweeps_are_listed_by_time_with_the_latest_last(cli: Cli, sweeps: Path) -> None:
    lines = cli("status").stdout.splitlines()
    assert [line.split()[2] for line in lines] == ["lr-aaa", "beta1-bbb", "lr-ccc"]
    moment = time.localtime((sweeps / "outputs/sweeps/lr-ccc/manifest.json").stat().st_mtime)
    assert lines[-1].startswith(time.strftime("%Y-%m-%d %H:%M  lr-ccc  2/2 done", moment))
    assert lines[-1].endswith("  …"), "the arguments of the command"
    path = sweeps / "outputs/sweeps/lr-ccc/manifest.json"
    record = json.loads(path.read_text())
    settings = "lr=" + ",".join(f"{n}e-5" for n in range(1, 40))
    path.write_text(json.dumps({**record, "command": f"python -m gansweep -m {settings}"}))
    assert cli("status").stdout.splitlines()[-1].endswith(f"  {settings}"), "a log has no width"


def test_a_single_run_is_planned_without_training(cli: Cli, tmp_path: Path) -> None:
    done = cli("steps=2", "plan=true", "batch_size=8")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"run \w{10}-s1: 2 steps on mnist5k, planned, to train\n", last_line(done))
    assert not (tmp_path / "outputs").exists()
    assert cli("steps=2", "batch_size=8", "judge=false").returncode == 0
    planned = cli("steps=2", "batch_size=8", "judge=false", "plan=true")
    assert last_line(planned).endswith("2 steps on mnist5k, done\n")


@pytest.mark.slow
def test_a_single_run_prints_its_score_at_its_end(cli: Cli) -> None:
    done = cli("steps=2", "batch_size=8", "width=0.0625")
    assert re.search(r"^score: FD \(LeNet\) [\d,.]+ ", done.stdout, re.MULTILINE), done.stdout


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout.splitlines(keepends=True)[-1]
