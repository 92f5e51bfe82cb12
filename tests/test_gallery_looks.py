"""Tests of the looks of a gallery of the 39 published rows: room, contrast, sizes to touch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browsers import browser  # noqa: F401, a fixture

from gansweep.report import write_report
from testing.published_rows import write_published

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
TABLET = {"viewport": {"width": 800, "height": 1024}}
SCREEN = {"viewport": {"width": 1400, "height": 900}}
VIEWS = ("table", "wall", "map", "plots")
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
WHOLE = """
[...document.images].filter((image) => {
  const { width, top, bottom, left, right } = image.getBoundingClientRect();
  return width && top >= 0 && bottom <= innerHeight && left >= 0 && right <= innerWidth;
}).length
"""
TOO_SMALL = """
(least) => [...document.querySelectorAll("button, select, input, summary")].filter((element) => {
  if (!element.checkVisibility() || element.closest(".visually-hidden")) return false;
  const boxes = [element, element.closest("label") ?? element]
    .map((e) => e.getBoundingClientRect());
  return Math.max(...boxes.map((box) => box.width)) < least[0]
    || Math.max(...boxes.map((box) => box.height)) < least[1];
}).map((element) => element.outerHTML.slice(0, 80))
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("looks")
    write_published(folder / "out")
    report = write_report("published", out=folder / "out", reports=folder / "reports")
    return (report.folder / "index.html").as_uri()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Callable[..., Any]]:  # noqa: F811
    contexts = []

    def open_page(hash: str = "", **options: Any) -> Any:
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.goto(f"{address}{hash}")
        return page

    yield open_page
    for context in contexts:
        context.close()


def test_the_first_screen_shows_pictures(visit: Callable[..., Any]) -> None:
    """With the headline of the best, and its command one tap away."""
    for options, least in ((PHONE, 6), (TABLET, 10), (SCREEN, 12)):
        page = visit(**options)
        assert page.evaluate(WHOLE) >= least
        assert page.locator("#best h2").first.inner_text() == "Best Number Output: row 36, FD 36.4"
        assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")
    assert page.locator("#best code").first.is_visible()
    page = visit(**PHONE)
    assert not page.locator("#best code").first.is_visible()
    page.tap("#best summary >> nth=0")
    assert page.locator("#best code").first.inner_text().startswith("python -m gansweep ")
    page.set_viewport_size(SCREEN["viewport"])  # The phone is turned.
    assert page.locator("#best code").nth(1).is_visible()


def test_texts_can_be_read_in_both_themes(visit: Callable[..., Any]) -> None:
    for theme, size in (("light", SCREEN), ("dark", PHONE)):  # The widths have the same colours.
        page = visit(color_scheme=theme, **size)
        page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true; })")
        page.locator("[data-choose]").first.check()
        for view in VIEWS:
            page.check(f"input[value={view}]")
            check_contrast(page, f"{theme} {view}")
        page.check("input[value=table]")
        page.locator("#table-view button.open").first.click()
        page.wait_for_selector("#viewer[open] .chart canvas")
        check_contrast(page, f"{theme} run")


def check_contrast(page: Any, where: str) -> None:
    found = page.evaluate(CONTRAST)
    assert len(found) > 10
    assert [text for text in found if text["ratio"] < text["needed"]] == [], where


def test_what_is_touched_is_large_enough(visit: Callable[..., Any]) -> None:
    """24 pixels are WCAG 2.2 AA; on a phone the controls have 40."""
    for size, least in ((SCREEN, [24, 24]), (PHONE, [40, 32])):
        page = visit(**size)
        for view in VIEWS:
            page.check(f"input[value={view}]")
            assert page.evaluate(TOO_SMALL, least) == [], view
