"""The gallery: a page that opens from disk and shows a sweep's pictures, to sort and compare.

Everything the page needs is inlined in `index.html`; pictures lie beside it, and what is only
wanted of a run once somebody looks at it is in `runs/details-N.js`, as a page from disk may not
fetch.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from pathlib import Path
from typing import Any

from gansweep.store.json_files import finite
from gansweep.store.report_records import Page, PageDetails
from gansweep.store.run import write_if_new

__all__ = ["Details", "write_page"]

HERE = Path(__file__).parent
BUNDLE = 32  # runs in a file: some 200 KB
STYLES = ("vendor/uPlot.min.css", "page.css")
# In the order they need each other: page.js starts the rest.
SCRIPTS = (
    "data.js", "elements.js", "filter.js", "table.js", "map.js", "curves.js", "viewer.js",
    "compare.js", "page.js",
)  # fmt: skip


def write_page(folder: Path, page: Page) -> Path:
    """Write `folder/index.html`, if it would change. The page's texts may be hostile.

    Paths of pictures in it are URLs, relative to `folder`.
    """
    licence = _read("vendor/LICENSE").strip()
    style = "\n".join(map(_read, STYLES))
    charts = f"/*\n{licence}\n*/\n{_read('vendor/uPlot.iife.min.js')}"
    script = '"use strict";\n(() => {\n' + "\n".join(map(_read, SCRIPTS)) + "\n})();\n"
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src 'self' file: data:; "
        f"style-src {_hash(style)}; "
        f"script-src {_hash(charts)} {_hash(script)} 'self' file:"  # the last two: details
    )
    parts = {
        "policy": policy,
        "title": html.escape(str(page["title"])),
        "style": style,
        "data": _json(page),
        "charts": charts,
        "script": script,
    }
    # One pass over the template, so that nothing within a part is taken for a placeholder.
    text = re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _read("page.html"))
    path = folder / "index.html"
    write_if_new(path, text)
    return path


class Details:
    """What the viewer loads of a run, in `folder/details-N.js`.

    A file has many runs: at a file a run, creating them was a quarter of a large report's time.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lines: list[str] = []
        self._files = 0

    def add(self, run_id: str, details: PageDetails) -> str:
        """Returns the name of the file that will have them."""
        if len(self._lines) == BUNDLE:
            self._flush()
        self._lines.append(f"gansweepRun({_json(run_id)}, {_json(details)});\n")
        return self._name()

    def write(self) -> None:
        """Write what is left, and leave no more files than there are bundles."""
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
    return (HERE / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """What a content security policy calls exactly this inline text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json(value: Any) -> str:
    """`value` as JSON in ASCII that cannot end a script element; NaN and infinities are null."""
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:  # rare, and looking for it costs more than writing it
        text = json.dumps(finite(value), separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
