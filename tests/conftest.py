"""Fixtures: a data cache of the test session's own, the real command line, the optional data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

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


def _runner(folder: Path, fault: str = "") -> Cli:
    def run(*arguments: str, module: str = "gansweep") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=folder,
            env=with_fault(fault),
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


def with_fault(fault: str) -> dict[str, str]:
    """The environment in which training processes meet a fault; see faults/sitecustomize.py."""
    if not fault:
        return dict(os.environ)
    faults = Path(__file__).parent / "faults"
    return {**os.environ, "PYTHONPATH": str(faults), "GANSWEEP_FAULT": fault}


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run `python -m gansweep ARGUMENTS` in an empty folder (module=… for another module)."""
    return _runner(tmp_path)


@pytest.fixture
def faulty_cli(tmp_path: Path) -> Callable[[str], Cli]:
    """`cli` with a fault injected into training: `faulty_cli("do=nan lr=0.001 step=7")`."""
    return lambda fault: _runner(tmp_path, fault)


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
