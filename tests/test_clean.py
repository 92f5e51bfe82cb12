"""Tests of `clean`, which removes the weights of all but the best rows of a sweep."""

from __future__ import annotations

import os
import pty
import sys
from pathlib import Path

import pytest
from commands import run as run_command
from conftest import one_line_error

from gansweep.commands import clean
from gansweep.report.table.address import best_of
from gansweep.store.manifest import read_manifest
from gansweep.store.run import Run
from gansweep.store.weights import all_runs, shown_size, weight_files, weights_in_words
from testing.synthetic import write_sweep


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to a folder with a sweep of four rows on two data sets; each run has weights."""
    write_sweep(tmp_path / "outputs", 4, pictures=3)
    for path in (tmp_path / "outputs/runs").iterdir():
        for name, size in (("final.ckpt", 3000), ("best.ckpt", 2000), ("state.ckpt", 5000)):
            (path / name).write_bytes(b"x" * size)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def having() -> set[str]:
    """Return the runs that have weights."""
    runs = (Run("outputs", path.name) for path in Path("outputs/runs").iterdir())
    return {run.id for run in runs if weight_files(run)}


def cleaned(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    clean.main(["synthetic", *words])
    return capsys.readouterr().out


def test_the_weights_of_the_best_rows_stay(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    everything = having()
    assert len(everything) == 8
    pictures = {path: path.read_bytes() for path in folder.rglob("*.png")}
    listed = cleaned(capsys, "--keep", "1")
    assert listed.startswith("clean synthetic: 4 rows, keeps the weights of the 1 best\n")
    assert "to remove: 60 kB of weights in 6 runs; rows and pictures stay" in listed
    assert listed.endswith("nothing was removed: add --yes\n")
    assert having() == everything
    assert cleaned(capsys, "--keep", "1", "--yes").endswith("removed 60 kB\n")
    best = {
        best_of(["synthetic"], "outputs", on).run.id
        for on in ("Number Output", "Drawn Face Output")
    }
    assert having() == best
    assert {path: path.read_bytes() for path in folder.rglob("*.png")} == pictures
    assert "nothing to remove" in cleaned(capsys, "--keep", "1", "--yes")
    assert "removed 20 kB" in cleaned(capsys, "--keep", "0", "--yes")
    assert having() == set()
    status = run_command(folder, "status", "synthetic")
    assert "8/8 done" in status.stdout
    assert "weights" not in status.stdout


def test_runs_of_other_sweeps_and_running_ones_are_left(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = read_manifest("outputs", "synthetic")
    shared = manifest.rows[3].runs
    manifest.name, manifest.rows = "other", [manifest.rows[3]]
    manifest.tables[0].rows = [0]
    manifest.write("outputs")
    unfinished = Run("outputs", manifest.rows[0].runs["Number Output"][0].replace("3", "2", 1))
    assert unfinished.id in having()
    unfinished.result.unlink()
    runs = {run for ids in shared.values() for run in ids}
    listed = cleaned(capsys, "--keep", "0")
    assert "  left (also in other): " in listed
    assert f"  left (interrupted): {unfinished.id}\n" in listed
    held = Run("outputs", sorted(having() - runs - {unfinished.id})[0])
    with held.owned():
        listed = cleaned(capsys, "--keep", "0", "--yes")
        assert f"  left (running): {held.id}\n" in listed or f"trained): {held.id}" in listed
    assert having() == runs | {unfinished.id, held.id}
    # The other sweep may remove what this one has given up.
    clean.main(["other", "--keep", "0", "--yes"])
    assert "removed 20 kB" in capsys.readouterr().out
    assert having() == {unfinished.id, held.id}


def test_a_question_is_asked_on_a_terminal(folder: Path) -> None:
    for answer, left in (("n", 8), ("y", 0)):
        pid, terminal = pty.fork()
        if pid == 0:
            sys.stdin, sys.stdout = open(0), open(1, "w")  # noqa: SIM115
            try:
                clean.main(["synthetic", "--keep", "0"])
                sys.stdout.flush()
            finally:
                os._exit(0)
        os.write(terminal, f"{answer}\n".encode())
        text = b""
        while True:
            try:
                part = os.read(terminal, 1 << 16)
            except OSError:
                break
            if not part:
                break
            text += part
        os.waitpid(pid, 0)
        os.close(terminal)
        assert b"remove these weights? [y/N]" in text
        assert len(having()) == left, text.decode()


def test_sizes_are_shown(folder: Path) -> None:
    assert [shown_size(n) for n in (0, 999, 1000, 999_600, 14_230_000, 10**13)] == [
        "0 bytes", "999 bytes", "1 kB", "1 MB", "14.2 MB", "10 TB",
    ]  # fmt: skip
    words = weights_in_words("outputs", all_runs(read_manifest("outputs", "synthetic")))
    assert words == "80 kB of weights, 40 kB of them final states for extend"
    assert words in run_command(folder, "status", "synthetic").stdout


def test_what_cannot_be_cleaned_is_refused(folder: Path) -> None:
    assert "--keep -1: the number of rows is 0 or more" in one_line_error(
        run_command(folder, "clean", "synthetic", "--keep", "-1")
    )
    assert "no sweep 'none'" in one_line_error(run_command(folder, "clean", "none", "--keep", "1"))
    for path in folder.glob("outputs/runs/*/result.json"):
        path.unlink()
    message = one_line_error(run_command(folder, "clean", "synthetic", "--keep", "2"))
    assert "no row of synthetic has been evaluated, so none is the best to keep" in message
