"""Writes the plots of a report as PNG files: quality by parameter, map, curves and strips."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gansweep.report.plots.by_parameter import draw_quality
from gansweep.report.plots.curves import draw_curves
from gansweep.report.plots.evolution import draw_strips
from gansweep.report.plots.style import DPI
from gansweep.report.plots.thumbnail_map import draw_map
from gansweep.report.table.collect import Results
from gansweep.report.table.picture_column import PictureColumn, picture_columns
from gansweep.report.table.text import slug
from gansweep.store.run import write_if_new

PREFIX = "plot-"
# The order is that of the report. Each function returns a figure and its alt text, or None if there
# is nothing to draw.
PLOTS: dict[str, Callable[[PictureColumn], tuple[Any, str] | None]] = {
    "map": draw_map,
    "quality": draw_quality,
    "evolution": draw_strips,
    "curves": draw_curves,
}


def write_plots(results: Results, folder: Path, out: str | Path) -> list[tuple[str, str]]:
    """Write the plots of all picture columns into `folder`.

    out: the folder of the runs. Returns (alt text, file name) of each plot. A file that would not
    change is not written; plots of an earlier call that are no longer drawn are removed.
    """
    columns = picture_columns(results, out)
    slugs = _slugs(columns)
    pictures: list[tuple[str, str]] = []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # in a user's name
        for kind, draw in PLOTS.items():
            for slug, column in zip(slugs, columns, strict=True):
                if drawn := draw(column):
                    figure, alt = drawn
                    name = f"{PREFIX}{kind}-{slug}.png"
                    _save(figure, folder / name)
                    pictures.append((alt, name))
    names = {name for _, name in pictures}
    for path in folder.glob(f"{PREFIX}*.png"):
        if path.name not in names:
            path.unlink()
    return pictures


def _slugs(columns: list[PictureColumn]) -> list[str]:
    """Return a unique part of a file name for each column."""
    slugs = [slug(column.heading) for column in columns]
    numbered = [f"{own}-{i}".strip("-") for i, own in enumerate(slugs)]
    return [n if not s or slugs.count(s) > 1 else s for s, n in zip(slugs, numbered, strict=True)]


def _save(figure: Any, path: Path) -> None:
    stream = io.BytesIO()
    figure.savefig(stream, dpi=DPI, format="png", metadata={"Software": None})
    figure.clear()
    write_if_new(path, stream.getvalue())
