"""Write the first real images of a data set, to compare with generated images."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from gansweep.report.table.collect import Results
from gansweep.report.table.text import slug
from gansweep.store.run import write_file
from gansweep.training.data import Prepared
from gansweep.training.grid import COUNT, grid

RUNS = "runs"  # the folder for pictures that only the gallery shows, not to be published


def write_real_images(results: Results, picture: str, folder: Path) -> str | None:
    """Write a 4×4 grid of a picture column's training images; return its path within `folder`.

    Returns None if the data set is not in this machine's cache.
    """
    records = [
        run.config["data"] for row in results.rows for run in row.cells[picture].runs if run.config
    ]
    for record in records:
        try:
            data = Prepared.from_description(record)
            images = data.array()[:COUNT]
        except (OSError, ValueError, TypeError, KeyError):
            continue
        path = folder / RUNS / f"real-{slug(picture)}.png"
        write_file(path, partial(grid(images).save, format="PNG", optimize=True))
        return f"{RUNS}/{path.name}"
    return None
