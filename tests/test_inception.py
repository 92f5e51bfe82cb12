"""`judge=inception`: torch-fidelity's net, here with random weights, as the real ones are 91 MB."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from conftest import Cli, one_line_error
from torch import Tensor, nn

from gansweep.config import DataConfig
from gansweep.data import prepare
from gansweep.judge.evaluate import distance
from gansweep.judge.inception import InceptionFeatures
from gansweep.judge.reference import Reference

fidelity = pytest.importorskip("torch_fidelity")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The net's state with random weights that let something through."""
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


def test_the_distance_is_torch_fidelitys_own(weights: Path) -> None:
    digits = torch.from_numpy(prepare(DataConfig("mnist5k"), 28).array()[:80].copy())
    real, fake = digits[:40], (digits[40:].float() * 0.6).to(torch.uint8)
    net = InceptionFeatures(weights)
    ours = distance("fid", Reference(net, [net(real)[0].numpy()]), [net(fake)[0].numpy()])
    theirs = fidelity.calculate_metrics(
        input1=Pictures(real), input2=Pictures(fake), fid=True, cuda=False, verbose=False,
        feature_extractor_weights_path=str(weights), save_cpu_ram=True,
    )["frechet_inception_distance"]  # fmt: skip
    assert ours == pytest.approx(theirs, rel=1e-3)


def test_a_run_is_scored_with_it(cli: Cli, tmp_path: Path, weights: Path) -> None:
    done = cli("steps=2", "limit=60", "threads=1", "judge=false")
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "outputs/runs").iterdir()
    options = ("--images", "100", "--inception", str(weights), "--json")
    scores = json.loads(cli(run.name, *options, module="gansweep.judge").stdout)
    score = scores["final.ckpt"]
    assert score["fid"] > 0
    assert score["fid_reals"] == 60
    assert score["fid_net"].startswith("Inception v3 ")


def test_it_is_refused_before_anything_is_trained(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "no.pth").write_bytes(b"nothing")
    for weights, why in (
        ("nowhere.pth", "inception_weights=nowhere.pth: there is no such file"),
        ("no.pth", "are not torch-fidelity's Inception weights"),
    ):
        for sweep in ((), ("-m",)):
            refused = cli(*sweep, "judge=inception", f"inception_weights={weights}", "steps=1")
            assert why in one_line_error(refused)
    assert not (tmp_path / "outputs").exists()
