"""Tests of `extend`: a run that is trained longer ends with the bits of one long run."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
from commands import Command
from commands import run as run_command
from conftest import one_line_error, plan_small

from gansweep.commands import show
from gansweep.store.extension import begin, bound_states, final_state, read_parent
from gansweep.store.run import Run
from gansweep.training import judge_callback
from gansweep.training.job import execute

NETWORKS = {"1": ("1", "1"), "3": ("3", "3"), "5": ("5", "4")}
GRID = (
    "-m", "lr=1e-3,5e-4", "disc_opt=sgd", "data=mnist5k", "gen=5", "disc=4", "width=0.03125",
    "judge=false", "threads=1", "log_every=2", "sample_every=10",
)  # fmt: skip
DROPPED = ("seconds", "memory_mib", "judging_seconds")


def same_as(run: Run, other: Run) -> None:
    """Check that two runs have equal weights bit for bit, and equal losses."""
    assert run.id == other.id
    assert run.final.read_bytes() == other.final.read_bytes()
    mine, its = (
        [{**line, **dict.fromkeys(DROPPED)} for line in r.read_metrics()] for r in (run, other)
    )
    assert mine == its
    assert run.sample_pictures().keys() == other.sample_pictures().keys()
    for step, path in run.sample_pictures().items():
        assert path.read_bytes() == other.sample(step).read_bytes()


def all_runs(folder: Path) -> list[Run]:
    return [Run(folder.parent, path.name) for path in sorted((folder).iterdir())]


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("networks", NETWORKS.values(), ids=NETWORKS)
def test_a_longer_run_equals_one_long_run_bit_for_bit(
    networks: tuple[str, str], optimizer: str, tmp_path: Path
) -> None:
    gen, disc = networks
    drops = {"gen_drop": 0.3} if gen != "1" else {"disc_drop": 0.0}
    params = {
        "gen": gen, "disc": disc, "gen_opt": optimizer, "disc_opt": optimizer, "width": 1 / 32,
        "judge": "false", "ema_decay": 0.9, "batch_size": 16, **drops,
    }  # fmt: skip
    short = plan_small(tmp_path / "a", **params)
    execute(short, "")
    assert not short.last.exists()
    assert final_state(short) == short.state
    longer = plan_small(tmp_path / "a", **params | {"steps": 40})
    assert begin(longer, short, 20)
    assert longer.status() == "interrupted"
    assert read_parent(longer) == {**(read_parent(longer) or {}), "run": short.id, "step": 20}
    execute(longer, "")
    assert [e["step"] for e in longer.read_history() if e["event"] == "started"] == [20]
    direct = plan_small(tmp_path / "b", **params | {"steps": 40})
    execute(direct, "")
    same_as(longer, direct)


def test_the_evaluations_and_the_best_weights_continue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of generated images depends on the length, and must not change within a run."""
    monkeypatch.setattr(judge_callback, "IMAGES_PER_EVALUATION", 160)
    sizes = {20: (200, 250), 40: (220, 270)}
    monkeypatch.setattr(judge_callback, "sample_sizes", lambda images, _: sizes[images // 32])
    params = {"gen": "5", "disc": "4", "width": 1 / 32}
    short = plan_small(tmp_path / "a", **params)
    execute(short, "")
    earlier = short.read_evaluations()
    longer = plan_small(tmp_path / "a", **params, steps=40)
    assert begin(longer, short, 20)
    result = execute(longer, "")
    evaluations = longer.read_evaluations()
    assert evaluations[: len(earlier)] == earlier
    assert [e["step"] for e in evaluations] == [0, 5, 10, 15, 20, 25, 30, 35, 40]
    assert {e["n"] for e in evaluations} == {200}
    judge = result["judge"]
    assert judge is not None
    assert judge["score"]["n"] == 270, "the score is that of every long run"
    assert judge["looks"] == 9
    assert longer.final.read_bytes() != short.final.read_bytes()


# The command -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def grids(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a sweep of 20 steps in outputs/, and the same with 40 steps in whole/."""
    folder = tmp_path_factory.mktemp("extended")
    for words in (("steps=20", "name=g"), ("steps=40", "name=long", "out=whole")):
        done = run_command(folder, *GRID, *words)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def folder(grids: Path, tmp_path: Path) -> Path:
    shutil.copytree(grids, tmp_path, dirs_exist_ok=True)
    return tmp_path


def as_whole(folder: Path, count: int = 2) -> None:
    """Check that the extended runs are those of the long sweep."""
    expected = {run.id: run for run in all_runs(folder / "whole/runs")}
    found = [run for run in all_runs(folder / "outputs/runs") if run.id in expected]
    assert len(found) == count
    for run in found:
        same_as(run, expected[run.id])


def test_a_sweep_is_trained_longer_through_kills(folder: Path) -> None:
    planned = run_command(folder, "extend", "g", "--steps", "40", "plan=true")
    assert planned.returncode == 0, planned.stderr
    assert planned.stdout.startswith("extend g: 2 rows, 2 runs\n")
    assert planned.stdout.count("20 → 40 steps  continues ") == 2
    assert not (folder / "outputs/sweeps/g-extend-steps-40").exists()
    kills = [f"do=kill step={step} lr=0.001 once={folder}/{step}" for step in (21, 33)]
    done = run_command(folder, "extend", "g", "--steps", "40", fault=";".join(kills))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "extend g: 2 rows, 2 runs\n  0 done, 2 to train" in done.stdout
    assert "killed by SIGKILL; resumes" in done.stdout
    as_whole(folder)
    starts = {
        tuple(e["step"] for e in run.read_history() if e["event"] == "started")
        for run in all_runs(folder / "outputs/runs") if read_parent(run)
    }  # fmt: skip
    assert starts == {(20, 20, 30), (20,)}
    table = (folder / "reports/g-extend-steps-40/README.md").read_text()
    assert "| from row | steps | learning rate |" in table
    assert "| 0 | 20 → 40 | 1e-3 |" in table
    # The same command, the grid with this length and `resume` find all done.
    again = run_command(folder, "extend", "g", "--steps", "40")
    assert "2 done, 0 to train" in again.stdout
    assert "2 done, 0 to train" in run_command(folder, *GRID, "steps=40", "name=typed").stdout
    resumed = run_command(folder, "resume", "g-extend-steps-40", "plan=true")
    assert "python -m gansweep extend g --steps 40 plan=true" in resumed.stdout
    assert resumed.stdout.count("steps  done\n") == 2
    # A longer run is extended like any other.
    more = run_command(folder, "extend", "g-extend-steps-40", "--steps", "44", "--rows", "1")
    assert "| 1 | 40 → 44 |" not in more.stdout
    assert "1 row, 1 run\n" in more.stdout
    assert more.returncode == 0


def test_the_origin_of_a_longer_run_is_shown(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    short = all_runs(Path("outputs/runs"))[0]
    longer = all_runs(Path("whole/runs"))[0]
    target = Run("outputs", longer.id)
    target.plan(json.loads(longer.config.read_text()))
    assert begin(target, short, 20)
    show.main([longer.id, "--no-picture"])
    assert f"continues  run {short.id} from step 20" in capsys.readouterr().out


def refused(folder: Path, *words: str) -> str:
    return one_line_error(run_command(folder, "extend", *words))


def test_what_cannot_be_trained_longer_is_named(folder: Path) -> None:
    assert "give the new length" in refused(folder, "g")
    assert "give the new length" in refused(folder, "g", "--steps", "40", "--epochs", "2")
    assert "lr=1 cannot be changed here" in refused(folder, "g", "--steps", "40", "lr=1")
    assert "it has 20 steps already, and 20 are asked for" in refused(folder, "g", "--steps", "20")
    assert "rows=7: 7 is not within" in refused(folder, "g", "--steps", "40", "--rows", "7")
    assert "none of the 2 rows" in refused(
        folder, "g", "--steps", "40", "--where", "label=='still improving'"
    )
    # A final state that is gone
    short = all_runs(folder / "outputs/runs")[0]
    short.state.unlink()
    message = refused(folder, "g", "--steps", "40")
    assert "1 of 2 runs have no final state any more" in message
    assert "--from-start trains these from their first step" in message
    planned = run_command(folder, "extend", "g", "--steps", "40", "--from-start", "plan=true")
    assert planned.stdout.count("from the start\n") == 1
    done = run_command(folder, "extend", "g", "--steps", "40", "--from-start")
    assert done.returncode == 0, done.stdout
    as_whole(folder)
    # A schedule, and a run that has failed
    words = ("-m", "lr=1e-3", *GRID[2:], "steps=10")
    assert run_command(folder, *words, "lr_end=0.1", "name=s").returncode == 0
    assert "its schedule ends at step 10 (lr_end" in refused(folder, "s", "--steps", "20")
    assert run_command(folder, *words, "seed=5", "name=f", fault="do=raise step=3").returncode == 1
    assert "failed: injected" in refused(folder, "f", "--steps", "20")


def test_only_the_latest_final_states_are_kept(tmp_path: Path) -> None:
    runs = [plan_small(tmp_path, seed=seed, steps=2, judge="false", gen="5", disc="4", width=1 / 32)
            for seed in (1, 2, 3)]  # fmt: skip
    for number, run in enumerate(runs[:2]):
        execute(run, "")
        os.utime(run.state, (number, number))
    size = runs[0].state.stat().st_size
    bound_states(tmp_path / "runs", 2.5 * size / (1 << 30))
    assert [run.state.exists() for run in runs] == [True, True, False]
    bound_states(tmp_path / "runs", 1.5 * size / (1 << 30))
    assert [run.state.exists() for run in runs] == [False, True, False]
    nothing = plan_small(tmp_path, seed=4, steps=2, judge="false", keep_states=0.0)
    execute(nothing, "")
    assert nothing.status() == "done"
    assert not nothing.state.exists()
    assert not nothing.last.exists()
    assert not runs[1].state.exists(), "the bound is that of the folder"


def test_a_script_is_trained_longer(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    command = "command=python train.py --out {out} --steps {steps} {resume:--resume}"
    words = ("-m", command, "data=mnist5k", "judge=false")
    assert run_command(tmp_path, *words, "steps=3", "name=g").returncode == 0
    done = run_command(tmp_path, "extend", "g", "--steps", "5")
    assert done.returncode == 0, done.stdout + done.stderr
    (longer,) = [run for run in all_runs(tmp_path / "outputs/runs") if read_parent(run)]
    assert (longer.script / "steps.txt").read_text() == "1 2 3 4 5 "
    assert list(longer.sample_pictures()) == [3, 5]
    other = "command=python train.py --out {out} --steps {steps}"
    assert run_command(tmp_path, "-m", other, *words[2:], "steps=3", "name=h").returncode == 0
    assert "only with {resume} and {steps}" in refused(tmp_path, "h", "--steps", "5")


SCRIPT = """
import argparse
from pathlib import Path

import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--out", type=Path)
parser.add_argument("--steps", type=int)
parser.add_argument("--resume", action="store_true")
args = parser.parse_args()
done = args.out / "steps.txt"
first = len(done.read_text().split()) if args.resume else 0
with done.open("a") as stream:
    for step in range(first + 1, args.steps + 1):
        stream.write(f"{step} ")
images = np.zeros((16, 28, 28), "uint8")
np.savez(args.out / "samples" / f"{args.steps}.npz", images=images)
"""


@pytest.mark.slow
def test_twenty_kills_at_random_moments_change_nothing(folder: Path) -> None:
    """Any process of the command is killed, the command itself too, which is then repeated."""
    chance = random.Random(7)
    kills = 0
    while kills < 20:
        command = Command(
            folder, "extend", "g", "--steps", "40", "retry=failed", fault="do=slow seconds=0.1"
        )
        time.sleep(chance.uniform(0.1, 3))
        if command.poll() is None:
            os.killpg(command.pid, signal.SIGKILL)
            kills += 1
            command.wait()
        else:
            _forget(folder)
    done = run_command(folder, "extend", "g", "--steps", "40", "retry=failed")
    assert done.returncode == 0, done.stdout + done.stderr
    as_whole(folder)


def _forget(folder: Path) -> None:
    """Remove the longer runs, so that there is something to kill again."""
    for run in all_runs(folder / "outputs/runs"):
        if read_parent(run):
            shutil.rmtree(run.folder)
