"""The drawings of a report: quality by parameter, the map, curves and strips, as PNG files."""

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
# In the order of the report; each returns a figure and its alt text, or None: nothing to draw.
DRAWINGS: dict[str, Callable[[PictureColumn], tuple[Any, str] | None]] = {
    "map": draw_map,
    "quality": draw_quality,
    "evolution": draw_strips,
    "curves": draw_curves,
}


def write_plots(results: Results, folder: Path, out: str | Path) -> list[tuple[str, str]]:
    """Draw what the runs tell into `folder`. Returns (alt text, file name) of each picture.

    out: the folder of the runs. Leaves files alone that would not change; removes those that an
    earlier call drew there and this one does not.
    """
    columns = picture_columns(results, out)
    slugs = _slugs(columns)
    pictures: list[tuple[str, str]] = []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a box, in a name of the user's
        for kind, draw in DRAWINGS.items():
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
    """For each a part of a file name that no other has."""
    slugs = [slug(column.heading) for column in columns]
    numbered = [f"{own}-{i}".strip("-") for i, own in enumerate(slugs)]
    return [n if not s or slugs.count(s) > 1 else s for s, n in zip(slugs, numbered, strict=True)]


def _save(figure: Any, path: Path) -> None:
    stream = io.BytesIO()
    figure.savefig(stream, dpi=DPI, format="png", metadata={"Software": None})
    figure.clear()
    write_if_new(path, stream.getvalue())
