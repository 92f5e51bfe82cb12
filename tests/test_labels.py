"""Class-conditional GANs, `labels=true`."""

from __future__ import annotations

import gzip
import json
import shutil
import signal
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import Command
from commands import run as command
from conftest import Cli, one_line_error, wait_for
from PIL import Image
from torch import Tensor

import gansweep as gs
from gansweep.config import Config, validate
from gansweep.params import DataConfig
from gansweep.store.errors import UserError
from gansweep.store.run import Run
from gansweep.training.data import Prepared, prepare
from gansweep.training.data.batches import Batches
from gansweep.training.data.mnist import labelled_digits
from gansweep.training.labels import chosen_labels, drawn_labels
from gansweep.training.metrics.evaluate import Judge
from gansweep.training.metrics.files import load
from gansweep.training.networks.conditional import Given
from gansweep.training.samples import fixed_inputs
from gansweep.training.train import build_gan

EXAMPLES = Path(__file__).parents[1] / "examples"
THREE = {"a": 10, "b": 20, "c": 30}
SMALL = {"gen": "5", "disc": "4", "width": 1 / 32, "z_dim": 8, "labels": True}


def small_gan(**params: Any) -> Any:
    torch.manual_seed(0)
    return build_gan(Config(**{**SMALL, **params}), 1, classes=THREE).train()


# The data -----------------------------------------------------------------------------------------


def test_the_labels_of_mnist5k_are_those_of_its_training_images() -> None:
    plain, data = (prepare(DataConfig("mnist5k"), 28, labels=labels) for labels in (False, True))
    assert data.sha256 == plain.sha256
    assert (data.images, data.held) == (plain.images, plain.held)
    assert list(data.classes) == list("0123456789")
    assert sum(data.classes.values()) == data.images == len(data.labels())
    digits, labels = labelled_digits()
    for number in (0, 17, data.images - 1):
        (found,) = np.flatnonzero((digits == data.array()[number, 0]).all((1, 2)))[:1]
        assert labels[found] == data.labels()[number]
    assert "classes" not in plain.describe()
    assert Prepared.from_description(json.loads(json.dumps(data.describe()))) == data
    assert data.ready()
    part = prepare(DataConfig("mnist5k"), 28, 50, labels=True)
    assert np.array_equal(part.labels(), data.labels()[:50])
    assert len(part.classes) == 10


def test_the_labels_of_mnist(files: Path, tmp_path: Path) -> None:
    shutil.copytree(files / "mnist", tmp_path / "mnist")
    spec = DataConfig("mnist", root=str(tmp_path))
    with pytest.raises(UserError, match=r"labels=true needs train-labels-idx1-ubyte\(\.gz\), and"):
        prepare(spec, 28, labels=True)
    for name, count in (("train", 1000), ("t10k", 300)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        path = tmp_path / "mnist" / f"{name}-labels-idx1-ubyte.gz"
        path.write_bytes(gzip.compress(struct.pack(">II", 0x0801, count) + labels.tobytes()))
    data = prepare(spec, 28, labels=True)
    assert data.labels().tolist() == [n % 10 for n in range(1000)]
    assert set(data.classes.values()) == {100}
    path.write_bytes(gzip.compress(struct.pack(">II", 0x0801, 3) + bytes(3)))
    with pytest.raises(UserError, match="has not 300 labels from 0 to 9"):
        prepare(spec, 28, labels=True)


def test_the_labels_of_folders(tmp_path: Path) -> None:
    for name, count in (("cats/old", 3), ("cats", 2), ("dogs", 4)):
        (tmp_path / "pets" / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            Image.new("L", (8, 8), 10 * number).save(tmp_path / "pets" / name / f"{number}.png")
    spec = DataConfig("images", root=str(tmp_path / "pets"), holdout=0)
    data = prepare(spec, 8, labels=True)
    assert data.classes == {"cats": 5, "dogs": 4}
    assert data.labels().tolist() == [0] * 5 + [1] * 4
    shutil.make_archive(str(tmp_path / "pets"), "zip", tmp_path, "pets")
    zipped = prepare(DataConfig("images", root=str(tmp_path / "pets.zip")), 8, labels=True)
    assert zipped.classes == data.classes, "the folder of the whole zip is no class"
    Image.new("L", (8, 8)).save(tmp_path / "pets/mouse.png")
    with pytest.raises(UserError, match=r"a folder for each class in .*pets, and mouse\.png lies"):
        prepare(spec, 8, labels=True)
    (tmp_path / "one/all").mkdir(parents=True)
    Image.new("L", (8, 8)).save(tmp_path / "one/all/1.png")
    with pytest.raises(UserError, match="two classes or more, and data=images has only 'all'"):
        prepare(DataConfig("images", root=str(tmp_path / "one")), 8, labels=True)


LABELLED = """
import numpy as np
images = np.zeros((40, 8, 8), np.uint8)
def numbers(): return images, np.arange(40) % 4 + 10
def texts(): return images, ["yes", "no"] * 20
def pairs(): return [(image, n % 3) for n, image in enumerate(images)]
def none(): return images
def floats(): return images, np.linspace(0, 1, 40)
"""


def test_the_labels_of_a_data_set_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "labelled.py").write_text(LABELLED)
    monkeypatch.syspath_prepend(tmp_path)

    def made(name: str) -> Prepared:
        return prepare(DataConfig(f"labelled:{name}", holdout=0), 8, labels=True)

    assert made("numbers").classes == {"10": 10, "11": 10, "12": 10, "13": 10}
    assert made("texts").classes == {"no": 20, "yes": 20}
    assert made("texts").labels()[:3].tolist() == [1, 0, 1]
    assert made("pairs").labels()[:4].tolist() == [0, 1, 2, 0]
    with pytest.raises(UserError, match="labelled:none returns no labels, which labels=true needs"):
        made("none")
    with pytest.raises(UserError, match="the label of image 0 is a value of type float"):
        made("floats")


# The networks and the step ------------------------------------------------------------------------


def test_the_generator_and_the_discriminator_read_the_class() -> None:
    gan = small_gan().eval()
    z, labels = torch.randn(3, 8), torch.tensor([0, 1, 2])
    images = gan.sample(z[:1].expand(3, -1), labels)
    assert not torch.allclose(images[0], images[1]), "one latent, two classes"
    # D(x, y) = ψ(φ(x)) + yᵀ V φ(x): the last layer has ψ and the rows of V.
    net = gan.discriminator.net
    features = net[:-1](images)
    weight, bias = net[-1].weight, net[-1].bias
    psi = features @ weight[0] + bias[0]
    projected = (features * weight[1 + labels]).sum(1) + bias[1 + labels]
    assert torch.allclose(gan.discriminator(images, labels)[:, 0], psi + projected, atol=1e-5)


@pytest.mark.parametrize("kind", ["gen", "disc"])
def test_labels_change_no_width_and_no_rate_of_other_layers(kind: str) -> None:
    """muP gives the layers the rates that they have without labels."""
    from gansweep.training.networks.parametrization import parameter_groups

    def rates(labels: bool) -> list[float]:
        config = Config(**{**SMALL, "labels": labels})
        gan = build_gan(config, 1, classes=THREE if labels else None)
        net = gan.generator if kind == "gen" else gan.discriminator
        groups = parameter_groups(net, "adam", 1.0)
        found = {id(p): g["lr"] for g in groups for p in g["params"]}
        return [found[id(p)] for p in net.parameters()]

    assert rates(True) == rates(False)


@pytest.mark.parametrize(
    "params",
    [
        {}, {"joint_d": True, "fresh_z": True}, {"loss": "rpgan", "penalty": "r1r2"},
        {"loss": "wgan", "penalty": "gp", "d_steps": 2}, {"augment": "color+translation+cutout"},
        {"loss": "hinge", "disc_spectral": True, "ema_decay": 0.9, "reuse_fake": False},
        {"penalty": "r1", "options": {"penalty.form": "finite"}, "precision": "bf16"},
        {"loss": "lsgan", "parametrization": "standard", "gen_opt": "sgd", "disc_opt": "sgd"},
        {"gen": "3", "disc": "3", "gen_drop": 0.3, "disc_drop": 0.3, "memory_format": "contiguous"},
    ],
)  # fmt: skip
def test_every_recipe_trains_with_labels(params: dict[str, Any]) -> None:
    norm = {"disc_norm": "group"} if "penalty" in params else {}
    gan = small_gan(**params, **norm)
    optimizers = gan.configure_optimizers()
    before = {n: p.clone() for n, p in gan.named_parameters()}
    batch = torch.randint(256, (6, 1, 28, 28), dtype=torch.uint8), torch.tensor([0, 1, 2, 2, 1, 0])
    bf16 = params.get("precision") == "bf16"
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        for _ in range(2):
            gan.step(batch, *optimizers)
    assert all(torch.isfinite(loss) for loss in gan.losses.values())
    unchanged = [n for n, p in gan.named_parameters() if torch.equal(p, before[n])]
    *_, bias = gan.discriminator.state_dict()  # it cancels out in the losses wgan and rpgan
    assert set(unchanged) <= {f"discriminator.{bias}"} if "loss" in params else not unchanged


def test_the_labels_of_a_batch_are_those_of_its_images_and_of_the_generated_ones() -> None:
    labels = torch.arange(10)
    images = labels.to(torch.uint8).view(10, 1, 1, 1).expand(-1, 1, 4, 4)
    for batch, classes in Batches(images, 3, 9, shuffle=True, seed=1, labels=labels):
        assert torch.equal(batch[:, 0, 0, 0].long(), classes)
    calls = []
    given = Given(lambda inputs, labels: calls.append(labels) or inputs, torch.tensor([4, 5]))  # type: ignore[arg-type, return-value, func-returns-value]
    given(torch.zeros(2, 3))
    given(torch.zeros(4, 3))
    assert [call.tolist() for call in calls] == [[4, 5], [4, 5, 4, 5]]
    with pytest.raises(ValueError, match="whole batches of 2 images, and it gets 3"):
        given(torch.zeros(3, 3))


def test_a_generator_learns_its_classes() -> None:
    """One class is black and one is white; after some steps the generator tells them apart."""
    torch.manual_seed(0)
    config = Config(gen="5", disc="4", width=1 / 16, z_dim=16, labels=True, lr=2e-3)
    gan = build_gan(config, 1, classes={"black": 1, "white": 1}).train()
    optimizers = gan.configure_optimizers()
    labels = torch.arange(32) % 2
    images = (labels * 255).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 28, 28).contiguous()
    for _ in range(30):
        gan.step((images, labels), *optimizers)
    drawn = gan.sample(torch.rand(32, 16) * 2 - 1, labels).mean((1, 2, 3))
    assert drawn[labels == 1].mean() - drawn[labels == 0].mean() > 1


# Labels of generated images -----------------------------------------------------------------------


def test_labels_are_drawn_as_often_as_in_training() -> None:
    assert drawn_labels({}, 5) is None
    labels = drawn_labels(THREE, 6000, seed=1)
    assert labels is not None
    assert torch.equal(labels, drawn_labels(THREE, 6000, seed=1))  # type: ignore[arg-type]
    assert (labels.bincount() / 6000).tolist() == pytest.approx([1 / 6, 2 / 6, 3 / 6], abs=0.02)
    assert chosen_labels(["c", 0], THREE, 2).tolist() == [2, 0]
    assert chosen_labels("b", THREE, 3).tolist() == [1, 1, 1]
    for chosen, message in (("d", "no class 'd'"), (3, "no class 3"), ([0], "1 labels for n=2")):
        with pytest.raises(UserError, match=message):
            chosen_labels(chosen, THREE, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("count", "rows"),
    [(2, [0, 0, 1, 1]), (3, [0, 0, 1, 2]), (5, list(range(5))), (12, list(range(10)))],
)
def test_a_sample_picture_has_a_row_for_each_class(count: int, rows: list[int]) -> None:
    gan = build_gan(Config(**SMALL), 1, classes={str(n): 1 for n in range(count)})
    z, labels = fixed_inputs(gan)
    assert labels is not None
    assert labels.view(len(rows), len(rows))[:, 0].tolist() == rows
    assert len(torch.cat([z, labels[:, None]], 1).unique(dim=0)) == len(z), (
        "no image is twice there"
    )
    if count > 3:
        assert torch.equal(z[: len(rows)], z[-len(rows) :]), "a column has one latent"
    assert torch.equal(z, fixed_inputs(gan)[0])


def test_class_accuracy_is_the_share_of_images_with_the_digit_of_their_label() -> None:
    data = prepare(DataConfig("mnist5k"), 28, labels=True)
    judge = Judge(data)
    images, labels = torch.from_numpy(data.array()[:300]), torch.from_numpy(data.labels()[:300])
    right = judge.score(images, labels)
    assert right["class_accuracy"] > 0.97
    assert right["labelled"] is True
    wrong = labels.clone()
    wrong[:150] = (wrong[:150] + 1) % 10
    (found,) = judge.further(images, ["class_accuracy"], wrong).values()
    assert found == pytest.approx(right["class_accuracy"] - 0.5, abs=0.02)
    assert "class_accuracy" not in Judge(prepare(DataConfig("mnist5k"), 28)).score(images)


# Runs ---------------------------------------------------------------------------------------------

RUN = ("data=mnist5k", "limit=640", "gen=5", "disc=4", "threads=1", "z_dim=16")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sweep over labels=false,true."""
    folder = tmp_path_factory.mktemp("labels")
    done = command(folder, "-m", *RUN, "labels=false,true", "steps=12", "name=l", "ema_decay=0.9")
    assert done.returncode == 0, done.stderr
    assert "2 of 2 runs trained" in done.stdout
    return folder


def runs(folder: Path, out: str = "outputs") -> dict[bool, Run]:
    """The runs without and with labels."""
    found = [Run(folder / out, path.name) for path in (folder / out / "runs").iterdir()]
    return {run.read_config()["params"]["labels"]: run for run in found}  # type: ignore[index]


def test_labels_are_a_column_and_part_of_the_id(swept: Path) -> None:
    table = (swept / "reports/l/README.md").read_text()
    assert "| labels | Number Output |" in table
    plain, labelled = (runs(swept)[labels].read_config() or {} for labels in (False, True))
    assert "labels" not in plain["identity"]
    assert "labels" not in plain["identity"]["data"]
    assert labelled["identity"]["labels"] is True
    assert labelled["identity"]["data"]["sha256"] == plain["identity"]["data"]["sha256"]
    assert sum(labelled["data"]["classes"].values()) == 640
    done = command(swept, *labelled["command"].split()[3:])
    assert f"run {labelled['id']} is done already" in done.stdout
    done = command(swept, "report", "l", "--columns", "labels,class_accuracy", "--reports", "r2")
    assert done.returncode == 0, done.stderr
    assert "| labels | class accuracy |" in (swept / "r2/l/README.md").read_text()


def test_the_pictures_and_the_score_of_a_run_with_labels(swept: Path) -> None:
    plain, run = (runs(swept)[labels] for labels in (False, True))
    for path, sides in ((plain.picture, 4), (run.picture, 10), (run.nearest, 10)):
        assert Image.open(path).size == (28 * sides, 28 * sides)
    result: Any = run.read_result()
    score = result["judge"]["score"]
    assert 0 <= score["class_accuracy"] <= 1
    assert "class_accuracy" in result["judge"]["ema"]
    assert score["labelled"] is True
    other: Any = plain.read_result()
    assert "class_accuracy" not in other["judge"]["score"]
    # The rows of the picture are the classes: another class changes one row.
    sampled = gs.run(str(run.folder))
    assert sampled.classes == list("0123456789")
    images = sampled.sample(20, seed=1, labels=[0] * 10 + [5] * 10)
    assert images.shape == (20, 1, 28, 28)
    same = sampled.sample(20, seed=1, labels=0)
    assert torch.equal(images[:10], same[:10])
    assert not torch.equal(images[10:], same[10:])
    assert sampled.sample(3, weights="averaged").shape == (3, 1, 28, 28)
    generator = sampled.generator()
    z, labels = torch.zeros(2, 16), torch.tensor([0, 9])
    assert generator(z, labels).shape == (2, 1, 28, 28)
    with pytest.raises(UserError, match="labels= needs a run with labels=true"):
        gs.run(str(plain.folder)).sample(2, labels=1)


def test_a_finished_run_is_scored_and_measured_again(swept: Path) -> None:
    run = runs(swept)[True]
    done = command(swept, "judge", run.id, "--images", "200", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["final.ckpt"]["class_accuracy"] >= 0
    result: Any = run.read_result()
    score = result["judge"]["score"]
    expected = score.pop("class_accuracy")
    (run.folder / "result.json").write_text(json.dumps(result))
    command_line = (run.read_config() or {})["command"].split()[3:]
    assert "were measured by class_accuracy" in command(swept, *command_line).stdout
    again: Any = run.read_result()
    assert again["judge"]["score"]["class_accuracy"] == expected


def test_a_stopped_run_with_labels_resumes_bit_for_bit(cli: Cli, tmp_path: Path) -> None:
    words = [*RUN, "labels=true", "steps=30", "sample_every=10", "log_every=1", "shuffle=true"]
    assert cli(*words, "out=whole").returncode == 0
    process = Command(tmp_path, *words, "out=parts", fault="do=slow seconds=0.2 step=13")
    wait_for("parts/runs/*/samples/step_000010.png", tmp_path)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130, out + err
    assert "resumes from step" in cli(*words, "out=parts").stdout
    whole, parts = (runs(tmp_path, out)[True] for out in ("whole", "parts"))
    for name in ("final", "best"):
        one, other = load(getattr(whole, name)), load(getattr(parts, name))
        tensors = zip(_tensors(one), _tensors(other), strict=True)
        assert all(torch.equal(a, b) for a, b in tensors)
    assert whole.picture.read_bytes() == parts.picture.read_bytes()


def _tensors(state: dict[str, Any]) -> list[Tensor]:
    state = state.get("generator", state)
    return [value for value in state.values() if isinstance(value, Tensor)]


OWN = """
import torch
from pytorch_lightning import LightningModule
from torch import nn
from torch.nn.functional import one_hot

class G(nn.Module):
    def __init__(self, z_dim: int, channels: int, n_classes: int):
        super().__init__()
        self.n, self.net = n_classes, nn.Linear(z_dim + n_classes, channels * 64)
    def forward(self, z, labels=None):
        if self.n:
            z = torch.cat([z, one_hot(labels, self.n)], 1)
        return self.net(z).tanh().view(len(z), -1, 8, 8)

class D(nn.Module):
    def __init__(self, channels: int, n_classes: int):
        super().__init__()
        self.net = nn.Linear(channels * 64, 1 + n_classes)
    def forward(self, images, labels=None):
        found = self.net(images.flatten(1))
        return found[:, :1] if labels is None else found.gather(1, 1 + labels[:, None])

class Plain(nn.Module):
    def __init__(self, z_dim: int, channels: int):
        super().__init__()
        self.net = nn.Linear(z_dim, channels * 64)
    def forward(self, z):
        return self.net(z).tanh().view(len(z), -1, 8, 8)

class Deaf(Plain):
    def __init__(self, z_dim: int, channels: int, n_classes: int):
        super().__init__(z_dim, channels)

class Module(LightningModule):
    def __init__(self, channels: int, z_dim: int, n_classes: int):
        super().__init__()
        self.G = G(z_dim, channels, n_classes)
        self.z_dim = z_dim
    def training_step(self, batch, batch_idx):
        images, labels = batch
        assert images.dtype == torch.float32 and labels.dtype == torch.int64
        made = self.G(torch.rand(len(images), self.z_dim), labels)
        return (made - images).square().mean()
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())
    def sample(self, z, labels):
        return self.G(z, labels)

class Unlabelled(Module):
    def sample(self, z):
        return self.G(z)
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    (folder / "ownnets.py").write_text(OWN)
    shutil.copytree(EXAMPLES, folder / "examples")
    return folder


def test_networks_modules_and_data_of_ones_own(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(own)
    words = ("data=examples.shapes:shapes", "data.count=400", "steps=6", "threads=1", "z_dim=8")
    nets = ("gen=ownnets:G", "disc=ownnets:D")
    done = command(own, "-m", *nets, *words, "labels=false,true", "name=nets")
    assert done.returncode == 0, done.stderr
    assert "2 of 2 runs trained" in done.stdout
    done = command(own, *words, "model=ownnets:Module", "labels=true")
    assert done.returncode == 0, done.stderr
    found = [Run(own / "outputs", path.name) for path in (own / "outputs/runs").iterdir()]
    labelled = [run for run in found if (run.read_config() or {})["params"]["labels"]]
    assert len(labelled) == 2
    for run in labelled:
        assert list((run.read_config() or {})["data"]["classes"]) == ["disc", "square", "triangle"]
        assert gs.run(str(run.folder)).sample(
            2, labels=["disc", "square"], weights="final"
        ).shape == (2, 1, 8, 8)
        result: Any = run.read_result()
        assert "class_accuracy" not in result["judge"]["score"], "no digits"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            "data=toyfaces",
            "labels=true, but the images of data=toyfaces have no classes; data sets",
        ),
        ("gen=ownnets:Plain disc=ownnets:D", "gen=ownnets:Plain has no parameter n_classes"),
        ("gen=ownnets:Deaf disc=ownnets:D", "cannot take latents of 2×100 and labels"),
        ("model=ownnets:Unlabelled", "needs a method sample(z, labels) or sample(n, labels)"),
    ],
)
def test_what_cannot_read_labels_is_refused_in_one_line(own: Path, words: str, says: str) -> None:
    given = {w.split("=")[0]: w for w in ("data=mnist5k", "steps=2", "labels=true", *words.split())}
    assert says in one_line_error(command(own, *given.values()))


def test_faces_beside_labelled_digits_cost_only_their_own_cells(cli: Cli, tmp_path: Path) -> None:
    done = cli("-m", *RUN[1:], "labels=false,true", "steps=2", "judge=false", "name=both")
    assert done.returncode == 0, done.stderr
    assert "3 of 3 runs trained" in done.stdout
    table = (tmp_path / "reports/both/README.md").read_text()
    assert "have no classes" in table


def test_labels_false_needs_nothing() -> None:
    validate(Config(data=DataConfig("toyfaces")))
    plain = build_gan(Config(**{**SMALL, "labels": False}), 1)
    assert next(iter(plain.generator.state_dict())).startswith("0."), "no network is wrapped"
