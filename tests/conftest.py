"""Fixtures for the data cache of the test session, the command line and optional data sets."""

from __future__ import annotations

import functools
import gzip
import json
import os
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import commands
import numpy as np
import pytest
from commands import run
from filelock import FileLock
from PIL import Image

from gansweep.config import Config
from gansweep.params import DataConfig
from gansweep.planning import precision
from gansweep.planning.identity import plan_run
from gansweep.planning.plan import keep_record
from gansweep.store.run import Run
from gansweep.training.data import prepare
from gansweep.training.data.toyfaces import draw

# This folder beside a developer's checkout has MNIST and the Olivetti faces. Without it, the tests
# of photographs and of all 10,000 test digits are skipped.
SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Set one cache for all tests and workers, so that each data set is prepared once."""
    folder = common_folder(tmp_path_factory) / "cache"
    os.environ["GANSWEEP_CACHE"] = str(folder)
    with pytest.MonkeyPatch.context() as patch:  # A measurement for precision=auto takes 8 s.
        found = {"fp32": 1.0, "bf16": 1.0, "choice": "fp32"}
        patch.setattr(precision, "_run_benchmark", lambda kind: found)
        precision.choice("cpu")
        precision.choice("auto")
    return folder


@pytest.fixture(autouse=True)
def no_command_outlives_its_test() -> Iterator[None]:
    """Kill all commands of a test at its end, because some of them never end."""
    yield
    while commands.started:
        commands.started.pop().end()


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set an empty cache that a test may damage."""
    folder = tmp_path / "own-cache"
    monkeypatch.setenv("GANSWEEP_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def files(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write data sets in their published file formats, and return the folder.

    mnist has 1,000 real digits for training and 300 for testing, celeba has 32 drawn faces, and
    olivetti has 60 grey faces.
    """
    root = tmp_path_factory.mktemp("files")
    digits = prepare(DataConfig("mnist5k"), 28).array()[:, 0]
    for name, part in (("train", digits[:1000]), ("t10k", digits[1000:1300])):
        path = root / "mnist" / f"{name}-images-idx3-ubyte.gz"
        path.parent.mkdir(exist_ok=True)
        head = struct.pack(">IIII", 0x0803, *part.shape)
        path.write_bytes(gzip.compress(head + part.tobytes()))
    for folder, count, size, mode, suffix in (
        ("celeba/img_align_celeba", 32, (178, 218), "RGB", "jpg"),
        ("olivetti", 60, (64, 64), "L", "png"),
    ):
        (root / folder).mkdir(parents=True)
        for number, face in enumerate(draw(np.arange(count), 64), 1):
            picture = Image.fromarray(face.transpose(1, 2, 0)).convert(mode)
            picture.resize(size).save(root / folder / f"{number:06d}.{suffix}")
    return root


Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Return a function that runs `python -m gansweep ARGUMENTS` in an empty folder."""
    return functools.partial(run, tmp_path)


@pytest.fixture
def faulty_cli(tmp_path: Path) -> Callable[[str], Cli]:
    """Return a function that makes a `cli` with a fault, such as `do=nan lr=0.001 step=7`."""
    return lambda fault: functools.partial(run, tmp_path, fault=fault)


def plan_small(out: Path, **params: Any) -> Run:
    """Plan a run of 20 steps on digits, with checkpoints and pictures at steps 10 and 20."""
    settings = {"steps": 20, "sample_every": 10, "log_every": 5, "threads": 1, **params}
    config = Config(**settings, out=str(out))
    run, record = plan_run(config, prepare(DataConfig("mnist5k"), 28))
    keep_record(run, record)
    return run


def wait_for(what: str, folder: Path, count: int = 1, seconds: float = 300) -> None:
    """Wait until the folder has `count` files that match `what`."""
    wait_until(lambda: len(list(folder.glob(what))) >= count, what, seconds)


def common_folder(factory: pytest.TempPathFactory) -> Path:
    """Return the temporary folder that all processes of pytest-xdist share."""
    base = factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


def machine_lock(factory: pytest.TempPathFactory, name: str) -> FileLock:
    """Return a lock for what only one process of pytest-xdist at a time may use."""
    return FileLock(common_folder(factory) / f"{name}.lock")


def wait_until(true: Callable[[], object], what: str, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"no {what} within {seconds} s"
        time.sleep(0.02)


def one_line_error(done: subprocess.CompletedProcess[str]) -> str:
    """Return the message of a refused command, and check that it is one line with exit code 2."""
    assert done.returncode == 2, done.stderr
    lines = done.stderr.strip().split("\n")
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("gansweep: error: ")
    return lines[0]


def revive(folder: Path, out: str = "outputs") -> None:
    """Remove the flags of all finished runs, because short runs are never alive."""
    for path in folder.glob(f"{out}/runs/*/result.json"):
        result = json.loads(path.read_text())
        result["judge"]["flags"] = []
        path.write_text(json.dumps(result))
