"""Tests of the gallery in Firefox: what a page must do in any browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browsers import firefox  # noqa: F401, a fixture
from made_up_page import HOSTILE, made_up_page

from gansweep.commands.report import main as report_command
from gansweep.report.gallery.page import write_page
from testing.firefox import Firefox
from testing.synthetic import write_sweep

ROWS = "#table-view tbody th"
FILTER = """
document.getElementById("filter").value = arguments[0];
document.getElementById("filter").dispatchEvent(new Event("change"));
"""
DECODED = """
const images = [...document.querySelectorAll(arguments[0])];
return Promise.all(images.map((image) => image.decode())).then(
  () => images.map((image) => image.naturalWidth));
"""
GROUND = "return getComputedStyle(document.body).backgroundColor"
WHITE, BLACK = "rgb(255, 255, 255)", "rgb(23, 24, 26)"


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("firefox")
    write_page(folder, made_up_page(folder))
    return folder


@pytest.fixture
def visit(firefox: Firefox, gallery: Path) -> Iterator[Callable[..., Firefox]]:  # noqa: F811
    """Open a page, and check at the end that no script failed."""
    firefox.errors()

    def open_page(hash: str = "", path: Path = gallery / "index.html", **size: Any) -> Firefox:
        firefox.open(f"{path.as_uri()}{hash}", **size)
        return firefox

    yield open_page
    assert firefox.errors() == []


def test_errors_of_pages_are_seen(firefox: Firefox, tmp_path: Path) -> None:  # noqa: F811
    """Otherwise the other tests would say nothing about errors."""
    (tmp_path / "wrong.html").write_text("<!doctype html><script>nothing()</script>")
    firefox.errors()
    firefox.open((tmp_path / "wrong.html").as_uri())
    assert firefox.errors() == ["ReferenceError: nothing is not defined"]


def test_the_page_shows_the_best_first_with_pictures(visit: Callable[..., Firefox]) -> None:
    page = visit()
    assert page.texts(ROWS) == ["2", "0", "1", "4", "3", "5"]
    assert page.texts("#best h2") == ["Best: row 2, FD 88.5"]
    widths = page.run(DECODED, "#table-view img")
    assert len(widths) == 4
    assert set(widths) == {112}
    assert HOSTILE in page.texts("#best code")[0]
    assert page.run("return document.querySelectorAll('[onerror]').length") == 0


def test_the_filter(visit: Callable[..., Firefox]) -> None:
    page = visit()
    for text, rows in (
        ("lr<1e-3 and beta1==0.5", ["1", "4"]),
        ("gen=='conv3' and nesterov", ["2", "0"]),
        ("lr=1e-4,5e-4 diverged", ["3"]),
    ):
        page.run(FILTER, text)
        assert page.texts(ROWS) == rows, text
    page.type("#filter", "lrx<3")
    said = "No column lrx. Did you mean lr? A text stands in quotes."
    page.wait_for(
        "return document.getElementById('filter-error').textContent === arguments[0]", said
    )
    page.run(FILTER, "lr<1e-9")
    assert page.texts("#none p")[0].startswith("No row matches lr<1e-9. lr is 0.0001, ")
    page.click("#none button")
    assert len(page.texts(ROWS)) == 6


def test_wall_map_and_plots(visit: Callable[..., Firefox]) -> None:
    page = visit()
    page.click("input[value=wall]")
    assert page.run("return document.querySelectorAll('#wall-view .open').length") == 5
    page.click("input[value=map]")
    assert page.texts("#map-view thead th") == ["0.0001", "0.0005", "0.001"]
    assert page.texts("#map-view tbody th") == ["0.5", "0.9"]
    page.click("input[value=plots]")
    assert page.run("return document.querySelectorAll('.plot.wide polyline').length") >= 4


def test_the_address_keeps_the_state(visit: Callable[..., Firefox]) -> None:
    page = visit()
    page.run(FILTER, "lr<1e-3 and beta1==0.5")
    page.click("#table-view thead th[data-key=lr] button")
    page.click("input[value=wall]")
    state = page.run("return location.hash")
    page = visit(state)
    assert page.run("return document.querySelector('input[value=wall]').checked")
    assert page.run("return document.getElementById('filter').value") == "lr<1e-3 and beta1==0.5"
    shown = "return [...document.querySelectorAll('#wall-view .open')].map((e) => e.dataset.run)"
    assert page.run(shown) == ["r1-s1", "r4-s1"]


def test_a_run_and_a_comparison(visit: Callable[..., Firefox]) -> None:
    page = visit()
    page.click("#table-view [data-run=r0-s1]")
    page.wait_for("return document.querySelectorAll('#viewer[open] .chart canvas').length === 2")
    assert page.texts("#viewer-time output") == ["step 300 of 400, the best"]
    page.run("history.back()")
    page.wait_for("return !document.getElementById('viewer').open")
    page.click("[data-choose=r0-s1]")
    page.click("[data-choose=r1-s1]")
    page.click("#compare")
    page.wait_for("return document.querySelector('#comparison[open] .chart canvas') !== null")
    assert page.texts("#comparison .settings tbody tr") == ["learning rate0.0010.0001"]


def test_dark_and_light(visit: Callable[..., Firefox]) -> None:
    page = visit()
    assert page.run(GROUND) == WHITE
    page.prefer_dark(True)
    try:
        page.wait_for(f"{GROUND} === arguments[0]", BLACK)
        page.click("#theme")
        assert page.run(GROUND) == WHITE
    finally:
        page.prefer_dark(False)
        page.click("#theme")
        page.click("#theme")
        page.run("localStorage.clear()")


def test_a_phone_does_not_scroll_sideways(visit: Callable[..., Firefox]) -> None:
    wide = "return document.documentElement.scrollWidth > document.documentElement.clientWidth"
    for view in ("table", "wall", "map", "plots"):
        page = visit(f"#view={view}", width=390, height=844)
        assert page.run("return innerWidth") == 390
        assert not page.run(wide), view


def test_a_single_file_and_the_map_as_png(visit: Callable[..., Firefox], tmp_path: Path) -> None:
    write_sweep(tmp_path / "out", 12, pictures=2)
    report_command(["synthetic", "--out", str(tmp_path / "out"), "--reports", str(tmp_path / "r"),
                    "--single"])  # fmt: skip
    (tmp_path / "r/synthetic/synthetic.html").rename(tmp_path / "alone.html")
    page = visit(path=tmp_path / "alone.html")
    assert page.run(DECODED, "#table-view img") == [112] * 24
    page.click("#table-view button.open")
    page.wait_for("return document.querySelector('#viewer[open] .chart canvas') !== null")
    page.click("#viewer .close")
    saved = "return document.getElementById('map-said').textContent.startsWith('Saved ')"
    for path in (tmp_path / "alone.html", tmp_path / "r/synthetic/index.html"):
        page = visit("#view=map", path=path)
        page.click("#map-png")
        page.wait_for(saved)
