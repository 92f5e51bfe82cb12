"""Tests of gansweep's Hydra plugins beside other plugins in one environment."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.config_store import ConfigStore

import hydra_plugins.gansweep
from gansweep.launch import names

STRANGERS = Path(__file__).parent / "strangers"
APP = """
import hydra

@hydra.main(version_base="1.3", config_path=None)
def app(cfg):
    print("trained with", cfg)

app()
"""


def run(folder: Path, *words: str, strangers: bool = True) -> subprocess.CompletedProcess[str]:
    """Run Python with the other plugins first on its path."""
    path = os.environ.get("PYTHONPATH", "")
    environment = dict(os.environ)
    if strangers:
        environment["PYTHONPATH"] = os.pathsep.join([str(STRANGERS), *path.split(os.pathsep)])
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def test_every_name_that_gansweep_registers_begins_with_gansweep() -> None:
    assert hydra_plugins.gansweep  # The import registers the names.
    repository = ConfigStore.instance().repo["hydra"]
    ours = {
        group: [name for name, node in entries.items() if node.provider == "gansweep"]
        for group, entries in (
            ("sweeper", repository["sweeper"]),
            ("launcher", repository["launcher"]),
        )
    }
    assert ours == {
        "sweeper": [f"{names.SEARCH}.yaml", f"{names.GRID}.yaml"],
        "launcher": [
            f"{name}.yaml"
            for name in (names.LAUNCHER, names.WORKER, "gansweep_ray", "gansweep_slurm")
        ],
    }
    assert all(name.startswith("gansweep_") for found in ours.values() for name in found)


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("hydra/sweeper=optuna", "the stranger's sweeper has +x=1,2"),
        ("hydra/sweeper=grid", "the stranger's sweeper has +x=1,2"),
        ("hydra/launcher=local", "the stranger's launcher has"),
    ],
)
def test_another_application_keeps_its_plugins(choice: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    done = run(tmp_path, "app.py", "-m", choice, "+x=1,2")
    assert done.returncode == 0, done.stderr
    assert said in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("search=lr",),
        ("hydra/sweeper=gansweep_search", "lr=choice(0.1,0.2)"),
        ("hydra/sweeper=optuna", "lr=choice(0.1,0.2)"),  # Versions before 0.2 used this name.
    ],
)
def test_gansweep_uses_its_own_search_sweeper(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = run(tmp_path, "-m", "gansweep", "-m", *arguments, "plan=true")
    assert done.returncode == 0, done.stderr
    assert "search search-lr-" in done.stdout


@pytest.mark.parametrize("arguments", [(), ("hydra/sweeper=grid", "hydra/launcher=local")])
def test_gansweep_uses_its_own_grid_sweeper(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = run(tmp_path, "-m", "gansweep", "-m", "lr=1e-3", "data=mnist5k", *arguments, "plan=true")
    assert done.returncode == 0, done.stderr
    assert "1 row, 1 run (Number Output), 0 done, 1 to train" in done.stdout
    assert "slot" in done.stdout


@pytest.mark.skipif(
    importlib.util.find_spec("hydra_plugins.hydra_optuna_sweeper") is None,
    reason="hydra-optuna-sweeper is not installed",
)
def test_gansweep_works_beside_the_real_optuna_sweeper(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    theirs = run(
        tmp_path, "app.py", "hydra/sweeper=optuna", "--cfg", "hydra", "-p", "hydra.sweeper",
        strangers=False,
    )  # fmt: skip
    assert "_target_: hydra_plugins.hydra_optuna_sweeper." in theirs.stdout, theirs.stderr
    ours = run(tmp_path, "-m", "gansweep", "-m", "search=lr", "plan=true", strangers=False)
    assert ours.returncode == 0, ours.stderr
    assert "search search-lr-" in ours.stdout
