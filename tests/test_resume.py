"""Tests of resuming: an interrupted run ends with the bits of an uninterrupted run."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import Command
from conftest import Cli, one_line_error, plan_small, wait_for, wait_until

from gansweep.launch import follow
from gansweep.launch.follow import sweep_progress
from gansweep.launch.sweep import LocalSweep
from gansweep.launch.task import SweepTask
from gansweep.store.estimate import Estimates
from gansweep.store.run import Run
from gansweep.training import judge_callback
from gansweep.training.gan import GAN
from gansweep.training.job import execute
from gansweep.training.metrics.evaluate import Judge
from testing.synthetic import write_sweep

JUDGED = ("-m", "lr=1e-3,5e-4", "data=mnist5k", "steps=40", "sample_every=10", "name=g")
GRID = (*JUDGED[:-1], "judge=false", JUDGED[-1])
SHORT = (*GRID[:3], "steps=10", "sample_every=5", *GRID[5:])
# The options have all kinds of randomness: dropout, z drawn twice, file order and SGD.
KINDS = {
    "dropout": ("gen_drop=0.5", "disc_drop=0.5", "gen=3", "disc=3"),
    "fresh z, SGD, unshuffled": ("fresh_z=true", "disc_opt=sgd", "shuffle=false"),
    "bf16": ("precision=bf16",),
    "averaged weights": ("ema_decay=0.9", "post_hoc_ema=true"),
}


def runs(folder: Path, name: str = "g") -> list[Run]:
    manifest = json.loads((folder / f"outputs/sweeps/{name}/manifest.json").read_text())
    return [Run(folder / "outputs", run_id) for run_id in manifest["titles"]]


def events(run: Run, event: str) -> list[Any]:
    key = "step" if event == "started" else "cause"
    return [e[key] for e in run.read_history() if e["event"] == event]


def same_as(run: Run, other: Run) -> None:
    """Check that two runs have equal weights bit for bit, equal pictures and equal losses."""
    assert run.final.read_bytes() == other.final.read_bytes()
    for folder, its_folder in ((run.samples, other.samples), (run.averages, other.averages)):
        files = {path.name: path.read_bytes() for path in folder.glob("*")}
        assert files == {path.name: path.read_bytes() for path in its_folder.glob("*")}
    drop = ("seconds", "memory_mib", "judging_seconds")
    for mine, its in zip(run.read_metrics(), other.read_metrics(), strict=True):
        assert {**mine, **dict.fromkeys(drop)} == {**its, **dict.fromkeys(drop)}
    evaluations = run.read_evaluations()
    assert evaluations[-1]["step"] == 40
    for mine, its in zip(evaluations, other.read_evaluations(), strict=True):
        assert {**mine, **dict.fromkeys(drop)} == {**its, **dict.fromkeys(drop)}
    mine, its = (json.loads(r.result.read_text())["judge"] for r in (run, other))
    assert {**mine, **dict.fromkeys(drop)} == {**its, **dict.fromkeys(drop)}


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(options, id=name, marks=[] if name == "bf16" else pytest.mark.slow)
        for name, options in KINDS.items()
    ],
)
def test_a_killed_run_resumes_bit_for_bit(
    options: tuple[str, ...], cli: Cli, faulty_cli: Any, tmp_path: Path
) -> None:
    assert cli(*JUDGED, *options).returncode == 0
    (tmp_path / "outputs").rename(tmp_path / "whole")
    undisturbed = [Run(tmp_path / "whole", p.name) for p in (tmp_path / "whole/runs").iterdir()]

    done = faulty_cli(f"do=kill step=27 lr=0.001 once={tmp_path}/once")(*JUDGED, *options)
    assert done.returncode == 0, done.stderr
    assert "killed by SIGKILL; resumes" in done.stdout
    assert "resumes from step 20" in done.stdout
    killed, other = runs(tmp_path)
    assert events(killed, "started") == [0, 20]
    assert events(killed, "ended") == ["killed", "done"]
    assert events(other, "started") == [0]
    for run in (killed, other):
        same_as(run, next(u for u in undisturbed if u.id == run.id))


def test_best_weights_later_than_the_checkpoint_are_restored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resumed run on a GPU is not equal bit for bit, so the best step may be another one.

    The run is evaluated at steps 0, 5, 10, 15 and 20. It runs out of memory at step 17, after its
    checkpoint of step 10.
    """
    monkeypatch.setattr(judge_callback, "IMAGES_PER_EVALUATION", 160)
    run = plan_small(tmp_path)
    distances = iter([100.0, 50.0, 30.0, 10.0])
    monkeypatch.setattr(
        Judge, "evaluate", lambda self, images: {"n": len(images), self.primary: next(distances)}
    )
    step = GAN.step

    def fails(self: GAN, *arguments: Any) -> None:
        step(self, *arguments)
        if self.steps_done == 17:
            raise MemoryError("injected")

    monkeypatch.setattr(GAN, "step", fails)
    with pytest.raises(MemoryError):
        execute(run, "first")
    assert torch.load(run.best)["step"] == 15
    checkpoint = torch.load(run.last)
    assert checkpoint["step"] == 10
    best_picture = run.best_picture.read_bytes()

    monkeypatch.setattr(GAN, "step", step)
    distances = iter([60.0, 60.0])  # Steps 15 and 20 are now worse than step 10.
    judge = execute(run, "second")["judge"]
    assert [event["step"] for event in run.read_history() if event["event"] == "started"] == [0, 10]
    assert judge["equilibrium"]["step"] == judge["score"]["step"] == 10
    best = torch.load(run.best)
    assert best["step"] == 10
    for name, weight in best["generator"].items():
        assert torch.equal(weight, checkpoint["weights"][f"generator.{name}"]), name
    assert run.best_picture.read_bytes() != best_picture
    assert run.best_picture.read_bytes() == run.sample(10).read_bytes()


def test_a_preempted_run_resumes_at_its_step(faulty_cli: Any, tmp_path: Path) -> None:
    done = faulty_cli(f"do=terminate step=27 lr=0.001 once={tmp_path}/once")(*GRID)
    assert done.returncode == 0, done.stderr
    assert "was preempted; resumes" in done.stdout
    run = runs(tmp_path)[0]
    assert events(run, "ended") == ["stopped", "done"]
    # The handler only requests a stop, which takes place after this step or the next one.
    assert events(run, "started")[1] in (27, 28)


@pytest.mark.slow
def test_out_of_memory_is_retried_once_alone_on_the_device(faulty_cli: Any, tmp_path: Path) -> None:
    done = faulty_cli(f"do=memory step=5 lr=0.001 once={tmp_path}/once")(*GRID)
    assert done.returncode == 0, done.stderr
    assert "ran out of memory; retries alone on its device" in done.stdout
    assert events(runs(tmp_path)[0], "ended") == ["out of memory", "done"]

    done = faulty_cli("do=memory step=5 lr=0.001")(*GRID[:-1], "seed=2", "name=again")
    assert done.returncode == 1
    assert "CUDA out of memory. Injected." in done.stdout
    assert events(runs(tmp_path, "again")[0], "ended") == ["out of memory"] * 2


@pytest.mark.slow
def test_the_retries_of_a_killed_run_are_limited(faulty_cli: Any, tmp_path: Path) -> None:
    done = faulty_cli("do=kill step=5 lr=0.001")(*GRID)
    assert done.returncode == 1
    first, second = runs(tmp_path)
    assert events(first, "ended") == ["killed"] * 3
    assert (first.status(), second.status()) == ("failed", "done")
    # Kills do not count after a new checkpoint.
    kills = [
        f"do=kill step={step} once={tmp_path}/{i}" for i, step in enumerate((5, 5, 11, 11, 21))
    ]
    done = faulty_cli(";".join(kills))("-m", "lr=2e-3", *GRID[2:-1], "name=far")
    assert done.returncode == 0, done.stdout
    (far,) = runs(tmp_path, "far")
    assert events(far, "started") == [0, 0, 0, 10, 10, 20]


@pytest.mark.parametrize(
    ("what", "says", "log"),
    [
        ("raise", "failed: injected", "AssertionError: injected"),
        ("sys.exit", "failed: sys.exit('injected') was called", "SystemExit: injected"),
        ("os._exit", "failed: its process exited with code 3", ""),
        ("segfault", "failed: killed by SIGSEGV", "about to dereference nothing"),
        ("nan", "diverged: loss_d is nan at step 10", "Diverged"),
    ],
)
def test_a_fault_affects_only_its_row_and_is_not_retried(
    what: str, says: str, log: str, faulty_cli: Any, tmp_path: Path
) -> None:
    done = faulty_cli(f"do={what} step=7 lr=0.001")(*GRID)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert re.search(rf"\[[12]/2\] lr=1e-3 data=mnist5k  {re.escape(says)}", done.stdout)
    assert "1 of 2 runs trained" in done.stdout
    first, second = runs(tmp_path)
    assert (first.status(), second.status()) == (says.split(":")[0], "done")
    assert len(events(first, "ended")) == 1
    assert log in first.log.read_text()
    assert says in (tmp_path / "reports/g/README.md").read_text().replace("\\_", "_")
    if what == "segfault":  # The end of the log is printed.
        assert "Fatal Python error: Segmentation fault" in first.log.read_text()
        assert "\n    " in done.stdout
    # The same command leaves the failed run, and retry=failed trains it from the start.
    faulty = faulty_cli("")
    assert "0 to train" in faulty(*GRID).stdout
    assert faulty(*GRID, "retry=failed").returncode == 0
    assert events(first, "started") == [0, 0]


def test_a_run_killed_after_early_stopping_is_not_trained_further(
    faulty_cli: Any, tmp_path: Path
) -> None:
    options = (
        "-m",
        "early_stop=true",
        "lr=1e-3",
        "data=mnist5k",
        "steps=30",
        "sample_every=10",
        "name=g",
    )
    assert faulty_cli("do=kill step=21")(*options).returncode == 1
    (run,) = runs(tmp_path)
    # The run gets the evaluations of a divergence.
    for step, value in enumerate([9, 5, 5, 5, 5, 9, 9, 9, 9, 9]):
        run.append_evaluation({"step": step, "fd_lenet": float(value), "judging_seconds": 0.0})
    done = faulty_cli("")(*options, "retry=failed")
    assert done.returncode == 0, done.stdout
    result = json.loads(run.result.read_text())
    assert result["steps"] == 20
    assert "diverged" in result["judge"]["flags"]


def test_fail_fast_stops_the_others_with_checkpoints(faulty_cli: Any, tmp_path: Path) -> None:
    fault = "do=raise step=7 lr=0.001;do=slow seconds=0.2 lr=0.0005"
    done = faulty_cli(fault)(*GRID, "fail_fast=true")
    assert done.returncode == 1
    assert "fail_fast: stopping the other runs" in done.stdout
    failed, stopped = runs(tmp_path)
    assert (failed.status(), stopped.status()) == ("failed", "interrupted")
    assert events(stopped, "ended") == ["stopped"]
    assert "was lost" not in done.stdout
    assert "to resume: python -m gansweep -m" in done.stdout


# The steps after the first checkpoint are long enough for a signal.
SLOW = "do=slow seconds=0.5 step=11"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_and_a_schedulers_warning_stop_with_checkpoints(
    number: signal.Signals, cli: Cli, tmp_path: Path
) -> None:
    process = Command(tmp_path, *GRID, fault=SLOW)
    wait_for("outputs/runs/*/last.ckpt", tmp_path)
    os.kill(process.pid, number)
    out, err = process.communicate()
    assert process.returncode == 130, out + err
    if number != signal.SIGHUP:  # SIGHUP means that there is no terminal.
        assert "stopping: running runs write a checkpoint" in out
        assert "to resume: python -m gansweep -m lr=1e-3,5e-4" in out
    assert (tmp_path / "reports/g/README.md").exists()
    first = runs(tmp_path)[0]
    assert first.status() == "interrupted"
    assert events(first, "ended") == ["stopped"]

    status = cli("g", module="gansweep.status")
    assert status.returncode == 3
    assert "0/2 done  2 waiting" in status.stdout
    done = cli("g", module="gansweep.resume")
    assert done.returncode == 0, done.stderr
    starts = [events(run, "started") for run in runs(tmp_path)]
    assert len(starts[0]) == 2
    assert max(steps[1] for steps in starts if len(steps) == 2) >= 10, "that of the checkpoint"
    status = cli("g", module="gansweep.status")
    assert (status.returncode, "2/2 done" in status.stdout) == (0, True)


@pytest.mark.parametrize(
    ("moment", "cold"),
    [
        ("sweeps/g/manifest.json", True),  # The server imports modules at this moment.
        ("runs/*/log.txt", False),  # Jobs are forked at this moment.
        ("runs/*/history.jsonl", False),
        ("runs/*/metrics.jsonl", False),
    ],
)
def test_ctrl_c_never_makes_a_run_fail(moment: str, cold: bool, tmp_path: Path) -> None:
    """A terminal sends Ctrl-C to every process."""
    grid = ("-m", "lr=1e-3,5e-4,2e-4,1e-4", *GRID[2:])
    process = Command(tmp_path, *grid, fault=SLOW, cold=cold)
    wait_for(f"outputs/{moment}", tmp_path)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130, out + err
    assert "Traceback" not in err
    statuses = {run.status() for run in runs(tmp_path)}
    assert statuses <= {"planned", "interrupted"}, statuses


def test_a_second_ctrl_c_stops_at_once(tmp_path: Path) -> None:
    process = Command(tmp_path, *GRID, fault=f"do=wait step=12 until={tmp_path}/never")
    wait_for("outputs/runs/*/last.ckpt", tmp_path, count=2)
    wait_for("never.waiting", tmp_path)
    os.kill(process.pid, signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):  # The sweep waits for the end of the step.
        process.communicate(timeout=2)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130, out + err
    assert {run.status() for run in runs(tmp_path)} == {"interrupted"}


def test_a_single_run_resumes_after_ctrl_c(cli: Cli, tmp_path: Path) -> None:
    process = Command(tmp_path, "steps=40", "sample_every=10", "threads=1", fault=SLOW)
    wait_for("outputs/runs/*/last.ckpt", tmp_path)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130, out + err
    assert re.search(r"stopped at step \d+ of 40: to resume, type the command again", out)
    done = cli("steps=40", "sample_every=10", "threads=1")
    assert "resumes from step" in done.stdout


def trained(process: Command) -> int:
    """Return the number of runs that a sweep has trained according to its output."""
    return process.said()[0].count(" images/s ")


def test_two_sweeps_share_runs_and_train_none_twice(tmp_path: Path) -> None:
    grid = ("-m", "lr=1e-3,5e-4,2e-4,1e-4", *SHORT[2:-1], "jobs_per_device=1", "threads=1")
    fault = f"do=wait lr=0.001 step=6 until={tmp_path}/go"
    first = Command(tmp_path, *grid, "name=a", fault=fault)
    wait_for("go.waiting", tmp_path)
    other = Command(tmp_path, *grid, "name=b")
    wait_until(lambda: trained(other) == 3, "other runs")
    (tmp_path / "go").touch()
    outputs = [process.communicate()[0] for process in (first, other)]
    assert (first.returncode, other.returncode) == (0, 0), outputs
    shared = runs(tmp_path, "a")
    assert [run.id for run in shared] == [run.id for run in runs(tmp_path, "b")]
    assert [events(run, "started") for run in shared] == [[0]] * 4
    assert "lr=1e-3 data=mnist5k  done in another sweep" in outputs[1]


@pytest.mark.parametrize("meets", ["waits for it", "comes to it later"])
def test_a_run_that_fails_in_one_sweep_is_not_trained_by_the_other(
    meets: str, tmp_path: Path
) -> None:
    grid = (*SHORT[2:-1], "jobs_per_device=1", "threads=1")
    fails = f"do=wait lr=0.001 step=6 until={tmp_path}/go;do=nan step=7 lr=0.001"
    first = Command(tmp_path, "-m", "lr=1e-3", *grid, "name=a", fault=fails)
    wait_for("go.waiting", tmp_path)
    if meets == "waits for it":
        other = Command(tmp_path, "-m", "lr=1e-3,2e-3", *grid, "name=b")
        wait_until(lambda: trained(other) == 1, "other run")
    else:
        holds = f"do=wait lr=0.002 step=6 until={tmp_path}/on"
        other = Command(tmp_path, "-m", "lr=2e-3,1e-3", *grid, "name=b", fault=holds)
        wait_for("on.waiting", tmp_path)
    (tmp_path / "go").touch()
    assert first.wait() == 1
    (tmp_path / "on").touch()
    out, err = other.communicate()
    assert other.returncode == 1, out + err
    (failed,) = runs(tmp_path, "a")
    assert events(failed, "ended") == ["diverged"]
    assert re.search(r"diverged.* in another sweep", out), out


def test_adding_values_trains_only_the_new_rows(cli: Cli, tmp_path: Path) -> None:
    assert cli(*GRID).returncode == 0
    more = cli("-m", "lr=1e-3,5e-4,1e-4", *GRID[2:])
    assert "2 done, 1 to train" in more.stdout


def test_a_plan_lists_all_runs_and_writes_nothing(cli: Cli, tmp_path: Path) -> None:
    plan = ("-m", "lr=1e-3,5e-4,5e-4", "gen=1,3", "gen_drop=0,0.5", *GRID[2:], "plan=true")
    done = cli(*plan)
    assert done.returncode == 0, done.stderr
    assert "to run 6, done 0, failed 0, duplicate 3, invalid 3" in done.stdout
    assert "estimated time: unknown, no earlier run is similar" in done.stdout
    assert (
        len(re.findall(r"-s1  lr=\S+ gen=\d gen_drop=\S+ data=mnist5k  to train", done.stdout)) == 6
    )
    assert not (tmp_path / "outputs").exists()

    assert cli(*GRID).returncode == 0
    again = cli("-m", "lr=1e-3,5e-4,1e-4,1e-5", *GRID[2:], "plan=true")
    assert "to run 2, done 2, failed 0, duplicate 0, invalid 0" in again.stdout
    assert re.search(
        r"estimated time: 0:\d\d in \d+ slots?, from earlier runs similar to 2 of the 2",
        again.stdout,
    )


def test_status_and_resume_refuse_a_missing_sweep(cli: Cli) -> None:
    assert "no sweep 'x'" in one_line_error(cli("x", module="gansweep.status"))
    assert "no sweep 'x'" in one_line_error(cli("x", module="gansweep.resume"))


def test_status_distinguishes_pruned_and_waiting_runs(cli: Cli, tmp_path: Path) -> None:
    out = tmp_path / "outputs"
    manifest = write_sweep(out, 2, pictures=1)
    pruned, waiting = list(manifest.titles)[:2]
    for run_id in (pruned, waiting):
        Run(out, run_id).result.unlink()
    manifest.pruned = {pruned: "pruned at step 300"}
    manifest.write(out)
    done = cli("synthetic", module="gansweep.status")
    assert "2/4 done  1 pruned  1 waiting" in done.stdout
    assert done.returncode == 3


def test_status_while_it_runs(cli: Cli, tmp_path: Path) -> None:
    fault = f"do=wait step=11 until={tmp_path}/never"
    process = Command(tmp_path, "-m", "lr=1e-3,5e-4,1e-4", *GRID[2:], "log_every=1", fault=fault)
    try:
        wait_for("outputs/runs/*/last.ckpt", tmp_path, count=2)
        shown = cli("status", "g").stdout
        assert re.search(r"cpu:0 lr=\S+ data=mnist5k", shown), shown
        assert re.search(r"\d+/40 +[\d,]+ +– +\d\.\d\d", shown), shown
        assert re.search(r"0/3 done  2 running  1 waiting  left 0:\d\d, until \d\d:\d\d", shown), (
            shown
        )
    finally:
        process.kill()
        process.communicate()


def test_finished_runs_are_read_once_by_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`status --watch` reads the sweep every second, and 300 finished runs have 900 files."""
    manifest = write_sweep(tmp_path, 2, pictures=1)
    run = Run(tmp_path, next(iter(manifest.titles)))
    run.result.unlink()
    run.metrics.unlink()
    learned: list[str] = []
    learn = Estimates.learn
    monkeypatch.setattr(
        Estimates, "learn", lambda self, run: learned.append(run.id) or learn(self, run)
    )
    monkeypatch.setattr(follow, "ESTIMATE_SECONDS", 1e9)
    with run.owned():
        for _ in range(3):
            assert len(sweep_progress(manifest, tmp_path).running) == 1
    assert len(learned) == 3, "once each"


def test_a_clusters_job_reads_no_finished_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, *_ = write_sweep(tmp_path, 2, pictures=1).titles
    learned: list[str] = []
    monkeypatch.setattr(Estimates, "learn", lambda self, run: learned.append(run.id))
    task = SweepTask(out=str(tmp_path), device="cpu")
    LocalSweep(task, [first])
    assert learned == []
    LocalSweep(task, [first, second])
    assert len(learned) == 4


def test_a_damaged_checkpoint_is_reported_and_not_used(tmp_path: Path, cli: Cli) -> None:
    process = Command(tmp_path, *GRID, fault=SLOW)
    wait_for("outputs/runs/*/last.ckpt", tmp_path)
    os.kill(process.pid, signal.SIGINT)
    process.communicate()
    whole, half = runs(tmp_path)
    shutil.copy(whole.last, half.last)
    flip(whole.last)
    truncate(half.last)
    done = cli(*GRID)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("its checkpoint is damaged") == 2
    assert "checksum" in done.stdout
    assert [events(run, "started")[-1] for run in (whole, half)] == [0, 0]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(bytes(data))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])
