"""Data sets of users: `data=` with an import path or with a name that a plugin registers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import run as command
from conftest import Cli, one_line_error
from PIL import Image

from gansweep.components import options_of
from gansweep.params import DataConfig
from gansweep.plugins import DATASETS
from gansweep.store.errors import UserError
from gansweep.store.run import Run
from gansweep.training.data import prepare
from gansweep.training.data.returned import as_pixels, returned

EXAMPLES = Path(__file__).parents[1] / "examples"
DOTS = '''
"""Images with a bright square at a random place."""
from pathlib import Path

import numpy as np

import gansweep


@gansweep.dataset("dots", digits=True)
def dots(image_size: int, side: int = 8, count: int = 600):
    """a bright square"""
    with Path("calls.txt").open("a") as calls:
        calls.write(f"{side} ")
    rng = np.random.default_rng(side)
    images = np.zeros((count, image_size, image_size), np.uint8)
    for image, (x, y) in zip(images, rng.integers(image_size - side, size=(count, 2))):
        image[y:y + side, x:x + side] = 255
    return images
'''


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sweep on drawn shapes and on mnist5k."""
    folder = tmp_path_factory.mktemp("shapes")
    shutil.copytree(EXAMPLES, folder / "examples")
    done = command(
        folder, "-m", "data=examples.shapes:shapes,mnist5k", "data.filled=true,false",
        "data.count=1100", "steps=4", "threads=1", "name=s",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "3 of 3 runs trained" in done.stdout, "mnist5k has no data.filled and is there once"
    return folder


def configs(folder: Path) -> list[dict[str, Any]]:
    paths = (folder / "outputs/runs").glob("*/config.json")
    return [json.loads(path.read_text()) for path in paths]


def test_the_example_is_swept_with_its_options_beside_other_data(swept: Path) -> None:
    table = (swept / "reports/s/README.md").read_text()
    shapes = "Shapes Output (count=1100) | Shapes Output (count=1100, filled=false)"
    assert f"| {shapes} | Number Output |" in table
    assert "examples.shapes:shapes (filled no, count 1100), 880 images of 28×28" in table
    assert table.count(".png)") == 3
    assert "FD (random)" in table
    own = [c for c in configs(swept) if "data.count" in c["identity"]]
    assert len({c["identity"]["data.code"] for c in own}) == 1
    assert [c["identity"].get("data.filled") for c in own].count(False) == 1
    assert {(c["data"]["images"], c["data"]["held"]) for c in own} == {(880, 220)}


def test_the_recorded_command_is_the_same_run(swept: Path) -> None:
    config = next(c for c in configs(swept) if c["identity"].get("data.filled") is False)
    assert "data=examples.shapes:shapes" in config["command"]
    done = command(swept, *config["command"].split()[3:])
    assert f"run {config['id']} is done already" in done.stdout
    shown = command(swept, "show", config["id"])
    assert "examples.shapes:shapes (filled no, count 1100)" in shown.stdout


def test_it_is_called_once_for_each_value(cli: Cli, tmp_path: Path, own_cache: Path) -> None:
    (tmp_path / "own.py").write_text(DOTS)
    words = ["data=own:dots", "data.side=6", "steps=4", "judge=false", "threads=1"]
    assert cli(*words).returncode == 0
    assert "done already" in cli(*words).stdout
    assert cli(*words, "lr=1e-3").returncode == 0
    assert (tmp_path / "calls.txt").read_text() == "6 "
    (first, second) = configs(tmp_path)
    assert first["data"] == second["data"]
    assert first["data"]["label"] == "Dots Output (side=6)"
    # Another version of the code is called again, and gives other runs.
    (tmp_path / "own.py").write_text(DOTS.replace("= 255", "= 254"))
    assert "4 steps on own:dots" in cli(*words).stdout
    assert (tmp_path / "calls.txt").read_text() == "6 6 "
    assert len(configs(tmp_path)) == 3


def test_a_plugin_registers_a_name(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(DOTS)
    words = ["-m", "plugins=own", "data=dots", "data.side=5", "lr=1e-4,1e-3", "plan=true"]
    assert "2 to train" in cli(*words).stdout
    assert "data=dots: a bright square" in cli(*words[1:3], "--help").stdout
    message = one_line_error(cli(*words[:2], "data=dot"))
    assert message.startswith("gansweep: error: data=dot: ")
    assert "an import path, package.module:name" in message
    # Its images are digits, which are judged in the features of the digit classifier.
    assert cli(*words[1:4], "steps=2", "limit=400").returncode == 0
    (config,) = configs(tmp_path)
    result: Any = Run(tmp_path / "outputs", config["id"]).read_result()
    assert result["judge"]["primary"] == "fd_lenet"


def square(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((5, 8, 8), None), ((5, 1, 8, 8), (0, 1, 2, 3)), ((5, 3, 8, 8), (0, 1, 2, 3)),
     ((5, 8, 8, 3), (0, 3, 1, 2)), ((5, 8, 8, 1), (0, 3, 1, 2))],
)  # fmt: skip
def test_layouts_of_arrays(shape: tuple[int, ...], axes: tuple[int, ...] | None) -> None:
    array = square(*shape)
    expected = array[:, None] if axes is None else array.transpose(axes)
    numbers = np.array([3, 1])
    for form in (array, torch.from_numpy(array), list(array), (array, range(5))):
        assert np.array_equal(returned(form, "x").load(numbers, 8, None), expected[numbers])
    assert np.array_equal(as_pixels(expected / 255, "x"), expected), "floats from 0 to 1"


def test_sizes_and_colours_are_those_that_are_asked_for() -> None:
    grey, red = np.full((2, 8, 8), 90, np.uint8), np.zeros((2, 8, 8, 3), np.uint8)
    red[..., 0] = 255
    both = np.array([0, 1])
    assert returned(grey, "x").load(both, 16, 3).shape == (2, 3, 16, 16)
    assert (returned(grey, "x").load(both, 16, None) == 90).all()
    assert (returned(red, "x").load(both, 8, 1) == 76).all(), "the luminance of red"
    pictures = [Image.new("L", (30, 20), 70), Image.new("RGB", (8, 8), (9, 8, 7))]
    loaded = returned(pictures, "x").load(both, 8, None)
    assert [image.reshape(3, -1)[:, 0].tolist() for image in loaded] == [[70] * 3, [9, 8, 7]]
    assert returned(pictures, "x").load(both, 8, 1).shape == (2, 1, 8, 8)


class Pairs(torch.utils.data.Dataset):
    """A torch Dataset of (image, label)."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, number: int) -> tuple[torch.Tensor, int]:
        if number == 2:
            raise RuntimeError("a hole")
        return torch.full((1, 8, 8), number / 10), number


def test_a_torch_dataset() -> None:
    found = returned(Pairs(), "data=x")
    assert found.load(np.array([0, 1]), 8, None)[:, 0, 0, 0].tolist() == [0, 26]
    with pytest.raises(UserError, match=r"data=x: item 2 cannot be read: RuntimeError: a hole"):
        found.load(np.array([2]), 8, None)


BAD = """
import numpy as np
from PIL import Image

eight = np.zeros((50, 8, 8), np.uint8)

def nothing(): pass
def text(): return "images"
def oblong(): return np.zeros((50, 8, 9), np.uint8)
def alpha(): return np.zeros((50, 8, 8, 4), np.uint8)
def tiny(): return np.zeros((50, 3, 3, 3), np.uint8)
def signed(): return np.full((50, 8, 8), -1.0)
def hundreds(): return eight + 255.0
def nan(): return eight + np.nan
def whole(): return eight.astype(int)
def empty(): return eight[:0]
def few(): return eight[:10]
def unequal(): return eight, [0] * 49
def words(): return ["a.png"] * 50
def mixed(): return [Image.new("L", (8, 8)), *eight]
def sizes(): return [*eight, np.zeros((9, 9), np.uint8)]
def late(): return 1 / 0
def folder(root): return eight
def taken(holdout: float = 0.5): return eight
def typed(sizes=(1, 2)): return eight
def generator(): return (image for image in eight)
"""


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad")
    (folder / "badsets.py").write_text(BAD)
    (folder / "raises.py").write_text("import numpy\nnumpy.nonsense\n")
    return folder


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nothing", "data=badsets:nothing returns nothing; gansweep takes an array,"),
        ("text", "returns a value of type str"),
        ("generator", "returns a value of type generator"),
        ("oblong", "its images have the shape 50×8×9; gansweep takes square images"),
        ("alpha", "its images have the shape 50×8×8×4"),
        ("tiny", "its images have the shape 50×3×3×3; gansweep takes square images of 4 pixels"),
        ("signed", "its floats reach from -1 to -1; gansweep takes uint8, or floats from 0 to 1"),
        ("hundreds", "its floats reach from 255 to 255"),
        ("nan", "its floats reach from nan to nan"),
        ("whole", "its numbers are int64; gansweep takes uint8, or floats from 0 to 1"),
        ("empty", "data=badsets:empty returns no images"),
        ("unequal", "returns 50 images and 49 labels"),
        ("words", "item 0 is a value of type str, no image"),
        ("mixed", "returns PIL images and arrays"),
        ("sizes", "item 50 has the shape 9×9, and the first 8×8"),
        ("late", "data=badsets:late fails: ZeroDivisionError: division by zero (badsets.py, line"),
        ("folder", "data=badsets:folder needs data.root=FOLDER"),
    ],
)
def test_what_is_no_data_set_is_refused(
    bad: Path, monkeypatch: pytest.MonkeyPatch, name: str, says: str
) -> None:
    monkeypatch.syspath_prepend(bad)
    with pytest.raises(UserError) as caught:
        prepare(DataConfig(f"badsets:{name}", holdout=0), 8)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            "data=badsets:few",
            "batch_size=32, but badsets:few has only 10 images; use batch_size=10",
        ),
        ("data=badsets:nothing", "returns nothing"),
        ("data=badsets:folder data.rot=x", "data.rot: data=badsets:folder has no"),
        ("data=badsets:taken", "holdout cannot be set, as data.holdout is gansweep's own"),
        ("data=badsets:typed", "its parameter sizes is of type tuple"),
        ("data=badsets:missing", "badsets has no 'missing'; it has"),
        ("data=raises:x", "cannot be imported: AttributeError: module 'numpy' has no attribute"),
        ("data=badsets:few data.root=x", "data.root=x has no effect: badsets:few needs no files"),
    ],
)
@pytest.mark.parametrize("multirun", [False, True])
def test_bad_data_sets_are_one_line(bad: Path, words: str, says: str, multirun: bool) -> None:
    given = [*(["-m"] if multirun else []), *words.split(), "steps=2", "judge=false"]
    assert says in one_line_error(command(bad, *given))
    assert not (bad / "outputs").exists(), "nothing is half-written"


OWN_TEST = """
from pathlib import Path
import numpy as np

class Split:
    def __init__(self, root: str, train: bool = True, download: bool = False, transform=None):
        self.images = np.load(Path(root) / ("train.npy" if train else "test.npy"))
    def __len__(self):
        return len(self.images)
    def __getitem__(self, number):
        return self.images[number], number % 3
"""


def test_test_images_of_its_own_and_files_in_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "splitset.py").write_text(OWN_TEST)
    monkeypatch.syspath_prepend(tmp_path)
    np.save(tmp_path / "train.npy", square(40, 8, 8))
    np.save(tmp_path / "test.npy", 255 - square(10, 8, 8))
    spec = DataConfig("splitset:Split", root=str(tmp_path))
    ready = prepare(spec, 8)
    assert (ready.images, ready.held, ready.own_test) == (40, 10, True)
    assert np.array_equal(ready.array()[:, 0], square(40, 8, 8))
    assert np.array_equal(ready.held_out()[:, 0], 255 - square(10, 8, 8))
    assert prepare(spec, 8, limit=7).images == 7
    np.save(tmp_path / "train.npy", square(41, 8, 8))
    assert prepare(spec, 8).images == 41, "other files are other data"
    assert options_of("data", "splitset:Split") == {}, "transform is torchvision's"


def test_gansweeps_own_data_sets_have_no_options() -> None:
    assert all(options_of("data", e.name) == {} for e in DATASETS if e.builder)
