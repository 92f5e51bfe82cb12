"""Tests of the README and the pages: commands are valid, linked files and names exist."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest

from gansweep.commands import COMMANDS
from gansweep.planning.overrides import read_axes
from gansweep.planning.resources import packaged_choices
from gansweep.planning.row_list import read_recipe, select_rows
from gansweep.plugins import DATASETS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
LINE = re.compile(r"^python -m gansweep(?: .*)?$", re.MULTILINE)
TRAINING, OTHERS = [], []
for page in PAGES:
    for line in LINE.findall(page.read_text(encoding="utf-8").replace("\\\n", "")):
        command = shlex.split(line, comments=True)[3:4]
        if command and command[0] in COMMANDS:
            OTHERS.append(line)
        elif page.name == "README.md":
            TRAINING.append(line)


def test_the_pages_have_commands() -> None:
    assert len(TRAINING) >= 5
    assert len(OTHERS) >= 10


@pytest.mark.parametrize("line", TRAINING)
def test_a_training_command_is_valid(line: str) -> None:
    words = shlex.split(line, comments=True)[3:]
    if words == ["--help"]:
        return
    axes = read_axes([w for w in words if w != "-m"], multirun="-m" in words)
    values = {axis.name: axis.values[0] for axis in axes}
    if "sweep" in values:
        select_rows(values.get("rows"), len(read_recipe(values["sweep"]).rows))


@pytest.mark.parametrize("line", OTHERS)
def test_a_command_is_valid(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In an empty folder, a command works or is refused in one line for a missing sweep or run."""
    monkeypatch.chdir(tmp_path)
    name, *words = shlex.split(line, comments=True)[3:]
    code: object = 0
    try:
        importlib.import_module(f"gansweep.commands.{name}").main(words)
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr().err
    assert code == 0 or (code == 2 and said.startswith("gansweep: error:")), said


def test_the_row_list_is_valid(tmp_path: Path) -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    (tmp_path / "mine.yaml").write_text(text)
    assert len(read_recipe(str(tmp_path / "mine.yaml")).rows) == 3


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_linked_files_exist(page: Path) -> None:
    for path in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_modules_exist(page: Path) -> None:
    """Paths in code spans exist, so a moved file leaves no old path."""
    text = page.read_text(encoding="utf-8")
    for path in re.findall(r"`((?:gansweep|conf|sweeps|tests)/[\w/]+\.\w+)`", text):
        if "NAME" not in path:
            assert (ROOT / path).is_file(), path


def test_every_data_set_and_profile_is_in_the_readme() -> None:
    for name in [*DATASETS.names(), *packaged_choices("profile")]:
        assert re.search(rf"^\| {name}\b", README, re.MULTILINE), name
