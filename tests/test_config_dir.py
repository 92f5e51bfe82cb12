"""Tests of a user's own configuration folder, by `--config-dir` and by Hydra's search path."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli, one_line_error
from PIL import Image

SMALL = ("batch_size=8", "width=0.0625", "threads=1")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Write a folder `mine` with a data set, a profile and a nested profile."""
    for name in ("cats", "dogs"):
        (tmp_path / name).mkdir()
        for i in range(40):
            Image.effect_noise((30, 30), 50).save(tmp_path / name / f"{i}.png")
    folder = tmp_path / "mine"
    (folder / "data" / "pets").mkdir(parents=True)
    (folder / "profile").mkdir()
    (folder / "data" / "cats.yaml").write_text("name: images\nroot: cats\n")
    (folder / "data" / "pets" / "dogs.yaml").write_text("name: images\nroot: dogs\n")
    (folder / "profile" / "brave.yaml").write_text(
        "# @package _global_\ndefaults: [demo]\nlr: 0.0007\ndigits: cats\nfaces: cats\n"
    )
    (folder / "profile" / "mine.yaml").write_text(
        "# @package _global_\nwidth: 0.0625\nbatch_size: 8\nsteps: 2\nlr: 0.0005\nshuffle: true\n"
        "digits: cats\nfaces: pets/dogs\njudge: 'false'\n"
    )
    return folder


def record(folder: Path) -> dict[str, Any]:
    (found,) = folder.glob("outputs/runs/*/config.json")
    return dict(json.loads(found.read_text()))


def manifest(folder: Path, name: str) -> dict[str, Any]:
    return dict(json.loads((folder / f"outputs/sweeps/{name}/manifest.json").read_text()))


def test_a_users_data_set_is_trained_in_a_single_run(cli: Cli, mine: Path, tmp_path: Path) -> None:
    done = cli("--config-dir", "mine", "data=cats", "steps=2", *SMALL)
    assert done.returncode == 0, done.stderr
    kept = record(tmp_path)
    assert kept["params"]["data"]["root"] == "cats"
    # The recorded command has the values of the file, so it does not need the folder.
    assert "data=images data.root=cats" in kept["command"]
    again = cli(*shlex.split(kept["command"])[3:])
    assert "is done already" in again.stdout, again.stderr
    assert "data=catz: did you mean 'cats'? valid: cats, celeba" in one_line_error(
        cli("-cd", "mine", "data=catz")
    )
    assert "data=cats: valid: celeba" in one_line_error(cli("data=cats"))


def test_a_users_profile_is_swept_resumed_and_recorded(
    cli: Cli, mine: Path, tmp_path: Path
) -> None:
    arguments = ("-m", "--config-dir", "mine", "profile=mine", "beta1=0.3,0.5", "name=g")
    planned = cli(*arguments, "plan=true")
    assert planned.returncode == 0, planned.stderr
    assert "2 rows, 4 runs (Cats Output, Dogs Output), 0 done, 4 to train" in planned.stdout
    assert "beta1=0.3 data=pets/dogs" in planned.stdout
    done = cli(*arguments)
    assert done.returncode == 0, done.stderr
    made = manifest(tmp_path, "g")
    assert made["common"]["lr"] == 0.0005
    command = "python -m gansweep -m --config-dir mine profile=mine beta1=0.3,0.5 name=g"
    assert made["command"] == command
    assert "4 done, 0 to train" in cli(*shlex.split(command)[3:]).stdout
    again = cli("resume", "g")
    assert again.returncode == 0, again.stderr
    assert "4 done, 0 to train" in again.stdout


def test_a_grid_over_a_users_choices(cli: Cli, mine: Path) -> None:
    planned = cli(
        "-m", "--config-dir", "mine", "data=glob(*ts),pets/dogs", "profile=mine", "plan=true"
    )
    assert "glob(*ts),pets/dogs" in one_line_error(planned)  # Hydra does not have this combination.
    planned = cli(
        "-m", "--config-dir", "mine", "data=cats,pets/dogs", "profile=mine,demo", "steps=2",
        "batch_size=8", "plan=true",
    )  # fmt: skip
    assert "2 rows, 4 runs (Cats Output, Dogs Output)" in planned.stdout, planned.stderr
    only = cli("-m", "-cd", "mine", "data=glob(*cats)", "steps=2", "batch_size=8", "plan=true")
    assert "1 row, 1 run (Cats Output)" in only.stdout, only.stderr


def test_a_profile_that_changes_another_one(cli: Cli, mine: Path) -> None:
    shown = cli("--config-dir", "mine", "profile=brave", "--cfg", "job").stdout
    assert "lr: 0.0007" in shown
    assert "steps: 650" in shown
    planned = cli("-m", "-cd", "mine", "profile=brave", "batch_size=8,16", "plan=true")
    assert "2 rows, 2 runs (Cats Output)" in planned.stdout, planned.stderr


def test_a_row_list_may_name_a_users_profile(cli: Cli, mine: Path, tmp_path: Path) -> None:
    rows = "tables:\n - columns: [lr]\n   rows: [[0.001], [0.002]]\n"
    (tmp_path / "list.yaml").write_text(
        f"profile: mine\nprofiles: {{mine: {{momentum: 0.5}}}}\n{rows}"
    )
    planned = cli("-m", "--config-dir", "mine", "sweep=list.yaml", "plan=true")
    assert planned.returncode == 0, planned.stderr
    assert "2 rows, 4 runs (Cats Output, Dogs Output)" in planned.stdout
    assert "profile: mine: valid: demo" in one_line_error(cli("-m", "sweep=list.yaml"))


def test_a_search_on_a_users_data_set(cli: Cli, mine: Path, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("profile: mine\nsearch: {lr: null}\n")
    planned = cli("-m", "--config-dir", "mine", "sweep=s.yaml", "judge=true", "plan=true")
    assert planned.returncode == 0, planned.stderr
    assert "lr: 1e-5 to 0.01, logarithmic" in planned.stdout
    done = cli(
        "-m", "--config-dir", "mine", "search=lr", "data=cats", "trials=1", "name=q", "steps=2",
        "sample_every=1", *SMALL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = manifest(tmp_path, "q")
    assert made["pictures"] == ["Cats Output"]
    assert "--config-dir mine" in made["command"]
    assert "search q: 1 trial, 1 " in cli("resume", "q").stdout


def test_other_options_of_hydra_that_add_a_folder(cli: Cli, mine: Path, tmp_path: Path) -> None:
    arguments = ("-m", f"hydra.searchpath=[file://{mine}]", "data=cats", "profile=mine", "name=s")
    assert cli(*arguments).returncode == 0
    assert "hydra.searchpath=" in manifest(tmp_path, "s")["command"]
    assert "1 done, 0 to train" in cli("resume", "s").stdout
    (mine / "own.yaml").write_text("defaults: [config, _self_]\nhydra: {searchpath: []}\nlr: 0.3\n")
    shown = cli("--config-dir", "mine", "--config-name", "own", "--cfg", "job")
    assert "lr: 0.3" in shown.stdout, shown.stderr
    named = cli("-m", "-cd", "mine", "-cn", "own", "data=cats", "profile=mine", "name=n")
    assert named.returncode == 0, named.stderr
    assert "--config-dir mine --config-name own" in manifest(tmp_path, "n")["command"]


def test_a_wrong_folder_is_refused_in_one_line(cli: Cli, mine: Path) -> None:
    assert "--config-dir nope: there is no such folder" in one_line_error(
        cli("--config-dir", "nope", "steps=2")
    )
    (mine / "data" / "nameless.yaml").write_text("root: cats\n")
    message = "names no data set: add the line name: images"
    assert message in one_line_error(cli("-cd", "mine", "data=nameless", "steps=2"))
    assert message in one_line_error(cli("-m", "-cd", "mine", "data=nameless", "steps=2"))
    (mine / "data" / "odd.yaml").write_text("name: imges\nroot: cats\n")
    assert "no data set 'imges': did you mean 'images'?" in one_line_error(
        cli("-m", "-cd", "mine", "data=odd", "steps=2")
    )
    (mine / "profile" / "bare.yaml").write_text("lr: 0.1\n")
    message = "profile/bare.yaml: its first line must be # @package _global_"
    assert message in one_line_error(cli("-cd", "mine", "profile=bare", "steps=2"))
    assert message in one_line_error(cli("-m", "-cd", "mine", "profile=bare", "steps=2"))
    (mine / "profile" / "far.yaml").write_text("# @package _global_\nlr: 9\n")
    assert "lr=9.0 is out of range" in one_line_error(cli("-m", "-cd", "mine", "profile=far"))
    (mine / "profile" / "typo.yaml").write_text("# @package _global_\nalhpa: 0.1\n")
    assert "Key 'alhpa' not in 'Config'" in one_line_error(cli("-cd", "mine", "profile=typo"))
