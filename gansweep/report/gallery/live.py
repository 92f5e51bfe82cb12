"""A gallery of a sweep that runs: the page asks for news, and is made anew if there are any."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from gansweep.report.gallery.gallery_data import gather
from gansweep.report.gallery.page import page_text
from gansweep.report.gallery.server import Answer, LocalServer, Query, as_answer
from gansweep.report.write import begin_report
from gansweep.store.manifest import manifest_path, read_manifest
from gansweep.store.report_records import Page, PageDetails, PageExtras
from gansweep.store.run import Run

LEAST_PAUSE = 2.0  # seconds between two builds, so that a page takes little time from a training
SHARE = 0.1  # of the time, which building may take at most


@dataclass
class LivePage:
    """The page of a sweep, built anew if files of its runs have changed.

    name: the sweep's; out: the output folder; folder: for the links to pictures.
    """

    name: str
    out: str | Path
    folder: Path
    version: int = 0
    page: Page | None = None
    details: dict[str, PageDetails] = field(default_factory=dict)
    _seen: Any = None
    _next: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def server(self, port: int | None) -> LocalServer:
        """Return the server of this page."""
        self.refresh()
        routes = {"/": self._index, "/index.html": self._index, "/data": self._data,
                  "/details": self._details}  # fmt: skip
        return LocalServer(self.folder, routes, port=port)

    def refresh(self) -> tuple[Page, PageExtras]:
        """Return the page with its version; it is built anew if files have changed meanwhile."""
        with self._lock:
            now = time.monotonic()
            if self.page is None or (now >= self._next and self._state() != self._seen):
                seen = self._state()  # before the build: what changes meanwhile is seen next time
                page, self.details = gather(begin_report(self.name, self.folder, self.out))
                self.page, self._seen = versioned(page, self.folder), seen
                self.version = time.time_ns() // 1_000_000  # also after a new start of the server
                took = time.monotonic() - now
                self._next = now + max(LEAST_PAUSE, took / SHARE)
            return self.page, {"live": self.version}

    def _state(self) -> list[Any]:
        """Return the times of all files that the page shows, and the statuses of the runs."""
        manifest = read_manifest(self.out, self.name)
        found: list[Any] = [_time(manifest_path(self.out, self.name))]
        runs = (i for row in manifest.rows for ids in row.runs.values() for i in ids)
        for run_id in dict.fromkeys(runs):
            run = Run(self.out, run_id)
            files = (run.result, run.failure, run.metrics, run.evaluations, run.best_picture,
                     run.samples, run.picture)  # fmt: skip
            found.append((run_id, run.status(), *map(_time, files)))
        return found

    def _index(self, _: Query) -> Answer:
        return Answer(page_text(*self.refresh()).encode(), "text/html; charset=utf-8")

    def _data(self, query: Query) -> Answer:
        page, extras = self.refresh()
        if query.get("since") == str(extras["live"]):
            return Answer(b"")
        return as_answer({**page, **extras})

    def _details(self, query: Query) -> Answer | None:
        found = self.details.get(query.get("run", ""))
        return None if found is None else as_answer(found)


def versioned(page: Page, folder: Path) -> Page:
    """Add the time of its file to each path of a picture, so that a browser loads a newer file."""

    def newest(src: str | None) -> str | None:
        return f"{src}?v={_time(folder / unquote(src))}" if src else src

    for table in page["tables"]:
        for row in table["rows"]:
            for cell in row["cells"]:
                for thumb in cell.get("thumbs", []):
                    thumb["src"] = newest(thumb["src"])
    for run in page["runs"].values():
        run["full"], run["nearest"] = newest(run["full"]), newest(run["nearest"])
        run["steps"] = [[step, newest(src)] for step, src in run["steps"]]
    return page


def _time(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
