"""Tests of the wheel: it contains configurations and row lists, and works in any folder."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import gansweep

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, unpack it as an installer would, and return the folder."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(code: str, unpacked: Path, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_files_of_the_wheel(unpacked: Path) -> None:
    names = {p.relative_to(unpacked).as_posix() for p in unpacked.rglob("*") if p.is_file()}
    for name in (
        "gansweep/conf/config.yaml", "gansweep/conf/data/celeba.yaml",
        "gansweep/sweeps/readme_table.yaml", "hydra_plugins/gansweep/__init__.py",
        "gansweep/report/gallery/page.html", "gansweep/report/gallery/vendor/uPlot.iife.min.js",
        "gansweep/report/gallery/vendor/LICENSE",
    ):  # fmt: skip
        assert name in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"gansweep", "hydra_plugins"}
    for folder, place in (("gansweep", ""), ("conf", "gansweep/"), ("sweeps", "gansweep/")):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix != ".pyc":
                assert place + path.relative_to(ROOT).as_posix() in names


def test_the_wheel_describes_itself(unpacked: Path) -> None:
    (path,) = unpacked.glob("*.dist-info/METADATA")
    head, _, readme = path.read_text(encoding="utf-8").partition("\n\n")
    assert f"Version: {gansweep.__version__}\n" in head
    assert "Requires-Python: >=3.10" in head
    assert "Classifier: Topic :: Scientific/Engineering :: Image Processing" in head
    assert readme.startswith("# gansweep")


def test_the_wheel_finds_its_configurations_from_any_folder(unpacked: Path, tmp_path: Path) -> None:
    code = (
        "import sys, gansweep; print(gansweep.__file__)\n"
        "from gansweep.planning.row_list import read_recipe\n"
        "print(len(read_recipe('readme_table').rows))\n"
        "sys.argv = ['gansweep', '--cfg', 'job']\n"
        "from gansweep.__main__ import main; main()"
    )
    printed = run(code, unpacked, tmp_path).split("\n")
    assert printed[0].startswith(str(unpacked))
    assert printed[1] == "39"
    assert "steps: 650" in printed
