"""Tests of `sample`, which draws images with a run's generator, and of how runs are named."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import commands
import numpy as np
import pytest
from conftest import plan_small, revive
from own_models import NETS
from PIL import Image

import gansweep as gs
from gansweep.commands import sample, show
from gansweep.config import Config
from gansweep.planning.identity import plan_run
from gansweep.planning.plan import Preparer, keep_record
from gansweep.store.run import Run
from gansweep.training.data.pixels import as_bytes
from gansweep.training.job import execute

GRID = ("-m", "lr=1e-3,5e-4", "data=mnist5k", "steps=20", "name=g", "ema_decay=0.9", "threads=1")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a sweep of two rows, of which one is the best."""
    folder = tmp_path_factory.mktemp("sampled")
    done = commands.run(folder, *GRID)
    assert done.returncode == 0, done.stderr
    revive(folder)
    return folder


@pytest.fixture
def folder(trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Go to an empty folder that has the runs of the sweep."""
    (tmp_path / "outputs").symlink_to(trained / "outputs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    sample.main(list(words))
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as exit:
        sample.main(list(words))
    assert exit.value.code == 2
    (line,) = capsys.readouterr().err.strip().split("\n")
    return line.removeprefix("gansweep: error: ")


def drawn(n: int, name: str = "g/best", **options: object) -> np.ndarray:
    images = gs.run(name).sample(n, seed=0, **options)  # type: ignore[arg-type]
    return as_bytes(images).numpy()


def test_the_images_are_those_of_the_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    best = gs.open("g").best()
    text = said(capsys, "g/best", "--images", "300", "--npz", "--to", "a")
    row = [run.id for run in gs.open("g").runs()].index(best.id)
    assert f"run {best.id} (row {row} of g, Number Output): best weights, step 20" in text
    assert "300 images in " in text
    expected = drawn(300)
    assert np.array_equal(np.load("a/images.npz")["images"], expected)
    said(capsys, "g/best", "--images", "30", "--to", "b/c")
    pictures = sorted((folder / "b/c/images").iterdir())
    assert [p.name for p in pictures] == [f"{n:05d}.png" for n in range(30)]
    for picture, image in zip(pictures, expected, strict=False):
        assert np.array_equal(np.asarray(Image.open(picture)), image[0])
    said(capsys, "g/best", "--images", "3", "--npz", "--seed", "1", "--to", "d")
    assert not np.array_equal(np.load("d/images.npz")["images"], expected[:3])
    assert {p.name for p in folder.iterdir()} == {"outputs", "a", "b", "d"}, "nothing is left over"


def test_every_name_of_a_run_is_understood(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best = gs.open("g").best().id
    for number, name in enumerate(("g", "latest", "latest/best", best, f"outputs/runs/{best}")):
        said(capsys, name, "--images", "2", "--npz", "--to", f"{number}")
        assert np.array_equal(np.load(f"{number}/images.npz")["images"], drawn(2))
    second = gs.open("g").runs()[1]
    assert f"run {second.id} (row 1 of g, " in said(
        capsys, "g/1", "--images", "2", "--to", "second"
    )
    assert gs.run("g/best").id == best
    show.main(["g/best", "--no-picture"])
    assert capsys.readouterr().out.startswith(f"run {best}  done")
    assert "on='Faces': valid: Number Output" in refused(
        capsys, "g/1", "--on", "Faces", "--to", "x"
    )
    assert "the rows of g are 0 to 1" in refused(capsys, "g/2", "--to", "x")
    assert "no run 'nothing'" in refused(capsys, "nothing", "--to", "x")
    with pytest.raises(SystemExit):
        show.main(["g"])
    assert "g/0 names the runs of its row 0, g/best the best" in capsys.readouterr().err


def test_other_weights_are_drawn_from(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "final weights, step 20" in said(
        capsys, "g/0", "--final", "--images", "2", "--npz", "--to", "final"
    )
    said(capsys, "g/0", "--averaged", "--images", "2", "--npz", "--to", "averaged")
    final, averaged = (np.load(f"{name}/images.npz")["images"] for name in ("final", "averaged"))
    assert np.array_equal(final, drawn(2, "g/0", weights="final"))
    assert np.array_equal(averaged, drawn(2, "g/0", weights="averaged"))
    assert not np.array_equal(final, averaged)
    assert "has no snapshots" in refused(capsys, "g/0", "--ema", "0.05", "--to", "x")
    run = plan_small(folder / "unjudged", judge="false")
    execute(run, "")
    text = said(capsys, run.id, "--images", "1", "--to", "f", "--out", "unjudged")
    assert f"run {run.id}: final weights, step 20, as it has no best ones" in text
    assert "has no averaged weights" in refused(
        capsys, run.id, "--averaged", "--to", "x", "--out", "unjudged"
    )


def test_a_grid_and_a_strip_are_drawn(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "g", "--grid", "3", "--interpolate", "5", "--to", "p")
    assert "images in" not in text
    assert {p.name for p in (folder / "p").iterdir()} == {"grid.png", "interpolation.png"}
    grid = np.asarray(Image.open("p/grid.png"))
    assert grid.shape == (84, 84)
    assert np.array_equal(grid[28:56, 56:], drawn(9)[5, 0])
    strip = np.asarray(Image.open("p/interpolation.png"))
    assert strip.shape == (4 * 28, 5 * 28)
    ends = drawn(8)[:, 0]
    for row in range(4):
        tiles = [strip[28 * row : 28 * row + 28, 28 * i : 28 * i + 28] for i in range(5)]
        # Other batches round differently in the last bit.
        for tile, end in ((tiles[0], ends[2 * row]), (tiles[4], ends[2 * row + 1])):
            assert np.abs(tile.astype(int) - end).max() <= 1
        gaps = [np.abs(a.astype(int) - b).mean() for a, b in itertools.pairwise(tiles)]
        whole = np.abs(tiles[0].astype(int) - tiles[4]).mean()
        assert max(gaps) < whole, "each step is smaller than the whole way"


def test_existing_files_are_never_mixed_with_new_ones(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "full").mkdir()
    (folder / "full/mine.png").touch()
    assert "full has files already" in refused(capsys, "g", "--to", "full")
    (folder / "empty").mkdir()
    said(capsys, "g", "--images", "1", "--to", "empty")
    assert (folder / "empty/images/00000.png").exists()
    for words, wrong in (
        (("--images", "0"), "--images 0 is out of range; valid: 1 to"),
        (("--grid", "101"), "--grid 101 is out of range; valid: 1 to 100"),
        (("--interpolate", "1"), "--interpolate 1 is out of range; valid: 2"),
        (("--seed", "-1"), "--seed -1 is out of range"),
        (("--label", "3"), "labels= needs a run with labels=true"),
    ):
        assert wrong in refused(capsys, "g", *words, "--to", "new")
    assert not (folder / "new").exists()


def test_a_class_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = Config(gen="5", disc="4", width=1 / 32, steps=4, labels=True, judge="false", threads=1)
    run, record = plan_run(config, Preparer()(config))
    keep_record(run, record)
    execute(run, "")
    said(capsys, run.id, "--label", "7", "--images", "3", "--to", "sevens")
    pictures = list((tmp_path / "sevens/images").rglob("*.png"))
    assert [picture.parent.name for picture in pictures] == ["7"] * 3
    said(capsys, run.id, "--images", "40", "--npz", "--grid", "2", "--to", "mixed")
    archive = np.load("mixed/images.npz")
    assert archive["images"].shape == (40, 1, 28, 28)
    assert len(set(archive["labels"])) > 3
    assert Image.open("mixed/grid.png").size == (56, 280), "a row for each of the ten classes"
    assert "no class 'seven'" in refused(capsys, run.id, "--label", "seven", "--to", "x")


def test_modules_of_users_are_drawn_from_and_scripts_say_why_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "ownnet.py").write_text(NETS)
    runs: list[Run] = []
    for name in ("Net", "Counting"):
        config = Config(model=f"ownnet:{name}", steps=3, limit=400, judge="false", threads=1)
        run, record = plan_run(config, Preparer()(config))
        keep_record(run, record)
        execute(run, "")
        runs.append(run)
        said(capsys, run.id, "--images", "3", "--npz", "--to", name)
        images = np.load(f"{name}/images.npz")["images"]
        assert np.array_equal(images, drawn(3, run.id, weights="final"))
    said(capsys, runs[0].id, "--interpolate", "3", "--to", "strip")
    message = refused(capsys, runs[1].id, "--interpolate", "3", "--to", "x")
    assert "sample(n) of this module draws its own" in message

    config = Config(command="python train.py --out {out}", judge="false")
    run, record = plan_run(config, Preparer()(config))
    keep_record(run, record)
    message = refused(capsys, run.id, "--to", "x")
    assert "was trained by a script, whose weights gansweep does not know" in message
    shutil.rmtree(run.folder)
