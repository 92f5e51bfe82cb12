"""Tests of gansweep's local launcher with other Hydra applications, and Hydra's own tests of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import wait_for

pytest.importorskip("cloudpickle", reason="needs the extra gansweep[hydra]")
from hydra.test_utils.launcher_common_tests import (
    BatchedSweeperTestSuite,
    IntegrationTestSuite,
    LauncherTestSuite,
)

LAUNCHER = "hydra/launcher=gansweep_local"


@pytest.mark.parametrize(("launcher_name", "overrides"), [("gansweep_local", [])])
class TestLauncher(LauncherTestSuite):
    pass


@pytest.mark.parametrize(
    ("launcher_name", "overrides"),
    [("gansweep_local", ["hydra.sweeper.max_batch_size=2"])],
)
class TestBatches(BatchedSweeperTestSuite):
    pass


@pytest.mark.slow
@pytest.mark.parametrize(("task_launcher_cfg", "extra_flags"), [({}, ["-m", LAUNCHER])])
class TestApplications(IntegrationTestSuite):
    pass


APP = """
import os, signal, sys, time
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig


class Answer:
    def __init__(self, value):
        self.value = value


@hydra.main(version_base="1.3", config_path=None)
def main(cfg):
    here = Path(HydraConfig.get().runtime.output_dir)
    (here / "starts").open("a").write("x")
    print("job", cfg.a, "in", os.getpid())
    if cfg.do == "fail" and cfg.a == 1:
        raise ValueError("this one does not like 1")
    if cfg.do == "die" and cfg.a == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if cfg.do == "die once" and cfg.a == 1 and len((here / "starts").read_text()) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if cfg.do == "wait":
        try:
            time.sleep(60)
        finally:
            (here / "cleaned").touch()
    (here / "result").write_text(str(cfg.a))
    return Answer(cfg.a)


if __name__ == "__main__":
    main()
"""


def start(folder: Path, do: str, *words: str) -> subprocess.Popen[str]:
    (folder / "app.py").write_text(APP)
    root = str(Path(__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "app.py", "-m", "+a=0,1,2", f"+do={do}", LAUNCHER, *words,
         "hydra.sweep.dir=out", "hydra.launcher.device=cpu"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "GANSWEEP_CORES": "2", "PYTHONPATH": root},
        # A shell starts what runs in the background, such as these tests, without Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def results(folder: Path) -> list[str]:
    return sorted(path.read_text() for path in folder.glob("out/*/result"))


def test_jobs_have_slots_logs_and_a_line(tmp_path: Path) -> None:
    app = start(tmp_path, "work")
    out = app.communicate()[0]
    assert app.returncode == 0, out
    assert results(tmp_path) == ["0", "1", "2"]
    assert out.count("done, 0:0") == 3, out
    assert "[3/3]" in out
    logs = [(tmp_path / f"out/{n}/log.txt").read_text() for n in range(3)]
    assert all(log.startswith(f"job {n} in ") for n, log in enumerate(logs)), logs
    assert len({log.split()[-1] for log in logs}) == 3, "a process each"
    assert "job 0 in" not in out


@pytest.mark.slow
def test_a_job_that_fails_or_dies_costs_only_itself(tmp_path: Path) -> None:
    app = start(tmp_path, "fail")
    out = app.communicate()[0]
    assert app.returncode == 1, "Hydra reports the error of the job"
    assert results(tmp_path) == ["0", "2"]
    assert "failed: ValueError: this one does not like 1 (log: " in out
    assert "ValueError: this one" in (tmp_path / "out/1/log.txt").read_text()
    app = start(tmp_path, "die", "hydra.sweep.dir=out")
    out = app.communicate()[0]
    assert app.returncode == 1
    assert "failed: killed by SIGKILL" in out
    assert (tmp_path / "out/1/starts").read_text() == "xxxx", "one before, and two retries"
    app = start(tmp_path / "", "'die once'", "hydra.sweep.subdir=again${hydra.job.num}")
    out = app.communicate()[0]
    assert app.returncode == 0, out
    assert "killed by SIGKILL; starts again" in out
    assert len(results(tmp_path)) == 5


def test_ctrl_c_lets_jobs_clean_up(tmp_path: Path) -> None:
    app = start(tmp_path, "wait")
    wait_for("out/*/starts", tmp_path, 2, seconds=60)
    time.sleep(0.5)
    app.send_signal(signal.SIGINT)
    out = app.communicate(timeout=60)[0]
    assert app.returncode != 0
    assert "stopping: jobs have 10 s to end" in out
    assert len(list(tmp_path.glob("out/*/cleaned"))) == 2
    assert not (tmp_path / "out/2").exists(), "no other job was started"
