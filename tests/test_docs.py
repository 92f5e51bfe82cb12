"""Tests of the code blocks in the README and the pages: each is run, planned or parsed.

Training commands are planned with `plan=true`, in a folder for each page with the files that the
page has or speaks of. Other commands are run in an empty folder.
"""

from __future__ import annotations

import ast
import importlib
import re
import runpy
import shlex
import shutil
from pathlib import Path

import pytest
from commands import run
from PIL import Image

import gansweep
from gansweep.commands import COMMANDS
from gansweep.planning.row_list import read_recipe

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Other programs of which a page gives the command.
PROGRAMS = {"pip", "make", "optuna-dashboard", "mlflow", "tensorboard"}
PROGRAMS |= {"rsync", "git", "cd", "aws", "python"}  # they publish a report
FILE = re.compile(r"# (\w+\.py)\n")  # the first line of a block that is a file


def blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(page.read_text("utf-8")) if kind == language]


def lines(page: Path) -> list[list[str]]:
    """Return the words of each command in the shell blocks of a page, without comments."""
    text = "".join(blocks(page, "sh")).replace("\\\n", "")
    found = (shlex.split(line, comments=True) for line in text.splitlines())
    return [words for words in found if words]


COMMAND = ["python", "-m", "gansweep"]
TRAINING: list[tuple[Path, list[str]]] = []
OTHERS: list[list[str]] = []
for page in PAGES:
    for words in lines(page):
        if words[:3] == COMMAND and (not words[3:] or words[3] not in COMMANDS):
            if (page, words[3:]) not in TRAINING:
                TRAINING.append((page, words[3:]))
        elif words[:3] == COMMAND and words[3:] not in OTHERS:
            OTHERS.append(words[3:])


def test_the_pages_have_commands() -> None:
    assert len(TRAINING) >= 30
    assert len(OTHERS) >= 15


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_other_commands_are_of_known_programs(page: Path) -> None:
    extras = (ROOT / "pyproject.toml").read_text("utf-8")
    targets = (ROOT / "Makefile").read_text("utf-8")
    for words in lines(page):
        program, *arguments = [word for word in words if not re.match(r"[A-Z_]+=", word)]
        if words[:3] == COMMAND:
            continue
        assert program in PROGRAMS, words
        if program == "make":
            assert re.search(rf"^{arguments[0]}:", targets, re.MULTILINE), words
        for extra in re.findall(r"gansweep\[(\w+)\]", " ".join(words)):
            assert re.search(rf"^{extra} = \[", extras, re.MULTILINE), words


# Files of packages and folders that pages speak of.
SOMEPACKAGE = """\
from torch import nn

class Generator(nn.Sequential):
    def __init__(self, latent_size, out_channels, size, base):
        shape = (out_channels, size, size)
        last = nn.Linear(latent_size, out_channels * size * size)
        super().__init__(nn.Flatten(), last, nn.Tanh(), nn.Unflatten(1, shape))

class Discriminator(nn.Sequential):
    def __init__(self, in_channels, size, base):
        super().__init__(nn.Flatten(), nn.Linear(in_channels * size * size, 1))
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """Make a folder for each page, with the files of its blocks and those that it speaks of."""
    base = tmp_path_factory.mktemp("pages")
    (readme,) = [text for text in blocks(PAGES[0], "python") if text.startswith("# mygan.py\n")]
    pictures = base / "pictures"
    for name in ("cat", "dog", "cats"):
        (pictures / name).mkdir(parents=True)
        for number in range(40):
            Image.effect_noise((32, 32), 50 + number).save(pictures / name / f"{number}.png")
    for page in PAGES:
        folder = base / page.relative_to(ROOT).as_posix()
        folder.mkdir(parents=True)
        (folder / "examples").symlink_to(ROOT / "examples")
        (folder / "somepackage.py").write_text(SOMEPACKAGE)
        (folder / "mygan.py").write_text(readme)
        (folder / "train.py").write_text("print('a script')\n")
        shutil.copytree(pictures, folder / "pictures")
        shutil.copytree(pictures / "cats", folder / "FOLDER")
        for text in blocks(page, "python"):
            if found := FILE.match(text):
                (folder / found[1]).write_text(text)
        for text in blocks(page, "yaml"):
            for start, path in (
                ("name: images", "mine/data/cats.yaml"),
                ("# @package _global_", "mine/profile/brave.yaml"),
                ("defaults: [slurm]", "mycluster/hydra/launcher/ours.yaml"),
                ("defaults: [slurm]", "mine/hydra/launcher/ours.yaml"),
            ):
                if text.startswith(start):
                    (folder / path).parent.mkdir(parents=True, exist_ok=True)
                    (folder / path).write_text(text)
        if page.name == "configuration.md":
            (folder / "mine/hydra/launcher").mkdir(parents=True)
            (folder / "mine/hydra/launcher/ours.yaml").write_text("defaults: [submitit_local]\n")
    return base


@pytest.mark.parametrize(
    ("page", "words"), TRAINING, ids=lambda value: value.name if isinstance(value, Path) else None
)
def test_a_training_command_can_be_planned(page: Path, words: list[str], folders: Path) -> None:
    planned = words if "--help" in words or "plan=true" in words else [*words, "plan=true"]
    done = run(folders / page.relative_to(ROOT).as_posix(), *planned)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--help" in words or re.search(r"to train|trials?$|: \d+ trials", done.stdout, re.M)


@pytest.mark.parametrize("words", OTHERS, ids=" ".join)
def test_a_command_is_valid(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In an empty folder, a command works or is refused in one line for a missing sweep or run."""
    monkeypatch.chdir(tmp_path)
    code: object = 0
    try:
        importlib.import_module(f"gansweep.commands.{words[0]}").main(words[1:])
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr().err
    assert code == 0 or (code == 2 and said.startswith("gansweep: error:")), said
    assert "unrecognized" not in said


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_is_valid_and_names_what_gansweep_has(page: Path) -> None:
    for text in blocks(page, "python"):
        tree = ast.parse(text)
        used = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in ("gs", "gansweep")
        }
        assert not [name for name in used if not hasattr(gansweep, name)], page.name


def test_row_lists_are_valid(tmp_path: Path) -> None:
    found = [t for page in PAGES for t in blocks(page, "yaml") if t.startswith("title: ")]
    assert found
    for text in found:
        (tmp_path / "mine.yaml").write_text(text)
        assert read_recipe(str(tmp_path / "mine.yaml")).rows


@pytest.mark.parametrize("name", ["parameters", "metrics", "commands"])
def test_the_reference_is_written_from_the_present_declarations(name: str) -> None:
    """`make reference` writes these pages."""
    pages = runpy.run_path(str(ROOT / "docs/_make/reference.py"))["PAGES"]
    written = (ROOT / f"docs/reference/{name}.md").read_text("utf-8")
    assert pages[name]() == written, "run make reference"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_linked_pages_and_headings_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", BLOCK.sub("", text)):
        if target.startswith(("http:", "https:")):
            continue
        path, _, heading = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        if heading and file.suffix == ".md":
            assert heading in headings(file), target


def headings(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as code hosts and the site make them."""
    found = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in found}


def test_every_page_is_in_the_navigation_of_the_site_and_on_its_first_page() -> None:
    site = (ROOT / "mkdocs.yml").read_text("utf-8")
    index = (ROOT / "docs/index.md").read_text("utf-8")
    for page in PAGES[1:]:
        name = page.relative_to(ROOT / "docs").as_posix()
        assert re.search(rf"[ :]{re.escape(name)}$", site, re.MULTILINE), name
        assert name == "index.md" or f"({name})" in index, name
