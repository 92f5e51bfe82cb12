"""Tests of the README and the pages: files and names that they speak of exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gansweep.planning.resources import packaged_choices
from gansweep.plugins import DATASETS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_modules_exist(page: Path) -> None:
    """Paths in code spans exist, so a moved file leaves no old path."""
    text = page.read_text(encoding="utf-8")
    for path in re.findall(r"`((?:gansweep|conf|sweeps|tests)/[\w/]+\.\w+)`", text):
        if "NAME" not in path:
            assert (ROOT / path).is_file(), path


def test_every_data_set_and_profile_is_described() -> None:
    text = (ROOT / "docs" / "sweeps.md").read_text(encoding="utf-8")
    for name in [*DATASETS.names(), *packaged_choices("profile")]:
        assert re.search(rf"^\| {name}\b", text, re.MULTILINE), name


def test_the_readme_is_short_and_begins_with_a_picture_and_two_commands() -> None:
    lines = README.splitlines()
    table = [n for n, line in enumerate(lines) if "gansweep:readme_olivetti" in line]
    assert len(lines) - (table[1] - table[0]) <= 135
    shown = README.index("![")
    assert shown < README.index("make demo") < README.index("make test") < 2000


def test_the_tables_of_results_are_written_by_one_command() -> None:
    """`make table` updates the blocks between the markers of the README and of the page."""
    (recipe,) = re.findall(
        r"^table:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    for document in ("README.md", "docs/results.md"):
        assert f"--update {document}" in recipe
        text = (ROOT / document).read_text(encoding="utf-8")
        assert text.count("<!-- gansweep:readme_olivetti -->") == 1
        assert text.count("<!-- /gansweep:readme_olivetti -->") == 1
        block = text.partition("<!-- gansweep:readme_olivetti -->")[2].partition("<!-- /")[0]
        rows = re.findall(r"!\[row (\d+), Number", block)
        assert len(rows) == (39 if document.startswith("docs") else 4), document
