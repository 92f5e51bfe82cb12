"""Writes the gallery as one single file, which holds its pictures and opens anywhere."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from gansweep.report.gallery.gallery_data import gather
from gansweep.report.gallery.page import page_text
from gansweep.store.errors import UserError
from gansweep.store.report_records import Page, PageDetails, PageExtras, PageRun, Series
from gansweep.store.run import write_if_new

if TYPE_CHECKING:
    from gansweep.report.write import Report

BUDGET = 10_000_000  # bytes, so that a mail takes the file
POINTS = 120  # of a curve
DIGITS = 4  # of a value of a curve
MARKER = "gansweepRun"  # in every page of gansweep's


@dataclass(frozen=True)
class Plan:
    """How the pictures are reduced. steps: pictures over training per run, None for all; quality:
    of WebP, 1 to 100; large: whether pictures larger than the thumbnails are held."""

    steps: int | None
    quality: int
    large: bool = True


# From the best to the smallest. The first plan within the budget is taken, or else the last.
PLANS = (
    Plan(None, 85), Plan(None, 60), Plan(6, 60), Plan(4, 50, large=False),
    Plan(2, 40, large=False), Plan(0, 40, large=False), Plan(0, 20, large=False),
)  # fmt: skip


def single_path(report: Report) -> Path:
    """Return the path of the single file, which has the name of the sweep."""
    name = report.results.name
    return report.folder / f"{'gallery' if name == 'index' else name}.html"


def write_single(report: Report) -> Path:
    """Write the gallery as one file of at most BUDGET bytes, if its rows allow that.

    Returns the path. Raises UserError if the file exists and is not gansweep's.
    """
    path = single_path(report)
    if path.exists() and MARKER not in path.read_text(encoding="utf-8", errors="replace"):
        raise UserError(f"{path} is not a gansweep page and would be overwritten; use --to DIR")
    page, details = gather(report)
    thinned = {run_id: _thinned(about) for run_id, about in details.items()}
    bare = len(page_text(page, {"blobs": [], "files": {}, "details": thinned}).encode())
    pictures = Pictures(report.folder)
    plan = next((plan for plan in PLANS if bare + pictures.size(page, plan) <= BUDGET), PLANS[-1])
    reduced, extras = pictures.embedded(page, plan)
    write_if_new(path, page_text(reduced, {**extras, "details": thinned}))
    return path


@dataclass
class Pictures:
    """Recompresses the pictures of a page. folder: that of the report, for their paths."""

    folder: Path
    _encoded: dict[tuple[str, int], str] = field(default_factory=dict)  # by content and quality
    _contents: dict[str, tuple[str, bytes]] = field(default_factory=dict)

    def size(self, page: Page, plan: Plan) -> int:
        """Return the bytes of all pictures of a plan; counting ends beyond the budget."""
        total, seen = 0, set()
        for src in _sources(page, plan):
            if data := self.data(src, plan.quality):
                total += len(src) + 16
                if data not in seen:
                    seen.add(data)
                    total += len(data)
            if total > BUDGET:
                break
        return total

    def embedded(self, page: Page, plan: Plan) -> tuple[Page, PageExtras]:
        """Return the page with a sentence on what is reduced, and the pictures as data URIs."""
        blobs: dict[str, int] = {}
        files = {
            src: blobs.setdefault(data, len(blobs))
            for src in _sources(page, plan)
            if (data := self.data(src, plan.quality))
        }
        runs = {run_id: _reduced(run, plan, files) for run_id, run in page["runs"].items()}
        caption = [*page["caption"], _note(page, plan)]
        reduced: Page = {**page, "runs": runs, "caption": caption}
        return reduced, {"files": files, "blobs": list(blobs)}

    def data(self, src: str, quality: int) -> str:
        """Return a picture as a data URI, empty if it cannot be read."""
        key, content = self._content(src)
        if not content:
            return ""
        if (key, quality) not in self._encoded:
            self._encoded[key, quality] = _data_uri(content, quality)
        return self._encoded[key, quality]

    def _content(self, src: str) -> tuple[str, bytes]:
        if src not in self._contents:
            try:
                content = (self.folder / unquote(src)).read_bytes()
            except OSError:
                content = b""
            self._contents[src] = hashlib.sha256(content).hexdigest(), content
        return self._contents[src]


def _data_uri(content: bytes, quality: int) -> str:
    """Return the smaller of a PNG file and the same picture as WebP."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as picture:
            stream = io.BytesIO()
            picture.convert("RGB").save(stream, format="WEBP", quality=quality, method=4)
    except Exception:  # a decoder has many ways to refuse a damaged file; it stays as it is
        return _uri("png", content)
    return _uri("webp", stream.getvalue()) if stream.tell() < len(content) else _uri("png", content)


def _uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _sources(page: Page, plan: Plan) -> Iterator[str]:
    """Yield the paths of the pictures that a plan keeps, once each, thumbnails first."""
    found = (
        *(t["src"] for rows in page["tables"] for row in rows["rows"] for cell in row["cells"]
          for t in cell.get("thumbs", [])),
        *(picture["real"] for picture in page["pictures"]),
        *(src for _, src in page["plots"]),
        *(run["nearest"] for run in page["runs"].values()),
        *(src for run in page["runs"].values() for _, src in _steps(run, plan)),
        *(run["full"] for run in page["runs"].values() if plan.large),
    )  # fmt: skip
    yield from dict.fromkeys(str(src) for src in found if src)


def _steps(run: PageRun, plan: Plan) -> list[list[object]]:
    """Return the pictures over training that a plan keeps: the best, and others evenly chosen."""
    steps = run["steps"]
    if plan.steps is None or len(steps) <= plan.steps:
        return steps
    last = len(steps) - 1
    kept = {round(i * last / max(1, plan.steps - 1)) for i in range(plan.steps)}
    return [s for i, s in enumerate(steps) if i in kept or s[0] == run["equilibrium"]]


def _reduced(run: PageRun, plan: Plan, files: dict[str, int]) -> PageRun:
    full, nearest = run["full"], run["nearest"]
    return {
        **run,
        "steps": [step for step in _steps(run, plan) if step[1] in files],
        "full": full if full in files else None,
        "nearest": nearest if nearest in files else None,
    }


def _note(page: Page, plan: Plan) -> str:
    note = f"This file holds its pictures, recompressed as WebP of quality {plan.quality}"
    most = max((len(run["steps"]) for run in page["runs"].values()), default=0)
    if plan.steps is not None and plan.steps < most:
        note += f", and at most {plan.steps + 1} of {most} pictures of a run over training"
    return note + "."


def _thinned(details: PageDetails) -> PageDetails:
    series: list[Series] = []
    for curve in details["series"]:
        stride = -(-len(curve["x"]) // POINTS) or 1
        kept = range(len(curve["x"]) - 1, -1, -stride)[::-1]
        ys = [curve["y"][i] for i in kept]
        y = [None if v is None else float(f"{v:.{DIGITS}g}") for v in ys]
        series.append({**curve, "x": [curve["x"][i] for i in kept], "y": y})
    return {**details, "series": series}
