"""Start the browsers of this machine for tests: Chromium by Playwright, and Firefox."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from testing.firefox import Firefox, executable

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Start Chromium, once for a module: Playwright's loop would be in the way of other tests."""
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def firefox() -> Iterator[Firefox]:
    program = executable()
    if program is None:
        pytest.skip("needs firefox")
    started = Firefox(program)
    yield started
    started.close()
