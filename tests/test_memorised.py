"""Tests of the flag `memorised`, which only generators that repeat training images get."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from gansweep.params import DataConfig
from gansweep.training.data import Prepared, prepare
from gansweep.training.metrics.equilibrium import Evaluation, alive, flags
from gansweep.training.metrics.evaluate import Judge
from gansweep.training.metrics.memorised import nearest, typical_distances


@pytest.fixture(scope="module", params=["mnist5k", "toyfaces"])
def judge(request: pytest.FixtureRequest) -> Judge:
    return Judge(prepare(DataConfig(request.param), 28))


def trained_on(data: Prepared, count: int = 400) -> Tensor:
    chosen = np.random.default_rng(1).choice(data.images, count, replace=False)
    return torch.from_numpy(data.array()[chosen])


def noisy(images: Tensor, amount: float) -> Tensor:
    grain = torch.randn(images.shape, generator=torch.Generator().manual_seed(2)) * amount
    return (images.float() + grain).clamp(0, 255).to(torch.uint8)


def flagged(judge: Judge, images: Tensor) -> bool:
    evaluations = [Evaluation(0, 100.0), Evaluation(10, 1.0)]
    return "memorised" in flags(evaluations, 10, judge.score(images))


@pytest.mark.slow
def test_repeated_training_images_are_flagged(judge: Judge) -> None:
    copies = trained_on(judge.data)
    assert judge.score(copies)["nearest_ratio"] < 0.01
    assert flagged(judge, copies)
    assert flagged(judge, noisy(copies, 5))
    # A generator that repeats training images in most cases is flagged too.
    unseen = torch.from_numpy(judge.data.held_out()[:400].copy())
    assert flagged(judge, torch.cat([copies[:300], unseen[:100]]))


@pytest.mark.slow
def test_unseen_real_images_and_noise_are_not_flagged(judge: Judge) -> None:
    unseen = torch.from_numpy(judge.data.held_out()[:400].copy())
    score = judge.score(unseen)
    assert score["nearest_ratio"] == pytest.approx(1, abs=0.1)
    assert score["copied"] == pytest.approx(0.05, abs=0.04)
    assert not flagged(judge, unseen)
    assert not flagged(judge, noisy(unseen, 60))


def test_without_held_out_images_other_training_images_are_the_reference() -> None:
    judge = Judge(prepare(DataConfig("mnist5k", holdout=0), 28, limit=400))
    assert judge.data.held == 0
    assert flagged(judge, torch.from_numpy(judge.data.array()[:300].copy()))
    others = torch.from_numpy(prepare(DataConfig("mnist5k"), 28).held_out()[:300].copy())
    assert not flagged(judge, others)


def test_a_run_that_memorised_is_never_the_best() -> None:
    evaluations = [Evaluation(0, 100.0), Evaluation(10, 1.0)]
    assert flags(evaluations, 10, {"copied": 0.2}) == []
    assert flags(evaluations, 10, {"copied": 0.9}) == ["memorised"]
    assert not alive(["memorised"])


def test_the_nearest_training_image_does_not_depend_on_the_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    images, trained = (rng.normal(size=(n, 8)).astype(np.float32) for n in (30, 170))
    full = np.linalg.norm(images[:, None] - trained[None], axis=2)
    monkeypatch.setattr("gansweep.training.metrics.memorised.CHUNK", 50)
    distances, numbers = nearest(images, trained)
    assert np.array_equal(numbers, full.argmin(1))
    assert distances == pytest.approx(full.min(1), rel=1e-3)
    # A training image is compared with the other training images.
    typical = typical_distances(trained, None)
    within = np.linalg.norm(trained[:, None] - trained[None], axis=2)
    np.fill_diagonal(within, np.inf)
    assert typical == pytest.approx(np.sort(within.min(1)), rel=1e-3)


def test_the_nearest_training_images_are_drawn_in_their_places(judge: Judge) -> None:
    copies = trained_on(judge.data, 16)
    assert torch.equal(judge.nearest_training_images(copies), copies)
