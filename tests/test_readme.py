"""The README is true: its commands are valid, its files are there, it names what exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from gansweep.planning.overrides import read_axes
from gansweep.planning.resources import choices
from gansweep.planning.row_list import read_recipe, select_rows
from gansweep.plugins import DATASETS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^python -m gansweep(?: .*)?$", README, re.MULTILINE)


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 5


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_is_valid(line: str) -> None:
    words = shlex.split(line, comments=True)[3:]
    if words == ["--help"]:
        return
    axes = read_axes([w for w in words if w != "-m"], multirun="-m" in words)
    values = {axis.name: axis.values[0] for axis in axes}
    if "sweep" in values:
        select_rows(values.get("rows"), len(read_recipe(values["sweep"]).rows))


def test_the_row_list_is_valid(tmp_path: Path) -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    (tmp_path / "mine.yaml").write_text(text)
    assert len(read_recipe(str(tmp_path / "mine.yaml")).rows) == 3


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_linked_files_are_there() -> None:
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / path).is_file(), path


def test_every_data_set_and_profile_is_told() -> None:
    for name in [*DATASETS.names(), *choices("profile")]:
        assert re.search(rf"^\| {name}\b", README, re.MULTILINE), name
