"""Tests of the recorded commit and of the hashes of the networks' code."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli, plan_small
from test_launch import CPU, drain

from gansweep.launch import processes
from gansweep.launch.pool import Job, Pool
from gansweep.training.gan import GAN
from gansweep.training.job import execute
from gansweep.training.network_source import hash_of
from gansweep.training.provenance import PACKAGE, commit

FAKE_GIT = """#!/bin/sh
case "$*" in
  *--show-toplevel) echo "{root}" ;;
  *status*) ;;
  *) cat "{commit}" ;;
esac
"""


def commit_of_job(place: dict[str, Any]) -> str | None:
    return commit()


def test_a_sweep_records_the_commit_of_its_imported_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "commit").write_text("aaa1111\n")
    git = tmp_path / "bin/git"
    git.parent.mkdir()
    git.write_text(FAKE_GIT.format(root=PACKAGE.parent, commit=tmp_path / "commit"))
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{git.parent}:{os.environ['PATH']}")
    processes.warm_up()
    pool = Pool([CPU])
    try:
        pool.submit(Job("before", commit_of_job))
        before = drain(pool, 300)["before"].result
        (tmp_path / "commit").write_text("bbb2222\n")  # A new commit is made while the sweep runs.
        pool.submit(Job("after", commit_of_job))
        after = drain(pool, 300)["after"].result
    finally:
        pool.kill()
        processes.shut_down()
    assert (before, after) == ("aaa1111", "aaa1111")


def network(folder: Path, text: str) -> Any:
    """Return the function `net` of a module with this text."""
    path = folder / f"m{len(list(folder.iterdir()))}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.net


def test_the_hash_of_a_network_ignores_comments_and_formatting(tmp_path: Path) -> None:
    one = network(tmp_path, 'def net(net):\n    """one conv"""\n    net.conv(8, 3).lrelu()\n')
    same = network(
        tmp_path, 'def net(\n    net\n):\n    """a conv"""\n    # 3×3\n    net.conv(8,3) .lrelu()\n'
    )
    other = network(tmp_path, 'def net(net):\n    """one conv"""\n    net.conv(9, 3).lrelu()\n')
    assert hash_of(one) == hash_of(same) != hash_of(other)
    assert hash_of(len) == hash_of(max), "functions without source have an empty hash"


def change_recorded_code(environment: Path) -> None:
    """Change the record as if gen=1 had other code when the run was trained."""
    record = json.loads(environment.read_text())
    record["networks"]["gen=1"] = "0123456789ab"
    environment.write_text(json.dumps(record))


def test_a_finished_run_of_a_changed_network_is_used_and_reported(cli: Cli, tmp_path: Path) -> None:
    grid = ("-m", "lr=1e-3", "data=mnist5k", "steps=2", "width=0.0625", "judge=false", "name=g")
    assert cli(*grid).returncode == 0
    assert "other code" not in cli(*grid).stdout
    (environment,) = tmp_path.glob("outputs/runs/*/environment.json")
    change_recorded_code(environment)
    again = cli(*grid)
    assert "1 done, 0 to train" in again.stdout
    assert (
        "the code of gen=1 has changed since 1 finished run was trained: out=FOLDER trains again"
        in " ".join(again.stdout.split())
    )
    assert "1 to train" in cli(*grid, "out=anew", "plan=true").stdout


def test_a_run_is_not_resumed_after_a_change_of_its_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = plan_small(tmp_path, judge="false")
    step = GAN.step

    def fails(self: GAN, *arguments: Any) -> None:
        step(self, *arguments)
        if self.steps_done == 17:
            raise MemoryError("injected")

    with monkeypatch.context() as patched, pytest.raises(MemoryError):
        patched.setattr(GAN, "step", fails)
        execute(run, "first")
    change_recorded_code(run.environment)
    said: list[str] = []
    execute(run, "second", tell=said.append)
    assert "second  is trained from the start, as the code of gen=1 has changed" in said
    assert [e["step"] for e in run.read_history() if e["event"] == "started"] == [0, 0]
