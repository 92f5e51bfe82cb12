"""Tests of `judge=inception` and `judge=dinov2` with random weights.

The real weights have 91 MB and 1.2 GB.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Cli, one_line_error
from torch import Tensor, nn

from gansweep.params import DataConfig
from gansweep.plugins import METRICS
from gansweep.training.data import prepare
from gansweep.training.metrics.published import Dinov2, Inception
from gansweep.training.metrics.reference import Reference

fidelity = pytest.importorskip("torch_fidelity")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a state of the net with random weights whose features are not constant."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Untrained(FeatureExtractorInceptionV3):
        def load_state_dict(self, *args: object, **kwargs: object) -> None:  # type: ignore[override]
            pass

    path = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save({}, path)
    torch.manual_seed(0)
    net = Untrained("random", ["2048"], feature_extractor_weights_path=str(path))
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    torch.save(net.state_dict(), path)
    return path


class Pictures(torch.utils.data.Dataset[Tensor]):
    def __init__(self, images: Tensor) -> None:
        self.images = images.expand(-1, 3, -1, -1)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        return self.images[index]


def test_fid_equals_that_of_torch_fidelity(weights: Path) -> None:
    digits = torch.from_numpy(prepare(DataConfig("mnist5k"), 28).array()[:80].copy())
    real, fake = digits[:40], (digits[40:].float() * 0.6).to(torch.uint8)
    net = Inception(weights)
    of = Reference(net, [net(real)[0].numpy()])
    ours = of.measure(METRICS["fid"], [net(fake)[0].numpy()])["fid"]
    theirs = fidelity.calculate_metrics(
        input1=Pictures(real), input2=Pictures(fake), fid=True, cuda=False, verbose=False,
        feature_extractor_weights_path=str(weights), save_cpu_ram=True,
    )["frechet_inception_distance"]  # fmt: skip
    assert ours == pytest.approx(theirs, rel=1e-3)


def score_of_a_run(cli: Cli, folder: Path, option: str, weights: Path) -> dict[str, Any]:
    """Train a short run, score it with a published net, and return the score."""
    done = cli("steps=2", "limit=60", "threads=1", "judge=false")
    assert done.returncode == 0, done.stderr
    (run,) = (folder / "outputs/runs").iterdir()
    options = ("--images", "100", option, str(weights), "--json")
    # A cold command uses all cores, and a fork of the server only one thread.
    scores = json.loads(cli(run.name, *options, module="gansweep.judge", cold=True).stdout)
    return scores["final.ckpt"]  # type: ignore[no-any-return]


def test_a_run_is_scored_with_inception(cli: Cli, tmp_path: Path, weights: Path) -> None:
    score = score_of_a_run(cli, tmp_path, "--inception", weights)
    assert score["fid"] > 0
    assert score["kid"] > 0
    assert score["reals"] == 500
    assert score["published_net"].startswith("Inception v3 ")


@pytest.fixture(scope="module")
def dinov2_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a small DINOv2 with random weights, with the names and shapes of the authors' file."""
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    net = timm.create_model("vit_small_patch14_dinov2", num_classes=0, img_size=518)
    state = net.state_dict()
    # The authors' file has a mask token and no register tokens.
    official = {k: v for k, v in state.items() if not k.endswith("reg_token")}
    official["mask_token"] = torch.zeros(1, state["cls_token"].shape[-1])
    path = tmp_path_factory.mktemp("weights") / "dinov2.pth"
    torch.save(official, path)
    return path


def test_the_size_of_dinov2_follows_from_its_weights(dinov2_weights: Path) -> None:
    net = Dinov2(dinov2_weights)
    assert net.name == "DINOv2 ViT-S/14"
    digits = torch.from_numpy(prepare(DataConfig("mnist5k"), 28).array()[:60].copy())
    features = net(digits)[0]
    assert features.shape == (60, 384)
    of = Reference(net, [features[:30].numpy()])
    darker = net((digits[30:].float() * 0.5).to(torch.uint8))[0]
    near, far = (
        of.measure(METRICS["fd_dinov2"], [fake.numpy()])["fd_dinov2"]
        for fake in (features[30:], darker)
    )
    assert far > near


def test_a_run_is_scored_with_dinov2(cli: Cli, tmp_path: Path, dinov2_weights: Path) -> None:
    score = score_of_a_run(cli, tmp_path, "--dinov2", dinov2_weights)
    assert score["fd_dinov2"] > 0
    assert score["published_net"].startswith("DINOv2 ViT-S/14 ")


def test_wrong_weights_are_refused_before_any_training(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "no.pth").write_bytes(b"nothing")
    for weights, why in (
        ("nowhere.pth", "judge_weights=nowhere.pth does not exist"),
        ("no.pth", "are not the weights of Inception v3"),
    ):
        for sweep in ((), ("-m",)):
            refused = cli(*sweep, "judge=inception", f"judge_weights={weights}", "steps=1")
            assert why in one_line_error(refused)
    assert not (tmp_path / "outputs").exists()
