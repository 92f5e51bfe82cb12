"""Tests of the split of every data set into training images and held-out images."""

from __future__ import annotations

import dataclasses
import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Cli
from PIL import Image

from gansweep.params import DataConfig
from gansweep.plugins import METRICS
from gansweep.training.data import prepare
from gansweep.training.data.celeba import LAST_TRAINED, _trained
from gansweep.training.data.split import held_out, split
from gansweep.training.metrics.real_against_real import real_against_real
from gansweep.training.metrics.reference import are_shared, feature_net, real_images, reference


@pytest.mark.parametrize(
    ("count", "share", "held"),
    [
        (5000, 0.1, 500),
        (60_000, 0.1, 6000),
        (3000, 0.1, 500),  # At least 500 images are held out,
        (1500, 0.1, 300),  # but at most a fifth.
        (700, 0.1, 0),  # Less than 200 images are too few to hold out,
        (400, 0.5, 200),  # unless a larger share is set.
        (60_000, 0, 0),
    ],
)
def test_the_number_of_held_out_images(count: int, share: float, held: int) -> None:
    parts = split(count, share)
    assert held_out(count, share) == len(parts.held) == held
    assert sorted([*parts.trained, *parts.held]) == list(range(count))
    assert list(parts.trained) == sorted(parts.trained), "trained on in the order of the files"


def test_a_larger_share_adds_to_a_smaller_one() -> None:
    small, large = split(5000, 0.1), split(5000, 0.2)
    assert set(small.held) < set(large.held)


def test_the_judges_images_do_not_depend_on_the_limit() -> None:
    whole, few = split(10_000, 0.1), split(10_000, 0.1, limit=700)
    assert np.array_equal(whole.held, few.held)
    assert np.array_equal(whole.trained[:700], few.trained)


def test_test_images_are_never_trained_on() -> None:
    parts = split(70_000, 0, trained=60_000)
    assert list(parts.trained) == list(range(60_000))
    assert list(parts.held) == list(range(60_000, 70_000))


def test_celebas_official_partition_follows_from_the_names() -> None:
    names = [f"img_align_celeba/{number:06d}.jpg" for number in (1, 2, LAST_TRAINED, 162_771)]
    assert _trained(names) == 3
    assert _trained(names[:3]) is None, "no test images among them"
    assert _trained([*names, "mine.jpg"]) is None


def idx(images: np.ndarray) -> bytes:
    return gzip.compress(struct.pack(">IIII", 0x0803, len(images), 28, 28) + images.tobytes())


def test_mnist_is_judged_by_its_test_images_if_they_exist(
    tmp_path: Path, own_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digits = prepare(DataConfig("mnist5k"), 28).array()[:, 0]
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(idx(digits[:3000]))
    alone = prepare(DataConfig("mnist", root=str(tmp_path)), 28)
    assert (alone.images, alone.held, alone.own_test) == (2500, 500, False)
    assert "no test images (t10k-images-idx3-ubyte) beside" in capsys.readouterr().out
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(idx(digits[3000:4200]))
    ready = prepare(DataConfig("mnist", root=str(tmp_path)), 28)
    assert (ready.images, ready.held, ready.own_test) == (3000, 1200, True)
    assert np.array_equal(ready.held_out()[:, 0], digits[3000:4200])
    evaluation, score = (real_images(ready, side) for side in ("evaluation", "score"))
    assert (len(evaluation), len(score)) == (600, 600)
    both = torch.cat([evaluation, score]).flatten(1)
    assert len(torch.unique(both, dim=0)) == len(
        np.unique(digits[3000:4200].reshape(1200, -1), axis=0)
    )


def test_few_held_out_images_are_shared_by_both_sides() -> None:
    digits = prepare(DataConfig("mnist5k"), 28)
    assert are_shared(digits)
    assert torch.equal(real_images(digits, "evaluation"), real_images(digits, "score"))
    assert not are_shared(prepare(DataConfig("toyfaces"), 28))


def test_a_report_names_the_images_of_the_judge(cli: Cli, tmp_path: Path) -> None:
    """The images are shared held-out ones, or training images if none are held out."""
    for i in range(40):
        noise = np.random.default_rng(i).integers(0, 255, (28, 28)).astype(np.uint8)
        (tmp_path / "few").mkdir(exist_ok=True)
        Image.fromarray(noise).save(tmp_path / "few" / f"{i}.png")
    said = {}
    for name, data in (("a", "mnist5k"), ("b", "images"), ("c", "mnist5k data.holdout=0")):
        root = ["data.root=few"] if data == "images" else []
        options = (f"data={data}".split(), root, ["steps=2", "batch_size=8", "lr=1e-3", "gen=5"])
        done = cli("-m", *(part for group in options for part in group), f"name={name}")
        assert done.returncode == 0, done.stderr
        said[name] = (tmp_path / f"reports/{name}/README.md").read_text()
    assert (
        "against 500 real images that no network was trained on (too few to be split" in said["a"]
    )
    assert "mnist5k, 4,500 images" in said["a"]
    assert "against 40 of the training images themselves, as none are held out" in said["b"]
    assert "mnist5k, 5,000 images" in said["c"]
    results = (tmp_path / "outputs/runs").glob("*/result.json")
    scores = [json.loads(path.read_text())["judge"]["score"] for path in results]
    assert sorted((s["held_out"], s["reals"]) for s in scores) == [
        (False, 40), (False, 5000), (True, 500),
    ]  # fmt: skip
    # The value of real images is measured only where some are held out.
    assert "; real against real " in said["a"]
    assert all("real against real" not in said[name] for name in "bc")
    assert [s["held_out"] for s in scores if "real_value" in s] == [True]


def test_real_images_in_the_place_of_generated_ones(own_cache: Path) -> None:
    """They have the value of other real images, which is cached; fewer images have a higher one."""
    data = prepare(DataConfig("toyfaces"), 28)
    net, metric = feature_net("random", data.channels), METRICS["fd_random"]
    real = reference(data, net, "score")
    found = real_against_real(data, net, metric, real, 500)
    assert found is not None
    value, count = found
    assert count == 500
    others = reference(data, net, "evaluation").features  # 500 other held-out images
    assert value == pytest.approx(real.measure(metric, others)["fd_random"], rel=0.2)
    noise = torch.randint(0, 256, (500, 3, 28, 28), generator=torch.manual_seed(0))
    fakes = [f.numpy() for f in net(noise.to(torch.uint8))]
    assert 50 * value < real.measure(metric, fakes)["fd_random"]
    (path,) = (own_cache / "features").glob("*-real-500.npz")
    before = path.stat().st_mtime_ns
    assert real_against_real(data, net, metric, real, 500) == found
    assert path.stat().st_mtime_ns == before
    fewer = real_against_real(data, net, metric, real, 250)
    assert fewer is not None and fewer[0] > value
    few = dataclasses.replace(data, held=0)
    assert real_against_real(few, net, metric, real, 500) is None


def test_cached_features_of_an_earlier_version_are_computed_again(own_cache: Path) -> None:
    data = prepare(DataConfig("toyfaces"), 28)
    net = feature_net("random", data.channels)
    whole = reference(data, net, "score")
    (path,) = (own_cache / "features").glob("*score.npz")
    np.savez(path, net0=whole.features[0])  # Earlier versions stored only this.
    again = reference(data, net, "score")
    assert again.variety == whole.variety
    assert len(again.features) == len(whole.features)
