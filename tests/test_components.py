"""Components of users: networks, losses and penalties by import path and by plugin."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import torch
from conftest import Cli, one_line_error
from torch import nn

import gansweep
from gansweep.components import KINDS, check_options, options_of
from gansweep.config import Config, from_record, ordered, with_values
from gansweep.plugins import GENERATORS, PENALTIES
from gansweep.store.errors import UserError
from gansweep.store.run import Run
from gansweep.training.dry_run import check_components
from gansweep.training.metrics.files import load
from gansweep.training.networks.build import build_networks
from gansweep.training.optimizers import make_optimizer

EXAMPLES = Path(__file__).parents[1] / "examples"

NETS = '''
"""Two small networks for 8×8 images."""
from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor


class G(nn.Sequential):
    """a dense generator"""

    def __init__(self, z_dim: int, channels: int, hidden: int = 16, deep: bool = False) -> None:
        layers = [nn.Linear(z_dim, hidden), nn.ReLU()]
        layers += [nn.Linear(hidden, hidden), nn.ReLU()] if deep else []
        last = [nn.Linear(hidden, channels * 64), nn.Tanh(), nn.Unflatten(1, (channels, 8, 8))]
        super().__init__(*layers, *last)


class D(nn.Sequential):
    def __init__(self, channels: int, image_size: int, hidden: int = 16, norm: str = "batch"):
        layers = [nn.Flatten(), nn.Linear(channels * image_size**2, hidden), nn.LeakyReLU(0.2)]
        super().__init__(*layers, *([nn.BatchNorm1d(hidden)] if norm == "batch" else []),
                         nn.Linear(hidden, 1))


class Sigmoid(D):
    def __init__(self, channels: int, image_size: int):
        super().__init__(channels, image_size)
        self.append(nn.Sigmoid())


class Wide(nn.Module):
    def __init__(self, z_dim: int, channels: int):
        super().__init__()
        self.net = nn.Linear(z_dim, channels * 8 * 4)

    def forward(self, z):
        return self.net(z).view(len(z), -1, 8, 4)


class Grey(G):
    def __init__(self, z_dim: int):
        super().__init__(z_dim, 1)


class Picky(nn.Module):
    def __init__(self, z_dim: int, channels: int):
        super().__init__()
        raise ValueError("no such\\nthing")


class Scalar(nn.Module):
    def __init__(self, channels: int):
        super().__init__()

    def forward(self, images):
        return images.mean()


class Untyped(G):
    def __init__(self, z_dim: int, channels: int, layers=(1, 2)):
        super().__init__(z_dim, channels)


class Required(G):
    def __init__(self, z_dim: int, channels: int, depth: int):
        super().__init__(z_dim, channels)


def number(z_dim: int) -> int:
    return 1


class Viewing(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(channels, 4, 3), nn.Conv2d(4, 4, 3))
        self.last = nn.Linear(4 * 24**2, 1)

    def forward(self, images):
        found = self.conv(images)
        return self.last(found.view(len(found), -1))


class Grouped(nn.Module):
    """has weights of five axes, as the modulated convolutions of StyleGAN2 have"""

    def __init__(self, z_dim: int, channels: int, image_size: int = 8):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, channels * image_size**2, z_dim, 1, 1) / 10)
        self.shape = (channels, image_size, image_size)

    def forward(self, z):
        return (z @ self.weight[0, :, :, 0, 0].T).tanh().view(len(z), *self.shape)


FORTY = 42
'''
RECIPES = '''
import torch
from torch import nn


class Vector:
    def disc_loss(self, real, fake):
        return fake - real

    def gen_loss(self, fake):
        return -fake.mean()


class Fixed(Vector):
    def disc_loss(self, real, fake):
        return (fake - real).mean()

    def gen_loss(self, fake):
        return fake.detach().mean()


class Raises(Fixed):
    def disc_loss(self, real, fake):
        raise RuntimeError("not today")


class Balanced(nn.Module):
    """has a state, as the k of BEGAN"""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("k", torch.zeros(()))

    def disc_loss(self, real, fake):
        self.k += 0.001
        return (fake.square() * self.k - real).mean()

    def gen_loss(self, fake):
        return -fake.mean()


def swapped(real, fake, disc):
    return disc(real).square().mean()
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "recipes.py").write_text(RECIPES)
    return tmp_path


SMALL = ("gen=nets:G", "disc=nets:D", "data=mnist5k", "limit=400", "steps=6", "threads=1")


def results(folder: Path) -> dict[str, dict[str, Any]]:
    """The recorded configurations of all finished runs, by run id."""
    runs = [Run(folder / "outputs", path.name) for path in (folder / "outputs/runs").iterdir()]
    return {run.id: run.read_config() or {} for run in runs if run.status() == "done"}  # type: ignore[dict-item]


def test_the_signature_is_the_schema() -> None:
    def build(
        z_dim: int,
        blocks: int = 3,
        rate: Annotated[float, gansweep.option("a rate", low=0, search=(0.1, 1), log=True)] = 1,
        kind: Literal["sum", "mean"] = "sum",
        depth: int | None = None,
        plain=2.5,  # type: ignore[no-untyped-def]
        *,
        flag: bool = True,
        **rest: Any,
    ) -> None: ...

    GENERATORS.register("schema")(build)
    try:
        found = options_of("gen", "schema")
        assert list(found) == [
            f"gen.{n}" for n in ("blocks", "rate", "kind", "depth", "plain", "flag")
        ]
        defaults = {name: option.default for name, option in found.items()}
        assert defaults["gen.rate"] == 1.0
        assert isinstance(defaults["gen.rate"], float)
        assert found["gen.blocks"].check(5.0) == 5
        assert found["gen.depth"].check(None) is None
        assert found["gen.plain"].check(1) == 1.0
        for name, value, message in (
            ("blocks", 2.5, "gen.blocks=2.5 is not a whole number"),
            ("blocks", None, "gen.blocks=null is not a whole number"),
            ("rate", -1, "gen.rate=-1.0 is out of range; valid: gen.rate >= 0"),
            ("kind", "summ", "gen.kind=summ: did you mean 'sum'? valid: sum, mean"),
            ("flag", 3, "gen.flag=3 is not true or false"),
        ):
            with pytest.raises(UserError) as caught:
                found[f"gen.{name}"].check(value)
            assert message in str(caught.value)
        assert found["gen.rate"].param.search == (0.1, 1)
    finally:
        del GENERATORS._entries["schema"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_registered_component_has_a_schema(kind: str) -> None:
    for name in KINDS[kind].registry.names():
        for option, found in options_of(kind, name).items():
            assert found.check(found.default) == found.default
            assert option.startswith(f"{kind}.")


def test_options_come_after_their_component_in_every_table() -> None:
    names = ["lr", "penalty.weight", "gen.n_blocks", "penalty", "gen", "nonsense", "gen.alpha"]
    assert ordered(names) == ["gen", "gen.n_blocks", "gen.alpha", "lr", "penalty", "penalty.weight"]


def test_options_of_other_components_are_left_out() -> None:
    with_weight = with_values(Config(), {"penalty": "r1", "penalty.weight": 2})
    assert with_weight.options == {"penalty.weight": 2.0}
    assert with_values(with_weight, {"penalty": "none"}).options == {}
    with pytest.raises(UserError, match="penalty=none has no parameters of its own"):
        check_options(["penalty.weight"], [Config()])
    with pytest.raises(UserError, match=r"did you mean 'penalty\.weight'"):
        check_options(["penalty.wieght"], [with_weight])


def test_a_record_keeps_the_options() -> None:
    from gansweep.config import as_record

    config = with_values(Config(), {"penalty": "r1", "penalty.weight": 2.0})
    assert from_record(json.loads(json.dumps(as_record(config)))) == config


def test_networks_by_path_are_swept_and_tabulated(cli: Cli, folder: Path) -> None:
    done = cli("-m", *SMALL, "gen.hidden=8,16", "gen.deep=true", "disc.norm=none", "name=own")
    assert done.returncode == 2
    assert "disc.norm: disc=nets:D has no such parameter" in done.stderr, "gansweep passes norm"
    done = cli("-m", *SMALL, "gen.hidden=8,16", "gen.deep=true", "disc_norm=none", "name=own")
    assert done.returncode == 0, done.stderr
    table = (folder / "reports/own/README.md").read_text()
    assert "| gen hidden | Number Output |" in table
    assert "gen deep yes" in table
    found = results(folder)
    identities = [config["identity"] for config in found.values()]
    assert sorted(i["gen.hidden"] for i in identities if "gen.hidden" in i) == [8]  # 16 is default
    assert all(len(i["gen.code"]) == 12 for i in identities)
    # The same rows, in another order and with the default typed or not, are the same runs.
    again = cli("-m", *SMALL, "disc_norm=none", "gen.deep=true", "gen.hidden=16,8", "plan=true")
    assert "2 done, 0 to train" in again.stdout
    shown = cli("show", "own/0")
    assert "gen hidden" in shown.stdout
    # The recorded command of a run gives the same run.
    (run_id, config), *_ = found.items()
    words = config["command"].split()[3:]
    assert f"run {run_id}" in cli(*words).stdout


def test_a_change_of_the_code_is_another_run(cli: Cli, folder: Path) -> None:
    assert cli(*SMALL).returncode == 0
    path = folder / "nets.py"
    path.write_text(path.read_text().replace("a dense generator", "a comment has no effect"))
    assert "is done already" in cli(*SMALL).stdout
    path.write_text(path.read_text().replace("nn.ReLU()]", "nn.SiLU()]"))
    assert "6 steps on mnist5k" in cli(*SMALL).stdout
    assert len(results(folder)) == 2


def test_a_search_over_options(cli: Cli, folder: Path) -> None:
    done = cli(
        "-m", *SMALL, "disc_norm=none", "gen.hidden=range(8,33,8)", "penalty=none,r1",
        "penalty.weight=tag(log,interval(0.1,10))", "trials=4", "name=s",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "4 trials complete" in done.stdout
    table = (folder / "reports/s/README.md").read_text()
    assert "gen hidden" in table
    assert "penalty weight" in table
    assert "n/a" in table, "trials without penalty have no weight"


def test_a_row_list_sets_options(cli: Cli, folder: Path) -> None:
    (folder / "mine.yaml").write_text(
        "title: Mine\ndata: [digits]\nset: {gen: 'nets:G', disc: 'nets:D', disc_norm: none}\n"
        "tables:\n  - columns: [gen.hidden, penalty, penalty.weight]\n"
        "    rows:\n      - [8, none, n/a]\n      - [8, r1, 1e-1]\n"
    )
    done = cli("-m", "sweep=mine.yaml", "limit=400", "steps=6", "threads=1", "name=mine")
    assert done.returncode == 0, done.stderr
    table = (folder / "reports/mine/README.md").read_text()
    assert "| 8 | r1 | 0.1 |" in table


PLUGIN = """
import gansweep
from nets import G, D

gansweep.generator("tiny", image_size=8)(G)
gansweep.discriminator("tiny", image_size=8)(D)

@gansweep.loss("shifted")
class Shifted:
    "a critic"
    def __init__(self, margin: float = 1.0):
        self.margin = margin
    def disc_loss(self, real, fake):
        return (self.margin - real + fake).relu().mean()
    def gen_loss(self, fake, real):
        return (real - fake).mean()
"""


@pytest.mark.parametrize("way", ["plugins", "environment"])
def test_plugins_register_names(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    (folder / "mygans.py").write_text(PLUGIN)
    words = ["gen=tiny", "disc=tiny", "loss=shifted", "loss.margin=1,2", *SMALL[2:], "name=p"]
    if way == "plugins":
        words.append("plugins=mygans")
    else:
        monkeypatch.setenv("GANSWEEP_PLUGINS", "mygans")
    done = cli("-m", *words)
    assert done.returncode == 0, done.stderr
    assert "| loss margin |" in (folder / "reports/p/README.md").read_text()
    assert "2 done, 0 to train" in cli("-m", *words, "plan=true").stdout
    text = cli(*[w for w in words if "=" in w and "," not in w], "--help").stdout
    assert "gen=tiny: a dense generator" in text
    assert "loss.margin=1" in text
    one = Run(folder / "outputs", next(iter(results(folder))))
    line = (one.read_metrics() or [{}])[-1]
    assert "output_real" in line, "D's output is no probability"
    assert "d_real" not in line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("gen=nets:Gen", "nets has no 'Gen'; it has G, D,"),
        ("gen=nest:G", "there is no module 'nest'; did you mean 'nets'?"),
        ("gen=nets.py:G", "there is no module 'nets.py'; did you mean 'nets'?"),
        ("gen=nets.G", "gen=nets.G: did you mean 'nets:G'?"),
        ("gen=relative:G", "start gansweep in the folder above and write FOLDER.MODULE:NAME"),
        ("gen=nets:FORTY", "is no function or class but int"),
        ("gen=gennet", "or an import path, package.module:Name"),
        (
            "gen=broken:G",
            "cannot be imported: NameError: name 'nn' is not defined (broken.py, line 2)",
        ),
        ("gen=syntax:G", "cannot be imported: SyntaxError:"),
        ("gen=exits:G", "calls sys.exit(3) when it is imported"),
        ("plugins=nowhere", "plugins=nowhere: there is no module 'nowhere'"),
        ("gen=nets:Wide", "makes images of 1×8×4; gansweep takes square ones"),
        (
            "gen=nets:Grey data=toyfaces",
            "makes images of 1×8×8, and those of data=toyfaces are 3×8×8",
        ),
        ("gen=nets:Picky", "gen=nets:Picky cannot be built: ValueError: no such thing"),
        ("gen=nets:number", "gen=nets:number returns int, not a torch.nn.Module"),
        ("disc=nets:Scalar", "returns one number for 2 images, not one tensor of 2 outputs"),
        ("disc=nets:Sigmoid", "ends in Sigmoid, but gansweep's losses take D's output without it"),
        ("disc=5", "disc=5: valid: 1, 2, 3, 4, conv2, conv3, or an import path"),
        ("disc=1", "disc=1 cannot read images of 1×8×8"),
        ("gen=nets:Untyped", "its parameter layers is of type tuple"),
        ("gen=nets:Required", "its parameter depth needs a default value"),
        ("gen.hiden=3", "gen=nets:G has no such parameter; did you mean 'gen.hidden'?"),
        ("hidden=3", "unknown parameter 'hidden': did you mean 'gen.hidden'?"),
        ("gen.hidden=many", "gen.hidden=many is not a whole number"),
        ("gen_drop=0.5", "has no dropout layer"),
        ("penalty=r1", "mixes the images of a batch: add disc_norm=group or disc_norm=none"),
        ("loss=nets:G", "loss=nets:G"),
        ("loss=recipes:Vector", "loss=recipes:Vector: disc_loss returns 2×1 values, not a scalar"),
        ("loss=recipes:Fixed", "loss=recipes:Fixed: gen_loss has no gradient"),
        ("loss=recipes:Raises", "loss=recipes:Raises: disc_loss fails: RuntimeError: not today"),
        (
            "penalty=recipes:swapped disc_norm=none",
            "penalty=recipes:swapped fails: TypeError:",
        ),
        ("disc=nets:Viewing gen=4 disc_drop=0", "add memory_format=contiguous, or write .reshape"),
    ],
)
@pytest.mark.parametrize("multirun", [False, True])
def test_bad_components_are_one_line(
    cli: Cli, folder: Path, words: str, says: str, multirun: bool
) -> None:
    (folder / "broken.py").write_text("import torch\nclass G(nn.Module): ...\n")
    (folder / "syntax.py").write_text("class G(:\n")
    (folder / "relative.py").write_text("from .nets import G\n")
    (folder / "exits.py").write_text("import sys\nsys.exit(3)\n")
    given = {word.split("=")[0]: word for word in (*SMALL, *words.split())}
    assert says in one_line_error(cli(*(["-m"] if multirun else []), *given.values()))
    assert not (folder / "outputs").exists(), "nothing is half-written"


def test_a_loss_that_fails_costs_its_own_row(cli: Cli, folder: Path) -> None:
    (folder / "bad.py").write_text(
        "class Late:\n"
        "    calls = 0\n"
        "    def disc_loss(self, real, fake):\n"
        "        self.calls += 1\n"
        "        if self.calls > 3:\n"
        "            raise RuntimeError('not today')\n"
        "        return fake.mean() - real.mean()\n"
        "    def gen_loss(self, fake):\n"
        "        return -fake.mean()\n"
    )
    done = cli("-m", *SMALL, "loss=hinge,bad:Late", "name=half")
    assert done.returncode == 1
    assert "not today" in done.stdout
    table = (folder / "reports/half/README.md").read_text()
    assert "| hinge | ![row 0" in table
    assert "not today" in table


def test_weights_of_five_axes_and_the_state_of_a_loss(cli: Cli, folder: Path) -> None:
    """A loss that is a module resumes with its state, as the k of BEGAN needs."""
    words = [
        "gen=nets:Grouped",
        *SMALL[1:4],
        "loss=recipes:Balanced",
        "threads=1",
    ]
    done = cli(*words, "steps=6", "sample_every=2", "judge=false")
    assert done.returncode == 0, done.stderr
    run = next(Run(folder / "outputs", p.name) for p in (folder / "outputs/runs").iterdir())
    final = load(run.final)
    assert final["loss_module.k"].item() == pytest.approx(0.006)
    shutil.rmtree(folder / "outputs")
    stop = "do=kill step=5"
    assert cli(*words, "steps=6", "sample_every=2", "judge=false", fault=stop).returncode
    assert not run.result.exists()
    done = cli(*words, "steps=6", "sample_every=2", "judge=false")
    assert "resumes from step 4" in done.stdout
    resumed = load(run.final)
    assert all(torch.equal(value, resumed[name]) for name, value in final.items())


def test_code_that_changes_before_its_run_starts_is_refused(folder: Path, cli: Cli) -> None:
    from gansweep.training.job import check_code

    config = Config(loss="examples.wgan_gp:Critic")
    with pytest.raises(UserError, match="has changed since run x was planned"):
        check_code("x", config, {"loss.code": "0" * 12})


def test_the_example_penalty_is_gansweeps_own() -> None:
    from examples.wgan_gp import Critic, gradient_penalty

    disc = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 1), torch.nn.Tanh())
    images = torch.rand(2, 16, 1, 8, 8)
    found = []
    for function in (gradient_penalty, PENALTIES["gp"].build):
        torch.manual_seed(1)
        found.append(function(disc, *images, weight=3.0).item())
    assert found[0] == pytest.approx(found[1], rel=1e-5)
    own, theirs = KINDS["loss"].registry["wgan"].build(), Critic()
    real, fake = torch.randn(2, 16, 1)
    assert own.disc_loss(real, fake) == theirs.disc_loss(real, fake)
    assert own.gen_loss(fake) == theirs.gen_loss(fake)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (
            "gen=examples.dcgan:Generator disc=examples.dcgan:Discriminator gen.features=4,8 "
            "disc.features=4 lr=2e-4,5e-4 data=toyfaces limit=400 steps=2",
            "| gen features | learning rate |",
        ),
        (
            "loss=examples.wgan_gp:Critic penalty=examples.wgan_gp:gradient_penalty "
            "penalty.weight=1,10 d_steps=1,5 disc_norm=group lr=2e-4 beta1=0 beta2=0.9 "
            "data=mnist5k limit=400 steps=6",
            "| penalty weight | D steps |",
        ),
    ],
)
def test_examples(cli: Cli, tmp_path: Path, words: str, shown: str) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    done = cli("-m", *words.split(), "name=e")
    assert done.returncode == 0, done.stderr
    assert "4 of 4 runs trained" in done.stdout
    table = (tmp_path / "reports/e/README.md").read_text()
    assert shown in table
    assert table.count(".png)") == 4
    assert (tmp_path / "reports/e/index.html").exists()


# --- Optimizers -----------------------------------------------------------------------------------


def test_an_optimizer_by_import_path_trains(cli: Cli, folder: Path) -> None:
    """Its options are those of each network; gansweep passes its own learning rate and beta1."""
    arguments = (
        "-m", *SMALL, "disc_norm=none", "gen_opt=torch.optim:AdamW", "disc_opt=torch.optim:RMSprop",
        "gen_opt.weight_decay=0.02,0", "disc_opt.alpha=0.9", "judge=false", "name=own",
    )  # fmt: skip
    done = cli(*arguments)
    assert done.returncode == 0, done.stderr
    identities = [config["identity"] for config in results(folder).values()]
    assert sorted(i["gen_opt.weight_decay"] for i in identities) == [0, 0.02]
    for known in identities:
        assert (known["disc_opt.alpha"], known["beta1"], known["momentum"]) == (0.9, 0.5, 0.9)
        assert known["disc_opt.code"].startswith("torch ")
    table = (folder / "reports/own/README.md").read_text()
    assert r"| gen\_opt weight\_decay |" in table


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gen_opt": "torch.optim:SparseAdam"}, "gen_opt=torch.optim:SparseAdam: its step fails: "),
        ({"gen_opt": "torch.optim:LBFGS"}, "gen_opt=torch.optim:LBFGS cannot be made: "),
        ({"gen_opt": "torch.nn:Linear"}, "parameter in_features needs a default value"),
        ({"disc_opt": "torch.optim:AdamWW"}, "AdamWW"),
        (
            {"disc_opt": "torch.optim:AdamW", "disc_opt.weight_decay": -1},
            "disc_opt=torch.optim:AdamW cannot be made: ValueError: Invalid weight_decay value",
        ),
        ({"gen_opt": "builtins:dict"}, "gen_opt=builtins:dict"),
    ],
)
def test_optimizers_that_do_not_fit_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as refused:
        check_components(with_values(Config(), values), (1, 28, 28))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("width", [1.0, 1 / 16])
def test_eps_and_weight_decay_of_gansweeps_adam(width: float) -> None:
    """With muP, eps is that of full width: a layer with fewer outputs has a greater one."""
    config = with_values(
        Config(gen="5", width=width), {"gen_opt.eps": 1e-6, "gen_opt.weight_decay": 1e-4}
    )
    net = build_networks(config, 1)[0]
    groups = make_optimizer(config, "gen_opt", net).param_groups
    assert {group["weight_decay"] for group in groups} == {1e-4}
    assert min(group["eps"] for group in groups) == pytest.approx(1e-6)
    assert max(group["eps"] for group in groups) == pytest.approx(1e-6 / width)
    disc = make_optimizer(config, "disc_opt", nn.Linear(1, 1)).param_groups[0]
    assert (disc["eps"], disc["weight_decay"]) == (1e-8, 0), "the options are of each network"


def test_options_of_gansweeps_own_optimizers_are_no_columns_unless_given(
    cli: Cli, tmp_path: Path
) -> None:
    words = ("-m", "data=mnist5k", "limit=64", "steps=1", "judge=false", "threads=1")
    assert cli(*words, "gen_opt.weight_decay=0,0.01", "name=g").returncode == 0
    done = cli("report", "g", "--format", "csv")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "reports/g/runs.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    options = [name for name in lines[0] if name.startswith(("gen_opt.", "disc_opt."))]
    assert options == ["gen_opt.weight_decay"]
    assert [float(line["gen_opt.weight_decay"]) for line in lines] == [0, 0.01]
