"""Inject faults into real sweeps: the resumed sweep has the results of an undisturbed sweep.

Real processes get SIGKILL at random moments. The seed of every scenario and the victim of every
kill are printed (`pytest -s`, or in the report of a failure).
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from commands import with_fault
from conftest import Cli, common_folder, machine_lock, wait_for, wait_until

from gansweep.store.run import Run

GRID = (
    "-m", "lr=1e-3,5e-4,2e-4", "beta1=0.3,0.5", "data=mnist5k", "steps=24", "sample_every=4",
    "log_every=2", "name=f", "judge=false",
)  # fmt: skip
ROWS = 6
SCENARIOS = 6
# A scenario has these kills in a random order.
KILLS = ["job"] * 5 + ["server", "server", "parent", "any"]
FAULT = "do=slow seconds=0.03"  # Slow steps make it likely that a kill hits a training.


def run_ids(folder: Path) -> list[str]:
    manifest = json.loads((folder / "outputs/sweeps/f/manifest.json").read_text())
    return list(manifest["titles"])


def table(folder: Path) -> str:
    """Return the final table without its training times."""
    text = (folder / "reports/f/README.md").read_text()
    return re.sub(r"training took .* per run", "", text)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train the sweep without faults once for all scenarios, and return its folder."""
    folder = common_folder(tmp_path_factory) / "undisturbed"
    with machine_lock(tmp_path_factory, "undisturbed"):
        if not (folder / "reports").exists():
            folder.mkdir()
            command = [sys.executable, "-m", "gansweep", *GRID]
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


def start(folder: Path, *more: str, fault: str = FAULT) -> subprocess.Popen[str]:
    log = (folder / "out.txt").open("a")
    return subprocess.Popen(
        [sys.executable, "-m", "gansweep", *GRID, *more],
        cwd=folder, stdout=log, stderr=log, text=True, env=with_fault(fault),
        start_new_session=True,
    )  # fmt: skip


class Processes:
    """The living processes of a sweep, found in /proc by their working folder."""

    def __init__(self, folder: Path, parent: int) -> None:
        self.parent = parent
        self.jobs: list[int] = []
        self.servers: list[int] = []
        self.zombies: list[int] = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            pid = int(entry.name)
            try:
                state, ppid = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if state == "Z":
                    if int(ppid) == parent:
                        self.zombies.append(pid)
                    continue
                if (entry / "cwd").resolve() != folder.resolve() or pid == parent:
                    continue
                if b"forkserver" not in (entry / "cmdline").read_bytes():
                    continue
                # A job has its own session.
                (self.jobs if os.getsid(pid) == pid else self.servers).append(pid)
            except (OSError, ValueError):
                continue  # The process has just ended.

    def alive(self) -> list[int]:
        return self.jobs + self.servers


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def assert_as_undisturbed(folder: Path, undisturbed: Path, again: str = "") -> None:
    """Check that all results are those of `undisturbed`; only the run `again` may be done twice."""
    assert run_ids(folder) == run_ids(undisturbed)
    for run_id in run_ids(folder):
        run, expected = Run(folder / "outputs", run_id), Run(undisturbed / "outputs", run_id)
        assert run.complete(), run.read_history()
        assert run.final.read_bytes() == expected.final.read_bytes()
        ends = [e["cause"] for e in run.read_history() if e["event"] == "ended"]
        assert ends.count("done") <= (2 if run_id == again else 1), ends
        steps = [line["step"] for line in run.read_metrics()]
        assert steps == [line["step"] for line in expected.read_metrics()]
    assert table(folder) == table(undisturbed)
    images = {p.name: p.read_bytes() for p in (folder / "reports/f/images").iterdir()}
    assert images == {p.name: p.read_bytes() for p in (undisturbed / "reports/f/images").iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SCENARIOS))
def test_sigkill_at_random_moments(seed: int, tmp_path: Path, undisturbed: Path) -> None:
    """Each scenario has nine kills of jobs, of the fork server and of the sweep itself."""
    rng = random.Random(seed)
    print(f"seed {seed}")
    plan = rng.sample(KILLS, len(KILLS))
    finished: dict[str, int] = {}
    injected = 0
    process = start(tmp_path)
    deadline = time.monotonic() + 240
    while injected < len(plan):
        assert time.monotonic() < deadline, f"seed {seed}: {injected} of {len(plan)} injected"
        time.sleep(rng.uniform(0.1, 1.2))
        # The sweep has ended before the last kill, so some runs are reset.
        if process.poll() is not None:
            assert process.returncode == 0, (tmp_path / "out.txt").read_text()
            for run_id in reset_some(tmp_path, rng):
                finished.pop(run_id, None)  # This run must be trained again.
            process = start(tmp_path)
            continue
        there = Processes(tmp_path, process.pid)
        pools = {"job": there.jobs, "server": there.servers, "parent": [process.pid]}
        what = plan[injected] if plan[injected] != "any" else rng.choice(list(pools))
        if not pools[what] or not (there.jobs or what == "server"):
            continue
        finished |= remember(tmp_path)
        kill(rng.choice(pools[what]))
        injected += 1
        print(f"  kill {injected}: {what}, with {len(there.jobs)} jobs running")
        if what == "parent":
            process.wait()
            process = start(tmp_path, "retry=failed")
    process.wait(timeout=240)
    if process.returncode == 1:  # A row was killed three times without a new checkpoint.
        process = start(tmp_path, "retry=failed", fault="")
        process.wait(timeout=240)
    assert process.returncode == 0, (tmp_path / "out.txt").read_text()
    assert_as_undisturbed(tmp_path, undisturbed)
    for run_id, written in finished.items():
        final = Run(tmp_path / "outputs", run_id).final
        assert final.stat().st_mtime_ns == written, f"{run_id} was finished and trained again"
    end = time.monotonic() + 10
    while (left := Processes(tmp_path, process.pid).alive()) and time.monotonic() < end:
        time.sleep(0.2)
    assert not left, "processes are left"
    assert "Traceback" not in (tmp_path / "out.txt").read_text()


def remember(folder: Path) -> dict[str, int]:
    """Return the finished runs with the times of their final weights."""
    found = {}
    for result in folder.glob("outputs/runs/*/result.json"):
        run = Run(folder / "outputs", result.parent.name)
        if run.complete():
            found[run.id] = run.final.stat().st_mtime_ns
    return found


def reset_some(folder: Path, rng: random.Random) -> list[str]:
    """Reset three random runs, so that the scenario can continue, and return their ids."""
    chosen = rng.sample(run_ids(folder), 3)
    print(f"  all rows are done: {', '.join(chosen)} are reset")
    for run_id in chosen:
        run = Run(folder / "outputs", run_id)
        run.rewind(0)
        run.history.unlink(missing_ok=True)
    return chosen


@pytest.mark.slow
def test_zombies_are_reaped_while_the_sweep_runs(tmp_path: Path) -> None:
    process = start(tmp_path, fault="do=slow seconds=0.2")
    wait_for("outputs/runs/*/metrics.jsonl", tmp_path)
    killed: set[int] = set()
    for _ in range(3):
        wait_until(lambda: {*Processes(tmp_path, process.pid).jobs} - killed, "new job")
        for pid in Processes(tmp_path, process.pid).alive():
            killed.add(pid)
            kill(pid)
    wait_until(lambda: not Processes(tmp_path, process.pid).zombies, "end of the zombies")
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=60)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount `outputs` on a disk of 8 MB, which holds only the sweep's first runs."""
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(outputs)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a small tmpfs needs root")
    yield outputs
    subprocess.run(["umount", "-l", str(outputs)], check=True)


@pytest.mark.slow
def test_a_full_disk_ends_the_sweep_in_one_line_and_keeps_finished_runs(
    small_disk: Path, cli: Cli, tmp_path: Path, undisturbed: Path
) -> None:
    done = cli(*GRID)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "No space left on device: no more runs are started" in done.stderr
    before = remember(tmp_path)
    subprocess.run(["mount", "-o", "remount,size=100m", str(small_disk)], check=True)
    again = cli(*GRID)
    assert again.returncode == 0, again.stdout + again.stderr
    assert_as_undisturbed(tmp_path, undisturbed)
    assert before.items() <= remember(tmp_path).items()


def immutable(folder: Path, on: bool) -> None:
    """Forbid or allow all writing below a folder, even for root, who may write read-only files."""
    flag = "+i" if on else "-i"
    done = subprocess.run(["chattr", "-R", flag, str(folder)], capture_output=True, text=True)
    if on and done.returncode:
        pytest.skip(f"chattr does not work here: {done.stderr}")


@pytest.mark.slow
def test_a_sweep_ends_when_its_output_folder_becomes_read_only(
    cli: Cli, tmp_path: Path, undisturbed: Path
) -> None:
    process = start(tmp_path)
    wait_for("outputs/runs/*/last.ckpt", tmp_path)
    try:
        immutable(tmp_path / "outputs", True)
        process.wait(timeout=60)
        said = (tmp_path / "out.txt").read_text()
        assert process.returncode == 2, said
        assert "Operation not permitted: no more runs are started; correct the error" in said
        assert "Traceback" not in said
        refused = cli(*GRID)
        assert refused.returncode == 2
        assert "Operation not permitted" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
    finally:
        immutable(tmp_path / "outputs", False)
    assert cli(*GRID).returncode == 0
    assert_as_undisturbed(tmp_path, undisturbed)


@pytest.mark.slow
def test_damaged_files_and_a_clock_that_steps_back(
    cli: Cli, tmp_path: Path, undisturbed: Path
) -> None:
    """A sweep whose clock runs backwards is interrupted, damaged and resumed.

    The damage is a truncated result, a checkpoint with a flipped bit, partial lines of metrics and
    history, and a partial file.
    """
    process = start(tmp_path, fault="do=slow seconds=0.1;do=clock step=5")
    wait_for("outputs/runs/*/result.json", tmp_path)
    runs = [Run(tmp_path / "outputs", run_id) for run_id in run_ids(tmp_path)]
    while not any(r.last.exists() and r.read_metrics(last=1)[0]["step"] <= 8 for r in runs):
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 130
    done = next(run for run in runs if run.status() == "done")
    done.result.write_text(done.result.read_text()[:40])
    for run in runs:
        if run.last.exists():
            data = bytearray(run.last.read_bytes())
            data[len(data) // 3] ^= 1
            run.last.write_bytes(bytes(data))
            for stream in (run.metrics, run.history):
                with stream.open("a") as file:
                    file.write('{"step": 7, "los')
            (run.folder / ".tmpabc.ckpt").write_bytes(b"half")
            break
    else:
        pytest.fail("no run was interrupted")
    again = cli(*GRID)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "is damaged: the run is trained again" in again.stdout
    assert "its checkpoint is damaged" in again.stdout
    assert_as_undisturbed(tmp_path, undisturbed, again=done.id)
    assert not list(tmp_path.glob("outputs/runs/*/.*.ckpt"))
