"""Copies of the pictures in the table, with which a page from disk draws its map into a PNG file.

A browser lets a page from disk show the files beside it but not copy them, unless they are part of
a script, as here.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from gansweep.report.gallery.page import as_json
from gansweep.report.render.real_images import RUNS
from gansweep.store.report_records import Page
from gansweep.store.run import write_if_new

NAME = f"{RUNS}/pictures.js"
BUDGET = 4_000_000  # bytes of pictures, so that a large report does not double its size
MAX_VALUES = 30  # of an axis of the map, as in map.js


def write_copies(folder: Path, page: Page) -> str | None:
    """Write the copies of a page's pictures into `folder`, and return their path there.

    Returns None, and removes those of an earlier page, if the page has no map or if its pictures
    have more than BUDGET bytes.
    """
    path = folder / NAME
    found: dict[str, str] = {}
    size = 0
    for src in _sources(page) if _has_map(page) else ():
        try:
            content = (folder / unquote(src)).read_bytes()
        except OSError:
            continue  # The map shows no picture there either.
        size += len(content)
        if size > BUDGET:
            found.clear()
            break
        found[src] = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    if not found:
        path.unlink(missing_ok=True)
        return None
    write_if_new(path, f"gansweepPictures({as_json(found)});\n")
    return NAME


def _has_map(page: Page) -> bool:
    rows = [row for table in page["tables"] for row in table["rows"]]
    values = [len({row["texts"][i] for row in rows}) for i in range(len(page["columns"]))]
    return sum(1 < count <= MAX_VALUES for count in values) > 1


def _sources(page: Page) -> Iterator[str]:
    found = (
        thumb["src"]
        for table in page["tables"]
        for row in table["rows"]
        for cell in row["cells"]
        for thumb in cell.get("thumbs", [])
    )
    yield from dict.fromkeys(src for src in found if src)
