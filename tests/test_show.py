"""Tests of `gansweep.commands.show` and `gansweep.commands.diff`."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import commands
import pytest
from conftest import Cli, one_line_error
from PIL import Image

from gansweep.store.run import Run, write_json
from testing.synthetic import write_sweep


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_sweep(tmp_path / "outputs", 4, pictures=3)
    return tmp_path


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "100")
        return commands.run(folder, *words)


def test_a_run_is_found_by_id_prefix_folder_and_row(folder: Path) -> None:
    for words in ("000002m-s1", "000002m", "outputs/runs/000002m-s1"):
        done = run(folder, "show", words)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("run 000002m-s1  done  on mnist5k\n")
    both = run(folder, "show", "synthetic/2")
    assert "run 000002m-s1  done  on mnist5k\n" in both.stdout
    assert "run 000002t-s1  done  on toyfaces\n" in both.stdout
    for beginning in ("synth/2", "latest/2"):
        assert run(folder, "show", beginning).stdout == both.stdout


def test_the_facts_of_a_run_are_shown(folder: Path) -> None:
    done = run(folder, "show", "000002m").stdout
    for words in (
        "learning rate  5e-5",
        "data           mnist5k, 5,000 images of 28×28",
        "judged             FD (LeNet) ",
        "training time      14 s",
        "packages  torch 2",
        "folder: outputs/runs/000002m-s1",
    ):
        assert words in done
    assert "beta 2" not in done, "defaults are left out"
    assert "beta 2" in run(folder, "show", "000002m", "--all").stdout


def test_a_flag_is_shown_with_its_numbers(tmp_path: Path) -> None:
    write_sweep(tmp_path / "outputs", 3, pictures=1)
    file = tmp_path / "outputs/runs/000002m-s1/result.json"
    result = json.loads(file.read_text())
    result["judge"]["flags"] = ["collapse"]
    result["judge"]["score"]["variety"] = 0.41
    file.write_text(json.dumps(result))
    done = run(tmp_path, "show", "000002m").stdout
    assert re.search(r"collapsed +variety 0\.41, under 0\.6 *\n", done)


def test_the_learning_rate_of_each_layer_is_shown(cli: Cli, tmp_path: Path) -> None:
    """The given rate of a trained run is that of full width."""
    done = cli(
        "gen=5", "disc=4", "width=0.125", "steps=1", "batch_size=4", "lr=2e-4", "judge=false"
    )
    assert done.returncode == 0, done.stderr
    (of_run,) = (tmp_path / "outputs" / "runs").iterdir()
    lines = [
        " ".join(line.split())
        for line in cli(of_run.name, module="gansweep.show").stdout.splitlines()
    ]
    assert "learning rate 2e-4" in lines
    start = lines.index("learning rates of the generator")
    assert lines[start + 1] == "0 Linear 100→2048 2e-4"
    assert "5 ConvTranspose2d 128→64 0.0016" in lines
    (image,) = [line for line in lines if line.split()[1:3] == ["ConvTranspose2d", "32→1"]]
    assert image.endswith(" 0.0016, bias 2e-4")


def test_a_failed_run_shows_its_last_lines(folder: Path) -> None:
    failed = Run(folder / "outputs", "000001m-s1")
    failed.result.unlink()
    write_json(failed.failure, {"error": "boom"})
    failed.log.write_text("before\nRuntimeError: [bold]boom\n")
    done = run(folder, "show", "000001m").stdout
    assert "failed: boom" in done
    assert "RuntimeError: [bold]boom" in done


def test_the_picture_of_a_run_is_drawn_in_half_blocks(folder: Path) -> None:
    Image.new("RGB", (4, 4), (255, 0, 0)).save(Run(folder / "outputs", "000000m-s1").best_picture)
    assert "▀▀▀▀\n▀▀▀▀" in run(folder, "show", "000000m", "--picture").stdout
    assert "▀" not in run(folder, "show", "000000m").stdout, "the output is not a terminal"


@pytest.mark.parametrize("suffix", ["webp", "gif"])
def test_an_animation_of_a_runs_pictures(suffix: str, folder: Path) -> None:
    done = run(folder, "show", "000002m", "--animate", f"over_time.{suffix}")
    assert done.returncode == 0, done.stderr
    with Image.open(folder / f"over_time.{suffix}") as picture:
        assert picture.n_frames >= 3  # type: ignore[attr-defined]
    refused = run(folder, "show", "000002m", "--animate", "over_time.mp4")
    assert "write FILE.webp or FILE.gif" in one_line_error(refused)


def test_a_difference_of_parameters(folder: Path) -> None:
    done = run(folder, "diff", "synthetic/1", "synthetic/2")
    assert done.returncode == 1, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "000001m-s1 000002m-s1" in lines[0]
    assert lines[1] == "learning rate 2e-5 5e-5"
    assert any(line.startswith("FD (LeNet) ") for line in lines)
    assert not any("batch size" in line or "torch" in line for line in lines), "the same"


def test_no_difference(folder: Path) -> None:
    done = run(folder, "diff", "000001m", "000001m")
    assert done.returncode == 0, done.stderr
    assert "the same parameters" in done.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("nothing", "no run 'nothing'"),
        ("00000", "8 runs have this prefix: 000000m-s1, 000000t-s1"),
        ("synthetic/9", "the rows of synthetic are 0 to 3"),
        ("synthetic", "synthetic is a sweep: synthetic/0 names the runs of its row 0"),
    ],
)
def test_unknown_runs_are_refused(words: str, says: str, folder: Path) -> None:
    assert says in one_line_error(run(folder, "show", words))
    assert says in one_line_error(run(folder, "diff", words, words))
