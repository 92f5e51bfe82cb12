"""Real images beside the fakes: the first of a data set, from this machine's cache."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from gansweep.report.table.collect import Results
from gansweep.report.table.text import slug
from gansweep.store.run import write_file
from gansweep.training.data import Prepared
from gansweep.training.grid import COUNT, grid

RUNS = "runs"  # what only the gallery shows: nothing that is meant to be published


def write_real_images(results: Results, picture: str, folder: Path) -> str | None:
    """A 4×4 grid of what a picture column was trained on; its path within `folder`.

    None if the data set is not in this machine's cache (any more).
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
