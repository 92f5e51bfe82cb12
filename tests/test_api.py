"""Tests of sweeps from Python: the command, the tables, the runs, and the errors."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import re
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import commands
import numpy as np
import pytest
import torch
from conftest import revive, wait_for
from PIL import Image

import gansweep as gs
from gansweep.api.views import NotebookView
from gansweep.notation import format_float
from gansweep.store.run import Run, read_json, write_json
from gansweep.training.samples import LATENT_SEED, stretched_grid
from testing.synthetic import write_sweep

ROOT = Path(__file__).parents[1]
OLD = Path(__file__).parent / "old_runs"
SMALL = {"data": "mnist5k", "steps": 20, "sample_every": 10, "threads": 1}
NUMBER, FACE = "Number Output", "Drawn Face Output"


def words(*arguments: Any, **parameters: Any) -> str:
    """Return the command of a sweep without its beginning."""
    command = gs.sweep(*arguments, **parameters).command
    assert command.startswith("python -m gansweep -m")
    return command.removeprefix("python -m gansweep -m").strip()


def test_the_command_of_the_readme() -> None:
    assert words(lr=[1e-4, 5e-5], beta1=[0.3, 0.5, 0.9]) == "lr=1e-4,5e-5 beta1=0.3,0.5,0.9"


@pytest.mark.parametrize(
    ("parameters", "command"),
    [
        ({"gen": 5, "shuffle": True, "steps": None}, "gen=5 shuffle=true steps=null"),
        ({"data": ["mnist5k", "toyfaces"], "seed": (1, 2)}, "data=mnist5k,toyfaces seed=1,2"),
        ({"gen.features": [16, 32]}, "gen.features=16,32"),
        ({"data.root": Path("my faces")}, "'data.root='\"'\"'my faces'\"'\"''"),
        ({"seed": range(1, 6)}, "'seed=range(1,6,1)'"),
        ({"rows": [0, 5], "sweep": "readme_table"}, "rows=0,5 sweep=readme_table"),
        ({"rows": "0-5,34"}, "rows=0-5,34"),
        ({"rows": range(2)}, "rows=0,1"),
        ({"search": ["lr", "beta1"], "trials": 20}, "search=lr,beta1 trials=20"),
        ({"lr": gs.interval(1e-5, 1e-2, log=True)}, "'lr=tag(log,interval(1e-5,0.01))'"),
        ({"z_dim": gs.interval(8, 64)}, "'z_dim=interval(8,64)'"),
        ({"lr": np.geomspace(1e-4, 1e-2, 2)}, "lr=1e-4,0.01"),
        ({"lr": [np.float64(0.5), np.int64(1)]}, "lr=0.5,1"),
        ({"lr": torch.tensor([0.5, 0.25])}, "lr=0.5,0.25"),
        ({"hydra/launcher": "joblib"}, "hydra/launcher=joblib"),
    ],
)
def test_python_values_on_the_command_line(parameters: dict[str, Any], command: str) -> None:
    assert words(parameters) == command


def test_a_configuration_folder_is_an_option() -> None:
    assert words({"gen.x": 1}, config_dir="my", lr=0.1) == "--config-dir my gen.x=1 lr=0.1"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: gs.sweep(lr=[]), "lr has no values: the list is empty"),
        (lambda: gs.sweep(lr={1e-4: 2}), "lr: {0.0001: 2} is dict; write a number, text"),
        (lambda: gs.sweep(lr=[[1e-4]]), r"lr: \[0.0001\] is list"),
        (lambda: gs.sweep({"--cfg": "job"}), "'--cfg' is no name of a parameter"),
        (lambda: gs.sweep({"lr": 1}, lr=2), "lr is given twice"),
        (lambda: gs.sweep(plan=True), r"call .plan\(\)"),
        (lambda: gs.sweep(lr=gs.interval("a", 1)), "interval: 'a' is no number"),
        (lambda: gs.sweep(lr=1e-4, cwd="nowhere").run(), "cwd=nowhere: there is no such folder"),
        (lambda: gs.open(), "name a sweep"),
        (lambda: gs.open("nothing"), "no sweep 'nothing' in outputs/sweeps"),
        (lambda: gs.run("nothing"), "nothing: there are no runs in outputs/runs"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    make: Callable[[], Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(gs.UserError, match=message) as refused:
        make()
    assert "\n" not in str(refused.value)
    assert refused.value._render_traceback_() == [f"UserError: {refused.value}"]
    assert not list(tmp_path.iterdir())


def test_importing_gansweep_is_light() -> None:
    code = (
        "import sys, gansweep as gs; print(len([m for m in sys.modules if m[:9] == 'gansweep.']))\n"
        "gs.sweep(lr=[1e-4]).command, gs.open, gs.run; assert 'sweep' in dir(gs)\n"
        "print([m for m in ('torch', 'pandas', 'hydra', 'IPython', 'optuna') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "0\n[]\n", done.stderr


# --- A sweep that is trained ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train two settings with two seeds from Python, and return the folder."""
    folder = tmp_path_factory.mktemp("trained")
    results = gs.sweep(lr=[1e-3, 2e-3], seed=[1, 2], cwd=folder, **SMALL).run(show=False)
    assert repr(results) == f"{results.name}  4/4 done"
    return folder


def opened(folder: Path) -> gs.Results:
    return gs.open("latest", out=folder / "outputs", reports=folder / "reports")


@pytest.mark.slow
def test_runs_ids_and_files_are_those_of_the_command_line(trained: Path, tmp_path: Path) -> None:
    arguments = ("lr=1e-3,2e-3", "seed=1,2", *(f"{name}={value}" for name, value in SMALL.items()))
    done = commands.run(tmp_path, "-m", *arguments)
    assert done.returncode == 0, done.stderr
    ids = [{run.name for run in (f / "outputs/runs").iterdir()} for f in (trained, tmp_path)]
    assert ids[0] == ids[1]
    assert len(ids[0]) == 4
    names = [
        [sweep.name for sweep in (f / "outputs/sweeps").iterdir()] for f in (trained, tmp_path)
    ]
    assert names[0] == names[1] == [opened(trained).name]
    assert (trained / "reports" / names[0][0] / "index.html").is_file()
    for run_id in ids[0]:  # on a CPU equal parameters give equal numbers
        here, there = (
            Run(folder / "outputs", run_id).read_result() for folder in (trained, tmp_path)
        )
        assert here is not None and there is not None
        assert here["judge"]["score"] == there["judge"]["score"]  # type: ignore[index]


def test_a_repeated_call_trains_nothing_and_shows_its_lines(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = gs.sweep(lr=[1e-3, 2e-3], seed=[1, 2], cwd=trained, **SMALL)
    assert "to run 0, done 4" in sweep.plan().text
    assert len(sweep.plan().table()) == 0
    before = {path: path.stat().st_mtime_ns for path in trained.glob("outputs/runs/*/result.json")}
    results = sweep.run(check=True)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert results.name == opened(trained).name
    printed = capsys.readouterr().out
    assert "4 done, 0 to train" in printed
    assert "gallery: reports/" in printed


def test_the_plan_has_the_ids_of_the_runs(trained: Path) -> None:
    plan = gs.sweep(lr=[1e-3, 4e-3], cwd=trained, **SMALL).plan()
    table = plan.table()
    assert list(table["title"]) == ["lr=4e-3 data=mnist5k"]
    assert re.fullmatch(r"[0-9a-f]{10}-s1", table["run"][0])
    assert table["state"][0] == "to train"
    assert re.fullmatch(r"\d+:\d\d", table["about"][0])
    assert "1 done, 1 to train" in plan.text
    assert not (trained / "outputs/runs" / table["run"][0]).exists()


def test_the_table_has_the_numbers_of_the_runs(trained: Path) -> None:
    results = opened(trained)
    table = results.table()
    assert list(table.columns) == [
        "lr", NUMBER, f"{NUMBER} error", f"{NUMBER} flags", f"{NUMBER} status", f"{NUMBER} note",
        f"{NUMBER} runs",
    ]  # fmt: skip
    assert list(table["lr"]) == [0.001, 0.002]
    assert table.index.name == "row"
    assert table.attrs["metrics"] == {NUMBER: "fd_lenet"}
    for _, line in table.iterrows():
        ids = line[f"{NUMBER} runs"]
        assert [run_id[-3:] for run_id in ids] == ["-s1", "-s2"]
        judges = [read_json(trained / f"outputs/runs/{i}/result.json")["judge"] for i in ids]
        values = [judge["score"]["fd_lenet"] for judge in judges]
        assert line[NUMBER] == pytest.approx(fmean(values))
        assert line[f"{NUMBER} error"] == pytest.approx(stdev(values) / 2**0.5)
        assert line[f"{NUMBER} status"] == "done"
        assert line[f"{NUMBER} note"] == ""
    chosen = results.table(["lr", "fd_lenet", "steps"])
    assert list(chosen.columns) == ["lr", "fd_lenet", "steps"]
    assert chosen["fd_lenet"].tolist() == pytest.approx(table[NUMBER].tolist())
    with pytest.raises(gs.UserError, match="no column 'lrr': did you mean 'lr'"):
        results.table(["lrr"])
    with pytest.raises(gs.UserError, match="on='digits': valid: Number Output"):
        results.table(on="digits")


def test_the_report_has_the_same_numbers(trained: Path, tmp_path: Path) -> None:
    results = opened(trained)
    folder = results.report(tmp_path / "made", formats=["csv"])
    assert folder == tmp_path / "made"
    lines = list(csv.DictReader(io.StringIO((folder / "runs.csv").read_text())))
    table = results.table()
    for lr, value in zip(table["lr"], table[NUMBER], strict=True):
        own = [float(line["fd_lenet"]) for line in lines if float(line["lr"]) == lr]
        assert len(own) == 2
        assert value == pytest.approx(fmean(own))
    with pytest.raises(gs.UserError, match="excel"):
        results.report(formats=["excel"])


def test_the_best_run_and_its_images(trained: Path) -> None:
    results = opened(trained)
    with pytest.raises(
        gs.UserError, match="has no best row on Number Output: all 2 evaluated rows"
    ):
        results.best()
    revive(trained)
    best = results.best()
    values = {run.id: run.score["fd_lenet"] for run in results.runs()}
    assert len(values) == 4
    table = results.table()
    winner = table.loc[table[NUMBER].idxmin()]
    assert best.id == min(winner[f"{NUMBER} runs"], key=values.__getitem__)
    assert best.params["lr"] == winner["lr"]
    assert (best.params["data"], best.params["data.holdout"]) == ("mnist5k", 0.1)
    assert best.status == "done"
    assert f"lr={format_float(best.params['lr'])}" in best.command
    images = best.sample(16, seed=LATENT_SEED)
    assert images.shape == (16, 1, 28, 28)
    assert images.dtype == torch.float32
    assert images.abs().max() <= 1
    kept = Image.open(best.folder / "best.png")
    assert np.array_equal(np.asarray(stretched_grid(images)), np.asarray(kept))
    assert np.array_equal(np.asarray(best.picture()), np.asarray(kept))


def test_the_generators_of_a_run(trained: Path) -> None:
    run = opened(trained).runs()[0]
    state = torch.get_rng_state()
    generator = run.generator("final")
    assert torch.equal(torch.get_rng_state(), state)
    assert not generator.training
    with torch.no_grad():
        images = generator(torch.zeros(3, run.params["z_dim"]))
    assert images.shape == (3, 1, 28, 28)
    final = run.sample(16, seed=LATENT_SEED, weights="final")
    last = Image.open(run.folder / "samples.png")
    assert np.array_equal(np.asarray(stretched_grid(final)), np.asarray(last))
    assert run.sample(300).shape == (300, 1, 28, 28)
    assert not torch.equal(run.sample(2), run.sample(2))
    assert run.picture(step=10).size == (112, 112)
    for call, message in (
        (lambda: run.generator("averaged"), "no averaged weights, as it has no ema_decay"),
        (lambda: run.generator("bset"), "weights='bset': did you mean 'best'"),
        (lambda: run.sample(0), "n=0: the number of images is 1 or more"),
        (
            lambda: run.picture(step=11),
            "no picture of step 11: it has pictures of the steps 10, 20",
        ),
    ):
        with pytest.raises(gs.UserError, match=message):
            call()


def test_the_streams_of_a_run(trained: Path) -> None:
    run = opened(trained).runs()[0]
    metrics, evaluations = run.metrics(), run.evaluations()
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert list(metrics.index) == [line["step"] for line in lines]
    assert metrics["loss_d"].tolist() == [line["loss_d"] for line in lines]
    assert evaluations.index.name == "step"
    assert evaluations.index[-1] == 20
    assert evaluations["fd_lenet"].notna().all()


# --- Failures and interrupts ----------------------------------------------------------------------


def test_an_invalid_value_has_the_message_of_the_command(tmp_path: Path) -> None:
    command = commands.run(tmp_path, "-m", "lr=abc")
    for call in (gs.sweep(lr="abc", cwd=tmp_path).run, gs.sweep(lr="abc", cwd=tmp_path).plan):
        with pytest.raises(gs.SweepError) as refused:
            call()
        assert f"gansweep: error: {refused.value}\n" == command.stderr
        assert refused.value.code == 2
        assert refused.value.results is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_failed_run_is_a_row_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in commands.with_fault("do=raise lr=0.002 step=5").items():
        monkeypatch.setenv(name, value)
    sweep = gs.sweep(lr=[1e-3, 2e-3], cwd=tmp_path, **SMALL)
    results = sweep.run(show=False)
    table = results.table()
    assert list(table[f"{NUMBER} status"]) == ["done", "failed"]
    assert list(table[f"{NUMBER} note"]) == ["", "failed: injected"]
    assert np.isfinite(table[NUMBER][0]) and np.isnan(table[NUMBER][1])
    (failed,) = results.failed()
    with pytest.raises(gs.SweepError, match=f"^1 run has failed: {failed}: failed: injected$") as e:
        sweep.run(check=True, show=False)
    assert e.value.code == 1
    assert e.value.results is not None
    assert e.value.results.name == results.name
    with pytest.raises(gs.UserError, match=rf"run {failed} \(failed\) has no best weights$"):
        gs.run(failed, out=tmp_path / "outputs").generator()


SCRIPT = """
import gansweep as gs
try:
    gs.sweep(lr=[1e-3, 2e-3], data="mnist5k", steps=100000, sample_every=20, threads=1).run()
except KeyboardInterrupt as interrupt:
    print("python:", interrupt)
"""


@pytest.mark.slow
def test_an_interrupt_stops_the_sweep_with_checkpoints(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    try:
        wait_for("outputs/runs/*/samples/step_000020.png", tmp_path)
        os.kill(process.pid, signal.SIGINT)  # to the program alone, as the stop button sends it
        out, err = process.communicate(timeout=400)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert out.endswith("python: the sweep was interrupted; the same call resumes it\n")
    assert "stopping: running runs write a checkpoint" in out
    assert "to resume: python -m gansweep -m lr=1e-3,2e-3" in out
    runs = gs.open("latest", out=tmp_path / "outputs").runs()
    assert "interrupted" in {run.status for run in runs}
    for run in runs:
        if run.status == "interrupted":
            assert (run.folder / "last.ckpt").is_file()


@pytest.mark.slow
def test_a_terminal_shows_the_commands_own_view(tmp_path: Path) -> None:
    """Ctrl-C reaches the command once, as both processes belong to the terminal."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, start_new_session=True,
        stdin=theirs, stdout=theirs, stderr=theirs,
        preexec_fn=_own_terminal,
    )  # fmt: skip
    os.close(theirs)
    said: list[bytes] = []
    reader = threading.Thread(target=lambda: said.extend(_read_all(ours)))
    reader.start()
    try:
        wait_for("outputs/runs/*/samples/step_000020.png", tmp_path)
        os.write(ours, b"\x03")
        assert process.wait(timeout=400) == 0
    finally:
        process.kill()
        reader.join(timeout=10)
        os.close(ours)
    text = b"".join(said).decode()
    assert "\x1b[2mslot" in text, "the heading of the live view, in its colour"
    assert "to resume: python -m gansweep -m" in text
    assert "python: the sweep was interrupted; the same call resumes it" in text
    runs = gs.open("latest", out=tmp_path / "outputs").runs()
    assert any((run.folder / "last.ckpt").is_file() for run in runs)


def _own_terminal() -> None:
    """Make the terminal that of this process, and hear Ctrl-C also where the tests ignore it."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _read_all(terminal: int) -> Iterator[bytes]:
    """Yield what is written to a terminal until its programs have ended."""
    with suppress(OSError):  # this is how Linux says so
        while data := os.read(terminal, 65536):
            yield data


@pytest.mark.slow
def test_a_search_from_python(tmp_path: Path) -> None:
    sweep = gs.sweep(
        lr=gs.interval(1e-4, 1e-2, log=True), trials=2, sampler="random", cwd=tmp_path, **SMALL
    )
    results = sweep.run(show=False)
    assert results.name.startswith("search-lr-")
    table = results.table()
    assert sorted(table["trial"]) == [0, 1]
    assert ((table["lr"] >= 1e-4) & (table["lr"] <= 1e-2)).all()
    assert all(len(ids) == 1 for ids in table[f"{NUMBER} runs"])


@pytest.mark.slow
def test_the_images_of_a_users_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *filter(None, path)]))
    small = {"data": "mnist5k", "steps": 4, "batch_size": 16, "threads": 1}
    sweep = gs.sweep({"model.lr": [1e-3]}, model="examples.lightning_gan:DenseGAN", **small)
    monkeypatch.chdir(tmp_path)
    (run,) = sweep.run(show=False).runs()
    assert run.params["model.lr"] == 1e-3
    images = run.sample(16, seed=LATENT_SEED, weights="final")
    last = Image.open(run.folder / "samples.png")
    assert np.array_equal(np.asarray(stretched_grid(images)), np.asarray(last))
    module = run.generator("final")
    assert type(module).__name__ == "DenseGAN"
    assert not module.training
    with pytest.raises(gs.UserError, match="no averaged weights"):
        run.generator("averaged")


# --- Reading the files of sweeps ------------------------------------------------------------------


@pytest.fixture
def synthetic(tmp_path: Path) -> Path:
    write_sweep(tmp_path, 3, seeds=3, pictures=2)
    return tmp_path


def test_numbers_flags_and_notes_by_hand(synthetic: Path) -> None:
    for seed, value in ((1, 10.0), (2, 40.0), (3, 70.0)):
        path = Run(synthetic, f"000001m-s{seed}").result
        result: Any = read_json(path)
        result["judge"]["score"]["fd_lenet"] = value
        result["judge"]["flags"] = ["collapsed"] if seed == 2 else []
        write_json(path, result)
    Run(synthetic, "000002t-s1").result.unlink()
    table = gs.open("synth", out=synthetic).table()
    assert table[NUMBER][1] == 40
    assert table[f"{NUMBER} error"][1] == pytest.approx(30 / 3**0.5)
    assert table[f"{NUMBER} flags"][1] == "collapsed"
    assert table[f"{NUMBER} runs"][1] == ["000001m-s1", "000001m-s2", "000001m-s3"]
    assert "done" in table[f"{FACE} status"][2]
    assert table[f"{FACE} status"][2] != "done"
    assert table[f"{FACE} note"][2].startswith("seed 1: ")
    assert table[f"{FACE} runs"][2] == ["000002t-s1", "000002t-s2", "000002t-s3"]


def test_a_run_is_opened_by_row_data_and_seed(synthetic: Path) -> None:
    run = gs.run("latest/1", data="toyfaces", seed=2, out=synthetic)
    assert run.id == "000001t-s2"
    assert gs.run("000001t-s2", out=synthetic).params["lr"] == 2e-5
    with pytest.raises(
        gs.UserError, match=r"latest/1: 3 runs fit; choose .* 000001m-s1 \(mnist5k,"
    ):
        gs.run("latest/1", data="mnist5k", out=synthetic)
    with pytest.raises(gs.UserError, match="latest/1: no run fits"):
        gs.run("latest/1", seed=9, out=synthetic)


def test_several_sweeps_make_one_table(synthetic: Path) -> None:
    write_sweep(synthetic, 2, seeds=3, pictures=1, name="second")
    both = gs.open("synthetic", "second", out=synthetic)
    assert both.name == "synthetic+second"
    assert list(both.table()["sweep"]) == ["synthetic, second", "synthetic, second", "synthetic"]
    assert len(repr(both).splitlines()) == 2


def test_a_notebook_shows_the_tables_pictures(synthetic: Path) -> None:
    results = gs.open("synthetic", out=synthetic)
    page = results._repr_html_()
    assert page is not None
    pictures = re.findall(r'<img src="data:image/png;base64,([\w+/=]+)" alt="row \d', page)
    assert len(pictures) == 3 * 2 * 2, "the best and the worst seed of each cell"
    table = results.table()
    assert f"{table[NUMBER].min():.0f}" in page
    assert page.count("<tr>") == 4
    assert "best, seed" in page
    run = gs.run("000001t-s2", out=synthetic)
    assert 'alt="run 000001t-s2"' in run._repr_html_()
    assert "learning rate" in run._repr_html_()


def test_texts_of_files_are_no_html(synthetic: Path) -> None:
    path = synthetic / "sweeps/synthetic/manifest.json"
    manifest: Any = read_json(path)
    manifest["title"] = "<script>alert(1)</script>"
    write_json(path, manifest)
    Run(synthetic, "000000m-s1").result.unlink()
    write_json(Run(synthetic, "000000m-s1").failure, {"error": "<b>\x1b[31m", "cause": "failed"})
    page = gs.open("synthetic", out=synthetic)._repr_html_()
    assert page is not None
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert r"&lt;b&gt;\x1b[31m" in page


def test_a_damaged_picture_is_a_note(synthetic: Path) -> None:
    for run in gs.open("synthetic", out=synthetic).runs():
        for path in run.folder.glob("*.png"):
            path.unlink()
            path.write_bytes(b"no picture")
    page = gs.open("synthetic", out=synthetic)._repr_html_()
    assert page is not None
    assert "<img" not in page
    assert "cannot be read" in page
    run = gs.run("000001t-s2", out=synthetic)
    assert "cannot be read" in run._repr_html_()
    with pytest.raises(gs.UserError, match="cannot be read"):
        run.picture()


def test_the_view_of_a_notebook_follows_the_files(
    synthetic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A running run is shown with its step and its latest picture."""
    shown: list[str] = []
    monkeypatch.setattr(NotebookView, "_show", lambda view, text: shown.append(text))
    run = Run(synthetic, "000002m-s1")
    run.result.unlink()
    view = NotebookView()
    view.line("[ 1/18] <done>")
    with run.owned():
        view.tick(synthetic / "sweeps/synthetic/manifest.json")
    assert "17/18 done" in shown[-1]
    assert "1 running" in shown[-1]
    assert "&lt;done&gt;" in shown[-1]
    step = max(run.sample_pictures())
    assert f'000002m-s1, step {step}"' in shown[-1]
    count = len(shown)
    view.tick(synthetic / "sweeps/synthetic/manifest.json")
    assert len(shown) == count, "an update within a second is left out"
    view.end(gs.open("synthetic", out=synthetic))
    assert shown[-1].count("data:image/png") == 12


def test_weights_of_an_earlier_version_draw_their_picture() -> None:
    run = gs.run("316138d34a-s1", out=OLD)
    drawn = np.asarray(stretched_grid(run.sample(16, seed=LATENT_SEED)), int)
    assert abs(drawn - np.asarray(run.picture(), int)).max() < 8, "of 255 shades of grey"
    with pytest.raises(gs.UserError, match="has no final weights; it has weights='best'"):
        run.generator("final")
