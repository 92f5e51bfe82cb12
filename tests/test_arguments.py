"""Tests of command-line arguments: wrong ones are refused in one line, others are normalised."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Cli, one_line_error

from gansweep.commands.arguments import checked
from gansweep.store.errors import UserError


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--resolve", "--resolve belongs to --cfg"),
        ("--run -m", "--run asks for one run and -m for a sweep"),
        ("--experimental-rerun x", "gansweep has no --experimental-rerun: resume SWEEP"),
        ("--config-path mine", "add yours with --config-dir DIR"),
        ("--shell-completion", "shell completion is installed by eval"),
        ("-sc zz=1", "shell completion is installed by eval"),
        ("-sc install=csh", "shell completion is installed by eval"),
        ("hydra=1", "hydra=1: hydra takes no value: write hydra.NAME=…"),
        ("hydra.run.dir=x", "hydra.run.dir=x has no effect here: out=FOLDER is the folder of runs"),
        ("hydra.job.chdir=true", "hydra.job.chdir=true has no effect here: paths are relative"),
        ("-m hydra.sweep.dir=x", "hydra.sweep.dir=x has no effect here: out=FOLDER"),
        ("-m hydra/launcher=nope", "hydra/launcher=nope: valid: basic, gansweep_local, "),
        ("-m hydra/sweeper=gansweep_serch", "did you mean 'gansweep_search'?"),
        ("-m lr=range(0,1,0)", "lr=range(0,1,0): the step of a range must not be 0"),
        ("-m lr=range(1,0,0.1)", "lr=range(1,0,0.1) has no values"),
        ("-m lr=range(0,inf,0.1)", "the ends of a range must be finite numbers"),
        ("-m beta1=range(0,1,1e-7)", "has 10,000,000 values; the limit is 100,000"),
        ("-m lr=glob(*)", "lr=glob(*): lr has no names to choose from"),
        ("threads=99999999999", "threads=99999999999 is out of range; valid: 1 <= threads <= 1024"),
        ("steps=1e-3", "steps=0.001 is not a whole number"),
        ("foo=1", "unknown parameter 'foo'; --help lists all parameters"),
        ("+experiment=dcgan", "a named set of parameters is a profile: DIR/profile/NAME.yaml"),
        ("+lr=1", "+lr=1: parameters can be set, not added or removed; write lr=…"),
        ("stauts", "no command 'stauts': did you mean 'status'?"),
        ("train", "'train' is neither name=value nor a command (report, open, serve, rate,"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(arguments: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        checked(arguments.split())
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "understood"),
    [
        ("++lr=1e-3", ["lr=1e-3"]),
        ("steps=1e3", ["steps=1000", "epochs=null"]),
        ("lr=1e-3 -m", ["-m", "lr=1e-3"]),
        ("-m search=[lr,beta1]", ["-m", "search=lr,beta1", "hydra/sweeper=gansweep_search"]),
        ("-m sweep=readme_table rows=[0,3]", ["-m", "sweep=readme_table", "rows=0,3"]),
        ("-m hydra/launcher=local seed=1,2", ["-m", "hydra/launcher=gansweep_local", "seed=1,2"]),
        (
            "-m hydra/launcher=submitit_local hydra.sweep.dir=x",
            ["-m", "hydra/launcher=submitit_local", "hydra.sweep.dir=x"],
        ),
    ],
)  # fmt: skip
def test_arguments_are_normalised_to_one_spelling(arguments: str, understood: list[str]) -> None:
    assert checked(arguments.split()) == understood


def test_errors_of_hydra_are_one_line(cli: Cli, tmp_path: Path) -> None:
    assert "Hydra cannot read this command line" in one_line_error(cli("--info", "--cfg", "job"))
    assert "hydra.job" in one_line_error(cli("hydra.job=5", "steps=2"))
    assert list(tmp_path.iterdir()) == []


def test_whole_numbers_in_scientific_notation(cli: Cli) -> None:
    assert "steps: 1000\n" in cli("steps=1e3", "--cfg", "job").stdout
    planned = cli("-m", "steps=1e3", "batch_size=3e1,4e1", "data=mnist5k", "plan=true")
    assert "2 rows, 2 runs" in planned.stdout, planned.stderr
    assert "batch_size=30" in planned.stdout


def test_a_bug_in_gansweep_keeps_its_traceback() -> None:
    from gansweep.commands.hydra_errors import raised_by_hydra
    from gansweep.config import check

    with pytest.raises(TypeError) as bug:
        check("lr", 1, 2)  # type: ignore[call-arg]
    # The caller raises this error, and here the caller is not gansweep.
    assert raised_by_hydra(bug.value)
    with pytest.raises(TypeError) as bug:
        check(None, object())  # type: ignore[arg-type]
    assert not raised_by_hydra(bug.value)
