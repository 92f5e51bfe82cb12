"""Fixtures: a data cache of the test session's own, the real command line, the optional data."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import run

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all tests and workers, so that each data set is prepared once."""
    base = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        base = base.parent
    folder = base / "cache"
    os.environ["GANSWEEP_CACHE"] = str(folder)
    return folder


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that a test may damage."""
    folder = tmp_path / "own-cache"
    monkeypatch.setenv("GANSWEEP_CACHE", str(folder))
    return folder


@pytest.fixture
def shared() -> Path:
    """The real data beside a developer's checkout; a user has none."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared/data beside this checkout")
    return SHARED


Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run `python -m gansweep ARGUMENTS` in an empty folder; see `commands.Command`."""
    return functools.partial(run, tmp_path)


@pytest.fixture
def faulty_cli(tmp_path: Path) -> Callable[[str], Cli]:
    """`cli` with a fault injected into training: `faulty_cli("do=nan lr=0.001 step=7")`."""
    return lambda fault: functools.partial(run, tmp_path, fault=fault)


def wait_for(what: str, folder: Path, seconds: float = 120) -> None:
    """Until a file is there."""
    deadline = time.monotonic() + seconds
    while not list(folder.glob(what)):
        assert time.monotonic() < deadline, f"no {what} within {seconds} s"
        time.sleep(0.05)


def one_line_error(done: subprocess.CompletedProcess[str]) -> str:
    """The message of a refused command: exactly one line, exit code 2."""
    assert done.returncode == 2, done.stderr
    lines = done.stderr.strip().split("\n")
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("gansweep: error: ")
    return lines[0]


def revive(folder: Path) -> None:
    """Take the flags off all finished runs: a few steps make nothing that is alive."""
    for path in folder.glob("outputs/runs/*/result.json"):
        result = json.loads(path.read_text())
        result["judge"]["flags"] = []
        path.write_text(json.dumps(result))
