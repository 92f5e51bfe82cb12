"""Tests of searches: spaces, the number of trials despite kills, pruning and warm starts."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
import pytest
from conftest import Cli, one_line_error, revive
from optuna.trial import TrialState

from gansweep.config import Config
from gansweep.report.stored_study import (
    ALIVE,
    SEARCHER,
    counted,
    feasible,
    open_storage,
    read_study,
)
from gansweep.search.budget import further_gain
from gansweep.search.gan_planner import mean_distance
from gansweep.search.search import Search
from gansweep.search.space import Space, read_space, with_sweeper
from gansweep.search.study import RELEASED, SearchProcess, fail_abandoned_trials, open_study
from gansweep.store.errors import UserError
from gansweep.store.manifest import read_manifest
from gansweep.store.run import Run
from testing.toys import ToyPlanner, branin, branin_space, search

ROOT = Path(__file__).parents[1]
optuna.logging.set_verbosity(optuna.logging.ERROR)


def space(*arguments: str, names: str = "", **base: Any) -> Space:
    return read_space(list(arguments), names.split(",") if names else [], Config(**base))


def draws(of: Space, count: int = 40, **base: Any) -> list[dict[str, Any]]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    return [of.propose(study.ask(), Config(**base)) for _ in range(count)]


# --- The space ------------------------------------------------------------------------------------


def test_the_space_follows_from_hydras_grammar() -> None:
    values = draws(
        space("lr=tag(log,interval(1e-5,1e-2))", "beta1=interval(0,0.9)", "gen=1,3,5",
              "batch_size=range(16,64,16)", "z_dim=interval(10,20)")
    )  # fmt: skip
    assert {v["gen"] for v in values} == {"1", "3", "5"}
    assert {v["batch_size"] for v in values} == {16, 32, 48}, "range stops before its end"
    assert all(isinstance(v["z_dim"], int) and 10 <= v["z_dim"] <= 20 for v in values)
    assert all(0 <= v["beta1"] <= 0.9 for v in values)
    assert sum(v["lr"] < 3e-4 for v in values) > 10, "logarithmic"
    assert all(v["lr"] == float(f"{v['lr']:.4g}") for v in values), "four digits"


def test_declared_ranges_are_the_default_space() -> None:
    values = draws(space(names="lr,beta1,gen,batch_size,joint_d"))
    assert {v["gen"] for v in values} == {"1", "2", "3", "4", "5"}, "only networks for 28 pixels"
    assert all(1e-5 <= v["lr"] <= 1e-2 and 16 <= v["batch_size"] <= 128 for v in values)
    assert {v["joint_d"] for v in values} == {False, True}


def test_parameters_without_effect_are_not_proposed() -> None:
    for v in draws(space("gen=1,4", "disc=1,4", names="gen_drop,disc_drop,lr")):
        assert ("gen_drop" in v) == (v["gen"] == "4")
        assert ("disc_drop" in v) == (v["disc"] == "4")
    for v in draws(space("gen_opt=adam,sgd", "disc_opt=adam,sgd", names="beta1,momentum")):
        assert ("beta1" in v) == ("adam" in (v["gen_opt"], v["disc_opt"]))
        assert ("momentum" in v) == ("sgd" in (v["gen_opt"], v["disc_opt"]))


def test_networks_that_do_not_fit_are_never_proposed() -> None:
    pairs = {(v["gen"], v["disc"]) for v in draws(space("gen=5,conv2", "disc=4,conv2,conv3"))}
    assert pairs == {("5", "4"), ("conv2", "conv2"), ("conv2", "conv3")}


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("lr=interval(0.01,0.001)", "the first bound must be less"),
        ("lr=interval(0,2)", "lr=0.0 is out of range; valid: 0 < lr <= 1"),
        ("beta1=tag(log,interval(0,0.9))", "a logarithmic interval must begin above 0"),
        ("gen=interval(1,3)", "gen takes choices, not an interval"),
        ("lr=tag(log,choice(1e-3,1e-2))", "choices have no scale"),
        ("lr=tag(lgo,interval(1e-5,1e-2))", "no tag 'lgo'; the only valid tag is log"),
        ("out=a,b", "out cannot be searched"),
        ("gen=1,77", "gen=77"),
    ],
)
def test_an_invalid_space_is_refused(argument: str, says: str) -> None:
    with pytest.raises(UserError, match=says.replace("(", r"\(")):
        space(argument)


def test_a_search_is_recognised_by_its_arguments() -> None:
    chosen = "hydra/sweeper=gansweep_search"
    assert chosen in with_sweeper(["lr=interval(0.1,0.2)"])
    assert chosen in with_sweeper(["search=lr,beta1"])
    assert chosen in with_sweeper(["sweep=best_settings", "seed=2"])
    assert chosen not in with_sweeper(["lr=0.1,0.2", "sweep=readme_table"])


def test_data_sets_have_equal_weight_at_any_scale() -> None:
    assert mean_distance([[2.0, 4.0]]) == 3
    assert mean_distance([[100.0], [1.0]]) == pytest.approx(10)


def test_a_search_starts_with_the_defaults_and_a_space_filling_design() -> None:
    of = space(names="lr,beta1,gen,batch_size")
    base = Config()
    defaults = of.defaults(base)
    assert defaults is not None
    assert (defaults["lr"], defaults["beta1"], defaults["gen"]) == (base.lr, base.beta1, base.gen)
    assert space("lr=interval(0.1,0.2)").defaults(base) is None
    design = of.design(16, seed=7)
    lr = next(d for d in of.dimensions if d.name == "lr")
    decades = {
        int(4 * math.log(point["lr"] / lr.low) / math.log(lr.high / lr.low)) for point in design
    }
    assert decades == {0, 1, 2, 3}, "every quarter of a logarithmic range"
    assert {point["gen"] for point in design} == set(
        next(d for d in of.dimensions if d.name == "gen").choices
    )
    for point in design:
        assert all(d.contains(point[d.name]) for d in of.dimensions)
    assert of.design(16, seed=8) != design
    assert of.design(16, seed=7) == design
    steps = space("batch_size=range(16,80,16)").design(8, seed=1)
    assert {point["batch_size"] for point in steps} == {16, 32, 48, 64}


# --- The engine, with toys in place of GANs -------------------------------------------------------


@pytest.mark.slow
def test_one_slot_gives_the_proposals_of_optuna_alone(tmp_path: Path) -> None:
    ours = search("branin", tmp_path, 30, slots=1, seed=3)
    alone = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=3, constant_liar=True))
    alone.optimize(lambda trial: branin(branin_space(trial)), 30)
    assert [t.value for t in ours.trials] == [t.value for t in alone.trials]


@pytest.mark.slow
def test_bad_trials_are_pruned_and_their_slots_get_new_trials(tmp_path: Path) -> None:
    study = search(
        "mixed", tmp_path, 20, pruner="asha", sampler="random", seconds=lambda values: 0.8
    )
    states = Counter(t.state for t in study.trials)
    assert states[TrialState.PRUNED] >= 5
    assert states[TrialState.PRUNED] + states[TrialState.COMPLETE] == 20
    for trial in study.trials:
        evaluations = Run(tmp_path, trial.user_attrs["runs"][0]).read_evaluations()
        if trial.state == TrialState.PRUNED:
            assert len(evaluations) < 10
            assert "pruned at step" in trial.user_attrs["why"]
        assert (
            list(trial.intermediate_values)
            == [10 * line["step"] for line in evaluations][: len(trial.intermediate_values)]
        )
    assert study.best_value == min(t.value for t in study.trials if t.state.name == "COMPLETE")


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["gp", "qmc", "nsga3", "random"])
def test_every_sampler_on_sqlite(sampler: str, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/study.db"
    study = search("branin", tmp_path, 12, sampler=sampler, storage=storage)
    assert sum(counted(t) for t in study.trials) == 12
    again = search("branin", tmp_path, 14, sampler=sampler, storage=storage)
    assert sum(counted(t) for t in again.trials) == 14


def test_a_sampler_whose_package_is_missing_is_refused(tmp_path: Path) -> None:
    if importlib.util.find_spec("cmaes"):
        pytest.skip("cmaes is installed")
    with pytest.raises(UserError, match="sampler=cmaes needs cmaes: pip install cmaes"):
        search("branin", tmp_path, 3, sampler="cmaes")


def player(out: Path, trials: int, seconds: float, storage: str, seed: int) -> Any:
    return subprocess.Popen(
        [sys.executable, "-m", "testing.toys", "mixed", str(out), str(trials), str(seconds),
         storage, str(seed)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip


def children(pid: int) -> list[int]:
    """Return the process ids of all descendants."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            child = int(path.parent.name)
            found += [child, *children(child)]
    return found


@pytest.mark.slow
def test_kills_neither_lose_nor_repeat_trials(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    rng = random.Random(seed)
    best = float("inf")
    for attempt in range(6):
        process = player(tmp_path, 25, 0.2, "journal", attempt)
        time.sleep(rng.uniform(2.0, 4.5))
        victims = [process.pid] if attempt % 2 else children(process.pid)[-2:]
        for victim in victims:
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        if attempt % 2:
            process.communicate(timeout=60)
            found = values(tmp_path)
            if found:
                assert min(found) <= best, "the best value was lost"
                best = min(found)
        else:
            time.sleep(0.5)
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=60)
    done = player(tmp_path, 25, 0.02, "journal", 9)
    said, _ = done.communicate(timeout=120)
    assert done.returncode == 0, said
    study = read_study(None, "mixed", tmp_path / "sweeps/mixed/manifest.json")
    assert sum(counted(t) for t in study.trials) == 25
    assert not [t for t in study.trials if t.state == TrialState.RUNNING], (
        "no trial is left running"
    )
    assert study.best_value <= best
    complete = [t for t in study.trials if t.state == TrialState.COMPLETE]
    trained = (tmp_path / "trained.txt").read_text().split()
    assert sorted(trained) == sorted(t.user_attrs["runs"][0] for t in complete), (
        "each run is trained once"
    )


def values(out: Path) -> list[float]:
    study = read_study(None, "mixed", out / "sweeps/mixed/manifest.json")
    return [t.value for t in study.trials if t.value is not None]


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a PostgreSQL server for the tests, and return its URL."""
    pytest.importorskip("psycopg")
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("pg_ctl", path=os.pathsep.join([os.environ["PATH"], *map(str, places)]))
    if found is None:
        pytest.skip("no PostgreSQL here (Debian: apt install postgresql)")
    as_user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root.
        if shutil.which("runuser") is None or subprocess.run(["id", "postgres"]).returncode:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    # The path of a socket must be short.
    folder = Path("/tmp") / f"gansweep-postgresql-{os.getpid()}"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    ctl = [*as_user, found, "-D", str(folder / "data")]
    quiet: dict[str, Any] = {"check": True, "stdout": subprocess.DEVNULL, "cwd": folder}
    try:
        (folder / "password").write_text("hunter2\n")
        access = f"-A scram-sha-256 --pwfile={folder}/password -U postgres"
        subprocess.run([*ctl, "initdb", "-o", access], **quiet)
        options = f"-k {folder} -c listen_addresses='' -F"
        subprocess.run([*ctl, "-w", "-o", options, "-l", str(folder / "log"), "start"], **quiet)
        yield f"postgresql://postgres:hunter2@/postgres?host={folder}"
        subprocess.run([*ctl, "-m", "immediate", "stop"], **quiet)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_two_processes_share_a_study_on_postgresql(postgresql: str, tmp_path: Path) -> None:
    both = [player(tmp_path / name, 30, 0.2, postgresql, i) for i, name in enumerate("ab")]
    for process in both:
        said, _ = process.communicate(timeout=180)
        assert process.returncode == 0, said
    study = read_study(postgresql, "mixed", tmp_path / "a/sweeps/mixed/manifest.json")
    assert sum(counted(t) for t in study.trials) == 30
    complete = [t for t in study.trials if t.state == TrialState.COMPLETE]
    assert len(complete) == 30
    trained = [(tmp_path / name / "trained.txt").read_text().split() for name in "ab"]
    assert all(len(of) >= 8 for of in trained), "both took part"
    assert sorted([*trained[0], *trained[1]]) == sorted(t.user_attrs["runs"][0] for t in complete)


@pytest.mark.slow
def test_no_file_has_the_password_of_a_database(
    postgresql: str, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = (
        "-m", "search=lr", "trials=1", "sampler=random", "pruner=none", "name=q", "data=mnist5k",
        "steps=4", "width=0.0625", "threads=1",
    )  # fmt: skip
    done = cli(*search, f"storage='{postgresql}'")
    assert done.returncode == 0, done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"hunter2" not in path.read_bytes(), path
    said = one_line_error(cli("report", "q"))
    assert "study q cannot be read" in said
    assert "give its password with --storage URL" in said
    assert "hunter2" not in one_line_error(cli(*search, f"storage='{postgresql}0'"))
    assert cli("report", "q", "--storage", postgresql).returncode == 0
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    assert cli("report", "q").returncode == 0
    assert cli("resume", "q", "trials=2").returncode == 0, "the recorded command suffices"


def silent_for(seconds: float, trial: optuna.Trial) -> None:
    """Claim a trial for a search on another machine, which was silent for this time."""
    trial.set_user_attr(SEARCHER, {"id": "x", "host": "another machine", "lock": "/nowhere"})
    trial.set_user_attr(ALIVE, time.time() - seconds)


def test_a_search_on_another_machine_counts_as_killed_when_it_is_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Signs of life must change; the clocks of two machines may differ by minutes."""
    monkeypatch.setenv("GANSWEEP_LEASE", "0.2")
    study = optuna.create_study()
    alive, dead, left = study.ask(), study.ask(), study.ask()
    for trial in (alive, dead, left):
        trial.suggest_float("lr", 0, 1)
        silent_for(600, trial)
    left.set_user_attr(ALIVE, RELEASED)
    assert fail_abandoned_trials(study) == 1, "its search has left it"
    assert study.ask().suggest_float("lr", 0, 1) == left.params["lr"], "the settings are retried"
    for second in range(4):
        time.sleep(0.4)
        alive.set_user_attr(ALIVE, time.time() - second)
        fail_abandoned_trials(study)
    states = [t.state for t in study.trials[:3]]
    assert states == [TrialState.RUNNING, TrialState.FAIL, TrialState.FAIL]


def test_a_search_writes_heartbeats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = optuna.create_study()
    trial = study.ask()
    process = SearchProcess(tmp_path)
    silent_for(3700, trial)
    process.heartbeat([trial])
    assert fail_abandoned_trials(study) == 1, "no heartbeat before the interval"
    trial = study.ask()
    silent_for(3700, trial)
    monkeypatch.setattr("gansweep.search.study.HEARTBEAT_INTERVAL", 0)
    process.heartbeat([trial])
    assert fail_abandoned_trials(study) == 0
    process.close()


# --- The command ----------------------------------------------------------------------------------

SEARCH = ("-m", "lr=tag(log,interval(1e-4,1e-2))", "beta1=interval(0,0.9)", "steps=6", "name=s")


@pytest.mark.slow
def test_a_search_from_the_command_line(cli: Cli, tmp_path: Path) -> None:
    length = ("gen=5", "disc=4", "steps=150")  # This length makes some runs alive.
    grid = ("-m", "lr=1e-3,2e-3", "beta1=0.5", "data=mnist5k", *length, "name=g")
    assert cli(*grid).returncode == 0
    revive(tmp_path)
    search = (*SEARCH[:3], *length, "name=s")
    done = cli(*search, "trials=4", "warm_start=g", "pruner=none")
    assert done.returncode == 0, done.stderr
    assert "warm start: 2 finished settings of g were added" in done.stdout
    assert "4 trials complete, 0 pruned, 0 failed" in done.stdout
    study = optuna.load_study(
        study_name="s",
        storage=optuna.storages.JournalStorage(
            optuna.storages.journal.JournalFileBackend(
                str(tmp_path / "outputs/sweeps/s/study.journal")
            )
        ),
    )
    assert len(study.trials) == 6
    trained = [t for t in study.trials if "from" not in t.user_attrs]
    for trial in trained:
        run = Run(tmp_path / "outputs", trial.user_attrs["runs"][0])
        score = json.loads(run.result.read_text())["judge"]["score"]["fd_lenet"]
        assert trial.value == score
        assert any(key.startswith("artifacts:") for key in trial.system_attrs)
    text = (tmp_path / "reports/s/README.md").read_text()
    alive = [t for t in study.trials if feasible(t)]
    assert len(alive) >= 2, "the runs of the warm start are alive"
    assert f"is the best of {len(alive)}: FD (LeNet) " in text
    assert text.count("images/row") == 6, "the runs of the grid are shown too"
    assert "](images/history.png)" in text

    # The report has the command of the best run, which is done.
    command = next(line for line in text.split("\n") if line.startswith("python -m gansweep data="))
    assert "is done already" in cli(*command.split()[3:]).stdout
    # The search is continued, then repeated, and then given another space.
    assert "6 trials complete" in cli(*search, "trials=6").stdout
    # The recorded command is the typed one, and repeats the search.
    recorded = read_manifest(tmp_path / "outputs", "s").command
    assert "hydra/sweeper" not in recorded
    again = cli(*shlex.split(recorded)[3:])
    assert "6 trials, 6 finished or running" in again.stdout
    assert again.returncode == 0
    rows = read_manifest(tmp_path / "outputs", "s").rows
    row = next(n for n, row in enumerate(rows) if row.facts["trial"] == "1")
    named = cli("show", "s/trial1").stdout
    assert named == cli("show", f"s/{row}").stdout.partition("\n")[2], "but for the first line"
    assert f"row {row} is trial 1 of the search" in cli("show", f"s/{row}").stdout
    assert "no such trial; the trials of s are 0 to 7" in one_line_error(cli("show", "s/trial8"))
    longer = one_line_error(cli(*[w for w in search if w[:6] != "steps="], "steps=300", "trials=6"))
    assert "with steps=150, not steps=300" in longer
    assert longer.endswith("python -m gansweep extend s")
    other = one_line_error(cli(*search[:2], *length, "name=s"))
    assert "study s was created with another space; choose another name=" in other


def test_an_infeasible_trial_is_never_the_best(cli: Cli, tmp_path: Path) -> None:
    done = cli(*SEARCH, "trials=2", "gen=5", "disc=4")  # No run is alive after six steps.
    assert done.returncode == 0, done.stderr
    assert "(no trial is alive yet)" in done.stdout
    text = (tmp_path / "reports/s/README.md").read_text()
    assert "is the best of" not in text
    assert "no run is alive after 6 steps (2 never learned" in text
    study = read_study(None, "s", tmp_path / "outputs/sweeps/s/manifest.json")
    # The sampler gets the violation of each infeasible trial.
    assert [t.user_attrs["dead"] for t in study.trials] == [t.value for t in study.trials]


@pytest.mark.slow
def test_a_second_machine_joins_a_finished_study(cli: Cli, tmp_path: Path) -> None:
    shared = (*SEARCH, "trials=1", f"storage=sqlite:///{tmp_path}/study.db")
    assert cli(*shared).returncode == 0
    shutil.rmtree(tmp_path / "outputs/sweeps")
    shutil.rmtree(tmp_path / "reports")
    with_its_runs = cli(*shared)
    assert with_its_runs.returncode == 0, with_its_runs.stderr
    assert "images/row0" in (tmp_path / "reports/s/README.md").read_text()
    without = cli(*shared, "out=other", "reports=others")
    assert without.returncode == 0, without.stderr
    assert "the runs of 1 trial are not in other/runs: another machine" in without.stdout
    assert not (tmp_path / "others").exists()


def test_diverged_trials_fail_and_the_search_continues(faulty_cli: Any, tmp_path: Path) -> None:
    cli = faulty_cli("do=nan step=3")
    done = cli(*SEARCH, "trials=2", "log_every=2")
    assert done.returncode == 1
    assert "2 trials complete" not in done.stdout
    study = read_study(None, "s", tmp_path / "outputs/sweeps/s/manifest.json")
    assert [t.state for t in study.trials] == [TrialState.FAIL] * 2
    assert all("diverged: loss_d is nan" in t.user_attrs["why"] for t in study.trials)


def test_seeds_and_two_objectives(cli: Cli, tmp_path: Path) -> None:
    done = cli(*SEARCH, "trials=2", "seeds_per_trial=2", "objective=quality+size", "sampler=nsga2")
    assert done.returncode == 0, done.stderr
    study = read_study(None, "s", tmp_path / "outputs/sweeps/s/manifest.json")
    assert [len(t.user_attrs["runs"]) for t in study.trials] == [2, 2]
    assert len({t.values[1] for t in study.trials}) == 1, "one network, one size"
    value, size = study.trials[0].values
    assert f"  FD (LeNet) {value:,.4g}, parameters {size:,.4g}\n" in done.stdout
    text = (tmp_path / "reports/s/README.md").read_text()
    assert "| trial | FD (LeNet) | parameters |" in text
    assert "seed 2" in text


def test_invalid_searches_are_refused_in_one_line(cli: Cli, tmp_path: Path) -> None:
    for words, says in (
        (
            ("-m", "hydra/sweeper=gansweep_search", "lr=1e-3"),
            "nothing to search: write lr=interval",
        ),
        (("-m", "search=lr", "seed=1,2"), "seeds_per_trial=N trains each setting several times"),
        (("-m", "search=lr", "judge=false"), "a search needs the judge's distances"),
        (("-m", "search=learning_rate"), "learning_rate cannot be searched"),
        (("-m", "search=lr", "storage=nowhere"), "is not a database URL"),
        (("-m", "search=lr", "batch_size=interval(64,9000)"), "has only 4500 images"),
        (("-m", "search=lr", "hydra/launcher=basic"), "slots, or with slots=slurm on a cluster"),
        (("-m", "sweep=readme_table", "hydra/sweeper=gansweep_search"), "is a list of rows"),
        (("-m", "lr=1e-3,1e-4", "trials=5"), "trials=5 is for searches: add search=lr,beta1"),
        (("lr=interval(1e-5,1e-2)",), "intervals are for searches: python -m gansweep -m"),
    ):
        assert says in one_line_error(cli(*words)), words
    assert not (tmp_path / "outputs/runs").exists()


def test_the_readmes_search(cli: Cli) -> None:
    done = cli("-m", "search=lr,beta1", "trials=20", "plan=true")
    assert done.returncode == 0, done.stderr
    assert re.search(r"search search-lr-beta1-\w{6}: 20 trials\n", done.stdout)
    assert "lr: 1e-5 to 0.01, logarithmic" in done.stdout
    assert "beta1: 0 to 0.9" in done.stdout
    assert "estimated time: unknown, no earlier run is similar (" in done.stdout


def test_the_name_of_a_listed_search_does_not_depend_on_the_trials(cli: Cli) -> None:
    for words in ((), ("trials=9", "sampler=random")):
        said = cli("-m", "sweep=best_settings", "plan=true", *words).stdout
        assert "search best_settings: " in said
        assert "lr: 1e-5 to 0.01, logarithmic" in said
        assert "disc_drop: 0 to 0.3" in said
    changed = cli("-m", "sweep=best_settings", "plan=true", "beta2=0.9", "lr=1e-3,1e-2").stdout
    assert re.search(r"search best_settings-beta2_0\.9-\w{6}: ", changed)
    assert "lr: 1e-3, 0.01" in changed


# --- Earlier failures of searches -----------------------------------------------------------------

TINY = ("steps=2", "width=0.0625", "threads=1", "data=mnist5k", "batch_size=8", "name=q")


def test_the_lock_of_a_killed_writer_is_broken_for_relative_paths_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Optuna's lock is a link to its journal, and a relative path makes a dangling link.

    Optuna does not break a dangling link.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gansweep.report.stored_study.GRACE", 1)
    folder = Path("outputs/sweeps/q")
    open_study(Config(), "q", folder, ["minimize"], {})
    lock = folder / "study.journal.lock"
    # A killed writer leaves the first link; one of an earlier version left the second link.
    for target in (folder.resolve() / "study.journal", folder / "study.journal"):
        lock.symlink_to(target)
        began = time.monotonic()
        open_study(Config(), "q", folder, ["minimize"], {}).add_trial(
            optuna.trial.create_trial(value=1.0)
        )
        assert time.monotonic() - began < 20
        assert not lock.is_symlink()
    storage = open_storage(None, folder)
    storage._backend._lock.acquire()
    assert lock.exists(), "the link leads to the journal"


def test_a_resumed_random_search_proposes_other_settings(tmp_path: Path) -> None:
    first = open_study(Config(sampler="random"), "q", tmp_path, ["minimize"], {})
    proposed = [branin_space(first.ask()) for _ in range(5)]
    second = open_study(Config(sampler="random"), "q", tmp_path, ["minimize"], {})
    assert not any(branin_space(second.ask()) in proposed for _ in range(5))


def test_fixed_dropout_must_fit_every_network_of_the_space(cli: Cli) -> None:
    said = one_line_error(
        cli(
            "-m",
            "search=lr",
            "gen=choice(1,3)",
            "gen_drop=0.5",
            *TINY,
            "hydra/sweeper=gansweep_search",
        )
    )
    assert "generator 1 has no dropout layer" in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("search=lr bta1=0.5", "did you mean 'beta1'"),
        ("search=lr lr=1e-3", "search=lr, and lr has one value: leave out one of them"),
        (
            "search=gen_drop gen=1",
            "gen_drop has no effect given the values of the other",
        ),
        ("search=beta1 gen_opt=sgd disc_opt=sgd", "beta1 has no effect"),
        ("z_dim=interval(1,1e300)", "is out of range; valid: 1 <= z_dim <= 65536"),
        ("search=lr storage=nowhere", "is not a database URL"),
        ("search=lr storage=orakel://x", "is not a database URL"),
        ("search=lr storage=mysql+nodriver://x", "is not a database URL"),
        ("search=lr warm_start=nope", "no sweep 'nope'"),
        ("search=lr objective=quality+size sampler=cmaes", "cmaes supports one objective"),
        ("search=lr data=mnist5k,mnist5k", "a value is repeated"),
    ],
)
def test_a_search_without_effect_is_refused(cli: Cli, words: str, says: str) -> None:
    assert says in one_line_error(cli("-m", *words.split(), "plan=true"))


@pytest.mark.slow
def test_a_search_completes_its_trials_after_another_search_dies(tmp_path: Path) -> None:
    """The trial of a living search counts."""
    folder = tmp_path / "sweeps/branin"
    study = open_study(Config(pruner="none"), "branin", folder, ["minimize"], {"toy": "branin"})
    other = SearchProcess(folder)
    trial = study.ask()
    other.claim(trial)
    branin_space(trial)
    # The other search ends after the first trial.
    study = search("branin", tmp_path, 3, on_result=other.close)
    states = Counter(t.state for t in study.trials)
    assert states == {TrialState.COMPLETE: 3, TrialState.FAIL: 1}


def test_two_searches_never_train_the_same_setting_at_once(tmp_path: Path) -> None:
    """The later trial waits until the earlier one, of another search, has got its runs."""
    folder = tmp_path / "sweeps/branin"
    study = open_study(Config(pruner="none"), "branin", folder, ["minimize"], {"toy": "branin"})
    process, planner = SearchProcess(folder), ToyPlanner("branin", str(tmp_path), lambda _: 0.0)
    for _ in range(2):
        study.enqueue_trial({"x": 1.0, "y": 2.0})
    earlier = study.ask()  # another search has asked for it, and plans its runs in this moment
    other = SearchProcess(folder)
    other.claim(earlier)
    values = branin_space(earlier)
    runs = [planned.run.id for planned in planner.plan(values)]
    plans = threading.Timer(0.5, earlier.set_user_attr, ("runs", runs))
    plans.start()
    feed = Search(study, planner, process, trials=3)
    planned = feed.next()
    plans.join()
    assert planned is not None
    assert planned.run.id not in runs
    states = [(t.state.name, t.user_attrs.get("why")) for t in study.trials]
    assert states == [("RUNNING", None), ("FAIL", "proposes what trial 0 has"), ("RUNNING", None)]
    process.close()
    other.close()


def test_a_search_judges_finished_runs_of_judge_false(cli: Cli, tmp_path: Path) -> None:
    run = ("lr=0.0002", "steps=2", "width=0.0625", "threads=1", "data=mnist5k", "batch_size=8")
    assert cli(*run, "judge=false").returncode == 0
    done = cli("-m", "lr=choice(0.0002,0.0003)", "hydra/sweeper=gansweep_search", *TINY, "trials=2")
    assert done.returncode == 0, done.stderr
    recorded = read_manifest(tmp_path / "outputs", "q").command
    assert "hydra/sweeper=gansweep_search" in recorded, "as nothing else says that it is a search"
    assert "2 trials complete, 0 pruned, 0 failed" in done.stdout
    planned = cli("-m", "lr=interval(1e-4,1e-3)", *TINY, "trials=50", "plan=true")
    assert re.search(r"estimated time: \d+:\d\d in \d+ slots?, less with pruning", planned.stdout)


def test_a_search_ends_by_time(cli: Cli, tmp_path: Path) -> None:
    """The last trial gets all its seeds, also in a single slot."""
    words = (*SEARCH[:-1], "seeds_per_trial=2", "jobs_per_device=1", "name=timed")
    assert "budget=2: write a time with its unit" in one_line_error(cli(*words, "budget=2"))
    planned = cli(*words, "budget=3s", "plan=true")
    assert "search timed: 3s\n" in planned.stdout
    assert (
        "search timed: 9 trials within 3s"
        in cli(*words, "budget=3s", "trials=9", "plan=true").stdout
    )
    started = time.monotonic()
    done = cli(*words, "budget=3s")
    assert done.returncode in (0, 1), done.stderr
    assert time.monotonic() - started < 60
    study = read_study(None, "timed", tmp_path / "outputs/sweeps/timed/manifest.json")
    states = Counter(trial.state for trial in study.get_trials(deepcopy=False))
    assert states[TrialState.COMPLETE] >= 1
    assert states[TrialState.RUNNING] == 0


def test_a_search_by_time_tells_what_further_time_would_gain() -> None:
    """Forty trials in two hours, of values 1 to 40 in any order: the next twenty gain little."""
    began = datetime(2026, 1, 1)
    values = random.Random(0).sample(range(1, 41), 40)
    trials = [
        optuna.trial.FrozenTrial(
            number=i, trial_id=i, state=TrialState.COMPLETE, value=float(value), params={},
            distributions={}, user_attrs={}, system_attrs={}, intermediate_values={},
            datetime_start=began + timedelta(minutes=3 * i),
            datetime_complete=began + timedelta(minutes=3 * i + 3),
        )
        for i, value in enumerate(values)
    ]  # fmt: skip
    said = further_gain(trials, True, "FD")
    # The expected least of 20 of these 40 numbers is 41 / 21, and that of all is 1.
    assert said == (
        "another hour, about 20 trials like these, would improve the best FD by 0.952 at most, on "
        "average"
    )
    assert further_gain(trials[:8], True, "FD").startswith("another 12.0 minutes, about 4 trials")
    assert further_gain(trials[:4], True, "FD") == ""
