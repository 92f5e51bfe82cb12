"""Tests of spans: they end at due steps, and slow steps are not grouped."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from gansweep.config import Config
from gansweep.params import DataConfig
from gansweep.store.run import Run
from gansweep.training import stop
from gansweep.training.data import prepare
from gansweep.training.data.batches import Batches
from gansweep.training.gan import GAN
from gansweep.training.spans import SPAN_SECONDS, Spans
from gansweep.training.train import train

IMAGES = torch.randint(0, 256, (40, 1, 2, 2), dtype=torch.uint8)


def lengths(monkeypatch: pytest.MonkeyPatch, step_seconds: float, steps: int, every: int) -> Any:
    """Return the lengths of the spans of a run, and the batches of all spans."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    gan: Any = SimpleNamespace(steps_done=0)
    batches = Batches(IMAGES, 4, steps, shuffle=False, seed=1)
    found, seen = [], []
    for span in Spans(batches, gan, lambda step: step % every == 0):
        found.append(len(span))
        seen += span
        gan.steps_done += len(span)
        now[0] += step_seconds * len(span)
    return found, seen


def test_spans_end_at_due_steps_and_have_every_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    found, seen = lengths(monkeypatch, SPAN_SECONDS / 50, steps=27, every=10)
    ends = [sum(found[: i + 1]) for i in range(len(found))]
    assert {10, 20, 27} <= set(ends)
    assert found[-1] == 7
    assert found[-2] == 10
    batches = list(Batches(IMAGES, 4, 27, shuffle=False, seed=1))
    assert all(torch.equal(a, b) for a, b in zip(seen, batches, strict=True))


def test_slow_steps_are_separate_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lengths(monkeypatch, SPAN_SECONDS * 2, steps=5, every=10)[0] == [1] * 5


def test_spans_do_not_exceed_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = lengths(monkeypatch, SPAN_SECONDS / 4, steps=100, every=1000)
    assert max(found) == 4
    assert len(found) < 40


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_spans_do_not_change_the_files_of_a_run(
    precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs with and without spans have equal weights, metrics, evaluations and pictures."""
    config = Config(
        steps=35, batch_size=100, width=1 / 32, device="cpu", threads=1, log_every=7,
        sample_every=15, precision=precision,
    )  # fmt: skip
    data = prepare(DataConfig("mnist5k"), 28)
    written = []
    for name, seconds in (("spans", 10.0), ("single", 0.0)):
        monkeypatch.setattr("gansweep.training.spans.SPAN_SECONDS", seconds)
        run = Run(tmp_path, name)
        train(run, config, data)
        metrics = [{**line, "seconds": 0, "memory_mib": 0} for line in run.read_metrics()]
        evaluations = [{**line, "judging_seconds": 0} for line in run.read_evaluations()]
        pictures = {p.name: p.read_bytes() for p in run.folder.rglob("*.png")}
        written.append(
            (run.final.read_bytes(), json.dumps(metrics), json.dumps(evaluations), pictures)
        )
    assert written[0] == written[1]


def test_a_request_to_stop_ends_a_span_at_its_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gansweep.training.spans.SPAN_SECONDS", 10.0)
    original = GAN.step

    def step(gan: GAN, *arguments: Any) -> None:
        original(gan, *arguments)
        if gan.steps_done == 5:
            stop.request()

    monkeypatch.setattr(GAN, "step", step)
    config = Config(steps=50, batch_size=10, width=1 / 32, device="cpu", judge="false", threads=1)
    try:
        with pytest.raises(stop.Stopped, match="stopped at step 5 of 50"):
            train(Run(tmp_path, "r"), config, prepare(DataConfig("mnist5k"), 28))
    finally:
        stop._requested.clear()
    assert torch.load(Run(tmp_path, "r").last, weights_only=False)["step"] == 5
