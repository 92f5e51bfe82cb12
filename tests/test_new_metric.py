"""Tests that one decorated function makes a metric that is measured, shown and optimized."""

from __future__ import annotations

import functools
import json
import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Cli, one_line_error, plan_small
from torch import Tensor

from gansweep.launch.task import PlannedRun
from gansweep.params import DataConfig
from gansweep.plugins import DATASETS, FACTS, METRICS
from gansweep.report.table.cell import BEST, Cell, mark_best
from gansweep.report.table.judged import opinions
from gansweep.report.table.outcome import Outcome, read_outcome
from gansweep.store.errors import UserError
from gansweep.training.data import prepare
from gansweep.training.job import execute
from gansweep.training.metrics.equilibrium import Evaluation, Tracker, flags
from gansweep.training.metrics.evaluate import Judge
from gansweep.training.metrics.registered import metrics_of, missing_metrics

OWN = '''
from gansweep.plugins import METRICS

@METRICS.register(
    "glare", features="pixels", direction="minimize", digits=3, label="glare",
)
def glare(real, fake):
    """Difference of the mean brightness of real and generated images"""
    return abs(float(real.mean()) - float(fake.mean())) / 255
'''
# More is better for coverage, which ranks the digits here.
MORE_IS_BETTER = """
from gansweep.plugins import DATASETS
DATASETS["mnist5k"].facts["metrics"] = ("coverage", "fd_lenet")
"""
SHORT = ("data=mnist5k", "gen=5", "disc=4", "width=0.0625", "steps=2", "threads=1", "name=s")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write a module that every process of a cold command imports first."""

    def write(text: str) -> None:
        (tmp_path / "own").mkdir()
        (tmp_path / "own/sitecustomize.py").write_text(text)
        path = [str(tmp_path / "own"), os.environ.get("PYTHONPATH", "")]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, path)))

    return write


# --- The registry ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "facts", "says"),
    [
        ("mine", {"features": "vgg"}, "features='vgg'; valid: judge, lenet, random, inception"),
        ("mine", {"direction": "less"}, "direction='less'; valid: minimize, maximize"),
        ("copied", {}, "metric 'copied': choose an identifier"),
        ("my-metric", {}, "metric 'my-metric': choose an identifier"),
        ("swd", {}, "metric 'swd' is registered twice"),
    ],
)
def test_an_invalid_declaration_is_refused(name: str, facts: dict[str, Any], says: str) -> None:
    known = METRICS.names()
    whole = {"features": "judge", "direction": "minimize", "digits": 1, "label": "mine", **facts}
    with pytest.raises(ValueError, match=says):
        METRICS.register(name, **whole)(lambda real, fake: 0.0)
    assert METRICS.names() == known


class Paper:
    """A net in place of Inception."""

    name, hash, features, metric = "paper", "0", "inception", "fid"

    def to(self, device: torch.device) -> None:
        pass

    def __call__(self, images: Tensor, nets: int | None = None) -> list[Tensor]:
        return [images.float().flatten(1)[:, ::40]]


@pytest.fixture(scope="module", params=["mnist5k", "toyfaces"])
def score(request: pytest.FixtureRequest) -> Iterator[tuple[str, dict[str, Any]]]:
    data = prepare(DataConfig(request.param), 28)
    judge = Judge(data, published=Paper())  # type: ignore[arg-type]
    yield request.param, judge.score(torch.from_numpy(data.array()[:300].copy()))


@pytest.mark.slow
def test_exactly_the_registered_metrics_are_measured(
    score: tuple[str, dict[str, Any]],
) -> None:
    data_set, found = score
    metrics = {metric.name for metric in metrics_of(data_set, "inception")}
    errors = {name for name in found if name.removesuffix("_error") in metrics} - metrics
    assert metrics <= set(found)
    assert set(found) - metrics - errors <= FACTS
    both = {"fid", "kid", "fd_random", "coverage", "density", "diversity"}
    only = {"mnist5k": {"fd_lenet", "kd_lenet"}, "toyfaces": {"kd_random", "swd"}}
    assert both | only.pop(data_set) <= metrics
    assert not metrics & {"fd_dinov2", "kd_dinov2"}.union(*only.values())


def test_a_metric_gets_real_and_generated_images_in_its_features(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    entries = dict(METRICS._load())
    monkeypatch.setattr(METRICS, "_entries", entries)
    for features in ("judge", "lenet", "random", "pixels", "dinov2"):

        def spy(real: np.ndarray, fake: np.ndarray, name: str = features) -> tuple[float, float]:
            seen[name] = real, fake
            return 1.5, 0.25

        METRICS.register(
            f"spy_{features}", features=features, direction="maximize", digits=1, label=features
        )(spy)  # fmt: skip
    data = prepare(DataConfig("mnist5k"), 28)
    images = torch.from_numpy(data.array()[:300].copy())
    found = Judge(data).score(images)
    assert "spy_dinov2" not in found
    assert (found["spy_judge"], found["spy_judge_error"]) == (1.5, 0.25)
    assert {name: (real.shape, fake.shape) for name, (real, fake) in seen.items()} == {
        "judge": ((500, 64), (300, 64)), "lenet": ((500, 64), (300, 64)),
        "random": ((500, 64), (300, 64)), "pixels": ((500, 1, 28, 28), (300, 1, 28, 28)),
    }  # fmt: skip
    assert seen["judge"][0] is seen["lenet"][0]
    assert seen["pixels"][1].dtype == np.uint8


def test_a_data_set_with_an_unavailable_metric_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = prepare(DataConfig("mnist5k"), 28)
    monkeypatch.setitem(DATASETS["mnist5k"].facts, "metrics", ("fid", "fd_lenet"))
    with pytest.raises(ValueError, match="'mnist5k' have no metric 'fid'; valid: fd_lenet, "):
        Judge(data)


# --- A metric without a value ---------------------------------------------------------------------


@pytest.fixture
def glare(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Register a metric `glare` by its function, its value, or the error that it raises."""
    monkeypatch.setattr(METRICS, "_entries", dict(METRICS._load()))

    def register(value: Any) -> None:
        def function(real: np.ndarray, fake: np.ndarray) -> Any:
            if isinstance(value, BaseException):
                raise value
            return value(real, fake) if callable(value) else value

        METRICS.register(
            "glare", features="pixels", direction="minimize", digits=1, label="Glare"
        )(function)  # fmt: skip

    return register


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (ValueError("math domain\nerror"), "math domain error"),
        (KeyError("mean"), "KeyError: 'mean'"),
        (None, "its function returned None, which is no valid result"),
        ((1.0, 2.0, 3.0), "its function returned (1.0, 2.0, 3.0), which is no valid result"),
        ({"other": 1.0}, "its function returned {'other': 1.0}, which is no valid result"),
        (math.inf, "its value is inf, not a finite number"),
        ({"glare": math.nan}, "its value is nan, not a finite number"),
    ],
)
def test_a_metric_without_a_value_is_null_with_the_reason(
    value: Any, reason: str, glare: Any
) -> None:
    glare(value)
    data = prepare(DataConfig("mnist5k"), 28)
    judge = Judge(data)
    found = judge.score(torch.from_numpy(data.array()[:100].copy()))
    assert found["glare"] is None
    assert judge.errors == {"glare": reason}
    assert found["fd_lenet"] > 0


def test_a_run_is_kept_if_a_metric_fails(
    tmp_path: Path, glare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One failing metric lost the whole run at its last step, with `failed: math domain error`."""
    glare(ValueError("math domain error"))
    monkeypatch.setitem(DATASETS["mnist5k"].facts, "metrics", ("fd_lenet", "glare"))
    run = plan_small(tmp_path, ema_decay=0.5)
    said: list[str] = []
    execute(run, "first", tell=said.append)
    assert said[0] == "first  metric glare: math domain error"
    assert sum("glare" in line for line in said) == 1, "although two scores lack it"
    read = read_outcome(run)
    assert (read.status, read.note) == ("done", "")
    assert read.judge is not None
    assert read.judge["score"]["glare"] is read.judge["ema"]["glare"] is None  # type: ignore
    assert read.judge["errors"] == {"glare": "math domain error"}
    assert "second" not in read.judge, "as there is no second opinion"


def test_a_collapse_can_be_flagged_without_a_coverage() -> None:
    score = {"coverage": None, "diversity": None, "variety": 0.1, "copied": None}
    assert flags(evaluations([0.5, 0.1, 0.05], "fd_lenet"), 20, score) == ["collapse"]


@pytest.mark.parametrize("when", ["evaluation", "score"])
def test_a_run_fails_if_the_metric_that_ranks_it_fails(
    when: str, tmp_path: Path, glare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    glare(ValueError("math domain error") if when == "evaluation" else math.inf)
    monkeypatch.setitem(DATASETS["mnist5k"].facts, "metrics", ("glare", "fd_lenet"))
    run = plan_small(tmp_path)
    with pytest.raises(ValueError, match="metric glare: "):
        execute(run, "first")
    reason = {"evaluation": "math domain error", "score": "its value is inf, not a finite number"}
    assert run.why_failed() == f"failed: metric glare: {reason[when]}"


def test_a_shortage_of_memory_is_none_of_the_metric(tmp_path: Path, glare: Any) -> None:
    """The launcher retries the run alone on its device."""
    glare(RuntimeError("CUDA out of memory"))
    run = plan_small(tmp_path)
    with pytest.raises(RuntimeError, match="out of memory"):
        execute(run, "first")
    assert (run.read_failure() or {})["cause"] == "out of memory"  # type: ignore[typeddict-item]


@pytest.mark.slow
def test_a_search_names_its_failed_trials_and_the_reason(
    cli: Cli, tmp_path: Path, module: Any
) -> None:
    """The reason was "another sweep trained the run with judge=false", and the report had none."""
    module(OWN.replace("return", "return 1e999 +"))
    words = ("-m", "search=lr", "trials=2", "objective=quality+glare", *SHORT)
    done = cli(*words, cold=True)
    assert done.returncode == 1
    why = "metric glare: its value is inf, not a finite number"
    assert f"trial 0  lr=1e-4  {why}" in done.stdout
    assert "0 trials complete, 0 pruned, 2 failed" in done.stdout
    text = (tmp_path / "reports/s/README.md").read_text()
    assert "| trial | FD (LeNet) | glare | learning rate |" in text
    assert "| 0 | failed | – | 1e-4 |" in text
    assert f"2 trials failed (0, 1): {why}." in text
    assert "**FD" not in text, "a failed trial is not the best"


# --- A metric that is registered after runs have finished -----------------------------------------


def brightness(real: np.ndarray, fake: np.ndarray) -> float:
    return float(real.mean()) - float(fake.mean())


@pytest.mark.parametrize("params", [{}, {"ema_decay": 0.5}])
def test_a_finished_run_gets_a_later_metric_without_training(
    params: dict[str, Any], tmp_path: Path, glare: Any
) -> None:
    """Such a run kept a "–" for ever, and no search by the metric could use it."""
    run = plan_small(tmp_path / "before", **params)
    planned = PlannedRun(run, "", judged=True, data="mnist5k")
    execute(run, "first")
    before: Any = run.read_result()
    assert planned.complete()
    weights = run.final.stat().st_mtime_ns
    glare(brightness)
    assert not planned.complete()
    assert planned.to_measure() == ["glare"]
    said: list[str] = []
    after: Any = execute(run, "second", tell=said.append)
    assert said == ["second  was finished; its best weights were measured by glare"]
    assert planned.complete()
    assert run.read_result() == after
    fresh: Any = execute(plan_small(tmp_path / "after", **params), "fresh")
    for score in ("score", "ema") if params else ("score",):
        assert after["judge"][score].pop("glare") == fresh["judge"][score]["glare"]
    assert after == before, "all else stays as it was"
    assert run.final.stat().st_mtime_ns == weights
    execute(run, "third", tell=pytest.fail)


def test_a_finished_run_without_its_weights_is_not_trained_again(
    tmp_path: Path, glare: Any
) -> None:
    run = plan_small(tmp_path)
    execute(run, "first")
    run.best.unlink()
    glare(brightness)
    said: list[str] = []
    result: Any = execute(run, "second", tell=said.append)
    step = result["judge"]["score"]["step"]
    reason = f"the finished run cannot be measured (best.ckpt has no weights of step {step})"
    assert said == [f"second  metric glare: {reason}"]
    assert result["judge"]["score"]["glare"] is None
    assert result["judge"]["errors"] == {"glare": reason}
    assert PlannedRun(run, "", judged=True, data="mnist5k").complete()
    assert sum(event["event"] == "started" for event in run.read_history()) == 1
    assert read_outcome(run).note == ""


def test_a_run_that_cannot_be_measured_here_can_be_measured_elsewhere(
    tmp_path: Path, glare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = plan_small(tmp_path)
    execute(run, "first")
    before = run.read_result()

    def refused(name: str) -> torch.device:
        raise UserError("PyTorch sees no GPU")

    glare(brightness)
    said: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr("gansweep.training.train.resolve_device", refused)
        assert execute(run, "second", tell=said.append) == before
    assert said == ["second  cannot be measured by glare: PyTorch sees no GPU"]
    after: Any = execute(run, "third")
    assert isinstance(after["judge"]["score"]["glare"], float)


def test_only_metrics_that_apply_to_the_data_and_to_judge_are_missing(glare: Any) -> None:
    digits = {m.name: 1.0 for m in metrics_of("mnist5k")}
    assert missing_metrics({"score": digits}, "mnist5k") == []
    assert missing_metrics({"score": {**digits, "published": "fid"}}, "mnist5k") == ["fid", "kid"]
    assert missing_metrics({"score": {**digits, "published": "clip"}}, "mnist5k") == []
    glare(1.0)
    assert missing_metrics({"score": digits}, "mnist5k") == ["glare"]
    assert missing_metrics({"score": {**digits, "glare": None}}, "mnist5k") == []
    for damaged in (None, {}, {"score": 3}, "x"):
        assert missing_metrics(damaged, "mnist5k") == []  # type: ignore[arg-type]
    assert missing_metrics({"score": digits}, "of_a_plugin") == []


@pytest.mark.slow
def test_repeating_a_command_measures_finished_runs(cli: Cli, tmp_path: Path, module: Any) -> None:
    grid = ("-m", "lr=1e-3,2e-3", *SHORT)
    assert cli(*grid).returncode == 0
    module(OWN.replace("return", "return 1 / 0 *"))
    cli = functools.partial(cli, cold=True)
    done = cli(*grid)
    assert done.returncode == 0, done.stderr
    assert "0 done, 0 to train, 2 to measure by glare" in done.stdout
    assert done.stdout.count("metric glare: ZeroDivisionError: division by zero") == 2
    assert "2 done, 0 to train\n" in cli(*grid).stdout
    (tmp_path / "own/sitecustomize.py").write_text(OWN)
    plan = cli(*grid, "retry=failed", "plan=true").stdout
    assert "0 to train, 2 to measure by glare" in plan
    assert "  lr=1e-3 data=mnist5k  to measure by glare" in plan
    done = cli(*grid, "retry=failed")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("its best weights were measured by glare") == 2
    judges = [result["judge"] for result in results(tmp_path).values()]
    assert all(0 < judge["score"]["glare"] < 1 for judge in judges)
    assert not any("errors" in judge for judge in judges)
    assert "2 done, 0 to train\n" in cli(*grid).stdout


# --- More is better -------------------------------------------------------------------------------


def evaluations(values: list[float], metric: str = "coverage") -> list[Evaluation]:
    lines = [{"step": 10 * i, metric: value} for i, value in enumerate(values)]
    return [Evaluation.of(line, metric) for line in lines]


def test_the_equilibrium_is_the_highest_value_if_more_is_better() -> None:
    rising = [0.0, 0.1, 0.2, 0.3, 0.5, 0.5, 0.5, 0.2, 0.1, 0.1, 0.1]
    tracker = Tracker()
    for evaluation in evaluations(rising):
        tracker.add(evaluation)
    found = tracker.equilibrium()
    assert found is not None
    assert (found.value, found.label) == (0.5, "degraded after")
    assert tracker.diverged()
    assert flags(evaluations(rising), 100) == ["diverged"]
    assert flags(evaluations(sorted(rising)), 100) == []
    fallen = Tracker()
    for evaluation in evaluations(rising, "fd_lenet"):
        fallen.add(evaluation)
    assert fallen.best is not None
    assert fallen.best.value == 0.0


def outcome(name: str, value: float) -> Outcome:
    score = {"coverage": value, "coverage_error": 0.001}
    judge = {"primary": "coverage", "second": "fd_lenet", "score": score, "flags": []}
    return Outcome(f"{name}-s1", "done", None, "", {}, {"judge": judge})


def test_tables_and_opinions_know_the_direction() -> None:
    cells = [Cell([outcome(name, value)]) for name, value in (("a", 0.2), ("b", 0.7))]
    mark_best(cells)
    assert [cell.mark for cell in cells] == ["", BEST]
    assert cells[1].headline() == "coverage 0.70"
    scores = [{"coverage": 0.1 * i, "fd_lenet": 100.0 - i} for i in range(6)]
    (sentence,) = opinions(scores, "coverage", "fd_lenet")
    assert sentence.startswith("a second metric agrees")
    assert sentence.endswith("Spearman correlation of 1.00")


# --- From the command line ------------------------------------------------------------------------


def results(folder: Path) -> dict[Path, Any]:
    return {p: json.loads(p.read_text()) for p in sorted(folder.glob("outputs/runs/*/result.json"))}


@pytest.mark.slow
def test_one_decorated_function_adds_a_metric(cli: Cli, tmp_path: Path, module: Any) -> None:
    module(OWN)
    cli = functools.partial(cli, cold=True)
    done = cli("-m", "lr=1e-3,2e-3", *SHORT)
    assert done.returncode == 0, done.stderr
    values = [result["judge"]["score"]["glare"] for result in results(tmp_path).values()]
    assert len(values) == 2
    assert all(0 < value < 1 for value in values)

    words = ("s", "--columns", "lr,glare", "--sort", "glare:desc", "--format", "markdown,csv,html")
    reported = cli(*words, module="gansweep.report")
    assert reported.returncode == 0, reported.stderr
    table = (tmp_path / "reports/s/README.md").read_text()
    assert "| learning rate | glare | Number Output |" in table
    says = "glare: Difference of the mean brightness of real and generated images, less is better."
    assert f"* {says}" in table
    shown = [
        line.split(" | ")[1]
        for line in table.split("\n")
        if line.startswith(("| 1e-", "| 2e-", "| 5e-"))
    ]
    assert shown == [f"{value:.3f}" for value in sorted(values, reverse=True)]
    gallery = "".join(p.read_text() for p in (tmp_path / "reports/s/runs").glob("*.js"))
    assert '"glare"' in gallery
    (run, *_) = results(tmp_path)
    assert "glare" in cli(run.parent.name, module="gansweep.show").stdout

    searched = cli(
        "-m", "search=lr", "trials=1", "objective=quality+glare", *SHORT[:-1], "name=q"
    )  # fmt: skip
    assert searched.returncode == 0, searched.stderr
    table = (tmp_path / "reports/q/README.md").read_text()
    assert "| trial | FD (LeNet) | glare | learning rate |" in table
    assert "FD (LeNet) and glare of every trial" in table
    assert f"* {says}" in table
    refused = one_line_error(cli("-m", "search=lr", "objective=quality+glair", *SHORT))
    assert "did you mean 'quality+glare'?" in refused


@pytest.mark.slow
def test_runs_can_be_ranked_by_a_metric_of_which_more_is_better(
    cli: Cli, tmp_path: Path, module: Any
) -> None:
    module(MORE_IS_BETTER)
    cli = functools.partial(cli, cold=True)
    done = cli("-m", "search=lr", "trials=2", "seed=3", *SHORT)
    assert done.returncode == 0, done.stderr
    for place, (path, result) in enumerate(results(tmp_path).items()):
        judge = result["judge"]
        assert judge["primary"] == "coverage"
        assert judge["score"]["coverage_error"] >= 0
        judge["score"]["coverage"], judge["flags"] = 0.25 + 0.5 * place, []
        path.write_text(json.dumps(result))
    shutil.rmtree(tmp_path / "outputs/sweeps")  # This is a new study of the same runs.
    done = cli("-m", "search=lr", "trials=2", "seed=3", *SHORT)
    assert done.returncode == 0, done.stderr
    assert "best coverage 0.75" in done.stdout
    table = (tmp_path / "reports/s/README.md").read_text()
    assert "is the best of 2: coverage 0.75" in table
    assert "**coverage 0.75**" in table
    assert table.index("coverage 0.75") < table.index("coverage 0.25")
    assert "more is better" in table
    best = cli("s", "--best", "1", "--to", "best", module="gansweep.report")
    assert best.returncode == 0, best.stderr
    table = (tmp_path / "best/README.md").read_text()
    assert "coverage 0.75" in table
    assert "coverage 0.25" not in table
