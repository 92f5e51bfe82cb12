"""Tests of `constraint=`: conditions on the runs of a search's trials."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import optuna
import pytest
from conftest import Cli, one_line_error, revive

from gansweep.config import Config
from gansweep.params import DataConfig
from gansweep.report.stored_study import best_setting, feasible, read_study, violated
from gansweep.report.table.cell import Cell
from gansweep.report.table.columns import ReportRow
from gansweep.report.table.outcome import Outcome
from gansweep.search.constraint import Constraint, read_constraint
from gansweep.search.study import open_study, set_constraints
from gansweep.store.errors import UserError
from gansweep.store.manifest import read_manifest

DIGITS, FACES = "Number Output", "Drawn Face Output"


def read(text: str, *data: str) -> Constraint:
    bases = [Config(data=DataConfig(name)) for name in data or ("mnist5k",)]
    params = {"lr": 1e-3, "gen": "5", "disc_lr": None}
    labelled = [(f"{i}", params, base) for i, base in enumerate(bases)]
    found = read_constraint(text, labelled)
    assert found is not None
    return found


def run(metric: str, value: float, seconds: float, *flags: str) -> Outcome:
    result: Any = {
        "training_seconds": seconds, "parameters": {"generator": 200, "discriminator": 100},
        "judge": {"primary": metric, "score": {metric: value}, "flags": list(flags)},
    }  # fmt: skip
    return Outcome("x-s1", "done", None, "", None, result)


def violations(text: str, *data: str, **cells: list[Outcome]) -> list[float]:
    row = ReportRow("", 0, {"lr": 1e-3, "gen": "5", "disc_lr": None}, {}, {})
    row.cells = {picture: Cell(runs) for picture, runs in cells.items()}
    return list(read(text, *data).violations(row).values())


def test_each_condition_has_its_violation() -> None:
    cells = {"digits": [run("fd_lenet", 80.0, 70.0, "discriminator")]}
    assert violations("training_time<60", **cells) == [10.0]
    assert violations("training_time<70", **cells) == [pytest.approx(0, abs=1e-8)]
    assert violations("training_time<70", **cells)[0] > 0, "equality does not meet <"
    assert violations("training_time<=70 and fd_lenet > 100", **cells) == [0.0, 20.0]
    assert violations("50 < training_time < 60", **cells) == [-20.0, 10.0]
    assert violations("2*training_time + 10 < parameters & lr<2e-3", **cells) == [-150.0, -1e-3]
    assert violations("flags!='D won'", **cells) == [1.0]
    assert violations("flags=='D won' and lr in [1e-3, 1e-4]", **cells) == [0.0, 0.0]
    assert violations("training_time<60 or fd_lenet<90", **cells) == [0.0]
    assert violations("not training_time<60", **cells) == [0.0]
    assert violations("ema_length<1", **cells) == [1.0], "a value that no run has"
    assert violations("disc_lr<1", **cells) == [1.0]


def test_a_condition_holds_on_each_data_set_that_has_its_values() -> None:
    cells = {
        "digits": [run("fd_lenet", 80.0, 50.0), run("fd_lenet", 90.0, 60.0)],
        "faces": [run("fd_random", 1.0, 70.0)],
    }
    data = ("mnist5k", "toyfaces")
    assert violations("training_time<60", *data, **cells) == [10.0], "the faces take longer"
    assert violations("fd_lenet<80", *data, **cells) == [5.0], "the mean of two seeds"
    assert violations("fd_lenet<100 and fd_random<2", *data, **cells) == [-15.0, -1.0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("trainin_time<60", "did you mean 'training_time'? valid: gen, lr, "),
        ("training_time", "not a condition; write for example lr<1e-4 and gen==1"),
        ("training_time<", "invalid syntax; write a condition such as"),
        ("training_time<'a'", "write a condition such as"),
        ("fid<9", "constraint=fid<9: "),
        ("fd_lenet<9 and row==1", "valid: gen, lr, "),
    ],
)
def test_what_is_no_condition_on_a_run_is_refused(text: str, says: str) -> None:
    with pytest.raises(UserError) as refused:
        read(text)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_samplers_learn_from_the_violations(tmp_path: Path) -> None:
    """The least value of x² that x>0.5 allows lies at the bound, and TPE proposes near it."""
    study = open_study(Config(sampler="tpe", seed=1), "q", tmp_path, ["minimize"], {})
    for _ in range(60):
        trial = study.ask()
        x = trial.suggest_float("x", -1, 1)
        set_constraints(trial, 0.0, {"x>0.5": 0.5 - x})
        study.tell(trial, x**2)
    found = sum(t.params["x"] > 0.4 for t in study.trials[30:])
    assert found > 15, "at random, 9 of 30"
    trial = study.trials[-1]
    assert feasible(trial) == (trial.params["x"] >= 0.5)
    assert violated(trial) == ("" if feasible(trial) else "x>0.5")


def test_an_infeasible_trial_is_not_on_the_pareto_front() -> None:
    study = optuna.create_study(directions=["minimize", "minimize"])
    space = {"lr": optuna.distributions.FloatDistribution(0, 1)}
    for values, violation in (([1.0, 1.0], 3.0), ([2.0, 2.0], -1.0)):
        study.add_trial(
            optuna.trial.create_trial(
                values=values, params={"lr": 0.1}, distributions=space,  # type: ignore[arg-type]
                user_attrs={"command": "c", "violations": {"a<1": violation}},
            )
        )  # fmt: skip
    found = best_setting(study, "FD", "fd_lenet")
    assert found[0].startswith("The Pareto front has 1 point of 1 trial that meet the constraint")
    assert found[1].startswith("Trial 1: ")


SEARCH = (
    "-m", "lr=choice(5e-4,1e-3,2e-3)", "hydra/sweeper=gansweep_search", "gen=5", "disc=4",
    "steps=150", "data=mnist5k", "trials=3", "pruner=none", "name=s",
)  # fmt: skip


@pytest.mark.slow
def test_a_trial_that_violates_the_constraint_is_never_the_best(cli: Cli, tmp_path: Path) -> None:
    assert cli("-m", "lr=2e-3", *SEARCH[3:7], "name=g").returncode == 0
    revive(tmp_path)
    constraint = "constraint=lr<8e-4 and training_time<1000"
    done = cli(*SEARCH, constraint, "warm_start=g")
    assert done.returncode == 0, done.stderr
    assert "  constraint: lr<8e-4 and training_time<1000\n" in done.stdout
    assert ", violates lr<8e-4" in done.stdout
    assert "; 2 violate the constraint lr<8e-4 and training_time<1000\n" in done.stdout
    study = read_study(None, "s", tmp_path / "outputs/sweeps/s/manifest.json")
    complete = [t for t in study.trials if t.state.name == "COMPLETE"]
    assert len(complete) == 4, "the warm start has one"
    for trial in complete:
        found = trial.user_attrs["violations"]
        assert found["lr<8e-4"] == pytest.approx(trial.params["lr"] - 8e-4)
        assert found["training_time<1000"] < 0
        assert trial.constraints["lr<8e-4"] == found["lr<8e-4"], "the sampler's"
    good = next(t for t in complete if t.params["lr"] == 5e-4)
    # The run of this one may never have started, so its flags are removed for the commands.
    revive(tmp_path)
    manifest = read_manifest(tmp_path / "outputs", "s")
    assert manifest.search["constraint"] == "lr<8e-4 and training_time<1000"
    assert set(manifest.search["outside"].values()) == {"lr<8e-4"}
    assert len(manifest.search["outside"]) == 2
    text = cli("report", "s", "--best", "3", "--json").stdout
    rows = json.loads(text)["rows"]
    assert [row["facts"]["trial"] for row in rows] == [str(good.number)]
    text = cli("report", "s").stdout
    assert "violates lr<8e-4" in text
    readme = (tmp_path / "reports/s/README.md").read_text()
    assert "Constraint: lr&lt;8e-4 and training\\_time&lt;1000; 3 trials violate it." in readme
    (run_id,) = good.user_attrs["runs"]
    assert f"run {run_id}  done" in cli("show", "s/best").stdout
    assert f"{run_id.partition('-')[0]}-s2" in cli("confirm", "s", "plan=true").stdout
    # The recorded command repeats the search; another constraint is another study.
    repeated = cli(*shlex.split(manifest.command)[3:])
    assert repeated.returncode == 0, repeated.stderr
    assert "3 trials, 3 finished or running" in repeated.stdout
    other = one_line_error(cli(*SEARCH, "constraint=lr<1"))
    assert "study s was created with another constraint; choose another name=" in other
    assert "another constraint" in one_line_error(cli(*SEARCH))


def test_a_bad_constraint_is_refused_before_anything_is_trained(cli: Cli, tmp_path: Path) -> None:
    for text, says in (
        ("trainin_time<60", "did you mean 'training_time'?"),
        ("training_time<60,70", "not a condition"),
    ):
        assert says in one_line_error(cli(*SEARCH, f"constraint={text}"))
    assert "constraint=lr<1 is for searches" in one_line_error(cli("-m", "lr=1", "constraint=lr<1"))
    assert not (tmp_path / "outputs/runs").exists()
    planned = cli(*SEARCH, "plan=true", "constraint=label=='plateau' and lr in [1e-3, 1e-4]")
    assert "  constraint: label=='plateau' and lr in [1e-3, 1e-4]\n" in planned.stdout
