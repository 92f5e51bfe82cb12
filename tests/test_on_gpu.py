"""Tests of the measurements that need a GPU, as far as a machine without one can run them."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import BENCHMARKS
from benchmarks.on_gpu import PARTS

ROOT = Path(__file__).parents[1]


def test_each_part_is_a_command_that_exists() -> None:
    for part in PARTS.values():
        for command in filter(None, (part.command, part.dry_command)):
            if command[:2] == ("-m", "benchmarks"):
                assert set(command[2:]) <= set(BENCHMARKS)
            elif command[0] == "-c":
                compile(command[1], "part", "exec")
                module, name = command[1].split("; ")[1].split("(")[0].split(".")
                assert callable(getattr(importlib.import_module(f"benchmarks.{module}"), name))
            else:
                assert (ROOT / command[-1]).is_file()


@pytest.mark.slow
@pytest.mark.parametrize("part", ["step", "packing", "graphs", "digits", "faces", "cases"])
def test_a_dry_run_ends_in_a_report(part: str, tmp_path: Path) -> None:
    """What a GPU needs ten minutes for runs through on the CPU, cut short."""
    command = [sys.executable, "-m", "benchmarks.on_gpu", part, "--dry-run", "--reports"]
    done = subprocess.run([*command, tmp_path], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"== {part}: done" in done.stdout
    (report,) = (tmp_path / "benchmarks").glob("*.md")
    assert report.stem.removesuffix("_gpu") in (part, f"paper_{part}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope"], "no part 'nope'; valid: tests, step"),
        (["--dry-run"], "--dry-run needs --reports FOLDER"),
    ],
)
def test_bad_arguments_have_one_line(arguments: list[str], message: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.on_gpu", *arguments],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert message in done.stderr
