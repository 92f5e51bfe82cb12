"""The commands: each is listed, found under both spellings, and completed in the shell."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
from conftest import Cli, one_line_error

from gansweep.commands import COMMANDS


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
    assert importlib.import_module(f"gansweep.{name}")  # `python -m gansweep.NAME`


@pytest.mark.parametrize("spelling", ["gansweep status", "gansweep.status"])
def test_both_spellings_are_the_same_command(spelling: str, cli: Cli) -> None:
    module, *words = spelling.split()
    assert "no sweep 'x' in outputs/sweeps" in one_line_error(cli(*words, "x", module=module))
    assert cli(*words, module=module).returncode == 0


def test_a_misspelt_command_names_the_near_one(cli: Cli) -> None:
    message = "no command 'stauts': did you mean 'status'? --help lists all commands"
    assert message in one_line_error(cli("stauts"))
    assert message in one_line_error(cli("stauts", "my-sweep"))
    assert "no command 'reprot': did you mean 'report'?" in one_line_error(cli("reprot", "x"))
    assert "is neither name=value nor a command" in one_line_error(cli("sweep"))


def test_data_without_a_name_lists_what_there_is(cli: Cli) -> None:
    done = cli("data")
    assert done.returncode == 0
    assert "mnist5k    5,000 real handwritten digits" in done.stdout


@pytest.fixture
def complete(cli: Cli, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """What the shell offers behind a line, by the script that `-sc install=bash` prints."""

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
        ("gansweep steps=abc sampler=t", {"sampler=tpe"}),  # Hydra cannot compose that
        ("gansweep --conf", {"--config-dir", "--config-name"}),
        ("gansweep report my", {"my-sweep"}),
        ("gansweep show my", {"my-sweep/"}),
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
