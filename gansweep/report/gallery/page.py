"""Writes the gallery's page, which opens from disk and shows the pictures of a sweep.

Scripts, style and the data of the table are inlined in `index.html`; the pictures lie beside it.
The details of a run are in `runs/details-N.js` and are loaded when the run is opened. They are
scripts because a page from disk may not fetch.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gansweep.store.json_files import finite
from gansweep.store.report_records import Page, PageDetails, PageExtras
from gansweep.store.run import write_if_new

__all__ = ["Details", "as_json", "inlined", "page_text", "write_page"]

FOLDER = Path(__file__).parent
RUNS_PER_FILE = 32  # of details: about 200 KB
STYLES = ("vendor/uPlot.min.css", "page.css")
# In this order, constants are defined before their use; page.js starts the page.
SCRIPTS = (
    "data.js", "elements.js", "theme.js", "state.js", "condition.js", "sizes.js", "labels.js",
    "order.js", "table.js", "wall.js", "curves.js", "map.js", "export.js", "plots.js", "viewer.js",
    "swipe.js", "compare.js", "keys.js", "live.js", "page.js",
)  # fmt: skip


def write_page(folder: Path, page: Page, extras: PageExtras | None = None) -> Path:
    """Write the page, `folder/index.html`, if it would change, and return its path."""
    path = folder / "index.html"
    write_if_new(path, page_text(page, extras))
    return path


def page_text(page: Page, extras: PageExtras | None = None) -> str:
    """Return the HTML of a page. extras: what `PageExtras` says of its kind.

    page: see docs/files.md. Its texts may be hostile; its paths of pictures are URLs that are
    relative to the page's folder, unless the page holds the pictures itself (`files`).
    """
    extras = extras or {}
    licence = _read("vendor/LICENSE").strip()
    return inlined(
        "page.html",
        title=str(page["title"]),
        styles=STYLES,
        scripts=SCRIPTS,
        charts=f"/*\n{licence}\n*/\n{_read('vendor/uPlot.iife.min.js')}",
        data=as_json({**page, **extras}),
        beside="files" not in extras,
        asks="live" in extras,
    )


def inlined(
    template: str,
    *,
    title: str,
    styles: Sequence[str],
    scripts: Sequence[str],
    charts: str = "",
    data: str = "",
    beside: bool = True,
    asks: bool = False,
) -> str:
    """Return a page with its styles and scripts in it, and a policy that allows no others.

    template: the name of its file; styles, scripts: the names of files, in order; charts: a script
    of its own before them; data: JSON; beside: whether the page loads pictures and scripts that lie
    beside it; asks: whether its scripts send requests to its server.
    """
    style = "\n".join(map(_read, styles))
    script = '"use strict";\n(() => {\n' + "\n".join(map(_read, scripts)) + "\n})();\n"
    own = " 'self' file:" if beside else ""
    policy = (
        f"default-src 'none'; base-uri 'none'; form-action 'none'; img-src{own} data:; "
        f"style-src {_hash(style)}; script-src {_hash(charts)} {_hash(script)}{own}"
    )
    if asks:
        policy += "; connect-src 'self'"
    parts = {
        "policy": policy,
        "title": html.escape(title),
        "style": style,
        "data": data,
        "charts": charts,
        "script": script,
    }
    # One pass over the template: nothing within an inserted part is taken for a placeholder.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _read(template))


class Details:
    """Writes the details of runs, which the viewer loads, into `folder/details-N.js`.

    A file holds RUNS_PER_FILE runs: creating one file a run took a quarter of the time of a large
    report.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lines: list[str] = []
        self._files = 0

    def add(self, run_id: str, details: PageDetails) -> str:
        """Add the details of a run. Returns the name of the file that will hold them."""
        if len(self._lines) == RUNS_PER_FILE:
            self._flush()
        self._lines.append(f"gansweepRun({as_json(run_id)}, {as_json(details)});\n")
        return self._name()

    def write(self) -> None:
        """Write the last file, and remove the further files of an earlier report."""
        if self._lines:
            self._flush()
        number = self._files
        while (path := self.folder / f"details-{number}.js").exists():
            path.unlink()
            number += 1

    def _name(self) -> str:
        return f"details-{self._files}.js"

    def _flush(self) -> None:
        write_if_new(self.folder / self._name(), "".join(self._lines))
        self._lines.clear()
        self._files += 1


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return the source expression of a content security policy that allows this inline text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def as_json(value: Any) -> str:
    """Return `value` as ASCII JSON that cannot end a script element; NaN and infinity are null."""
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:  # NaN is too rare to search each value for it beforehand
        text = json.dumps(finite(value), separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
