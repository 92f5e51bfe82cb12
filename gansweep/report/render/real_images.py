"""Real images beside the fakes: the first of a data set, from this machine's cache."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

from gansweep.report.table.collect import Results
from gansweep.report.table.text import slug
from gansweep.store.run import write_file
from gansweep.training.data import Prepared

RUNS = "runs"  # what only the gallery shows: nothing that is meant to be published
COUNT = 16  # as many as a sample grid has


def write_real_images(results: Results, picture: str, folder: Path) -> str | None:
    """A 4×4 grid of what a picture column was trained on; its path within `folder`.

    None if the data set is not in this machine's cache (any more).
    """
    records = [
        run.config["data"] for row in results.rows for run in row.cells[picture].runs if run.config
    ]
    for record in records:
        try:
            data = Prepared.of(record)
            images = data.array()[:COUNT]
        except (OSError, ValueError, TypeError, KeyError):
            continue
        path = folder / RUNS / f"real-{slug(picture)}.png"
        _draw(images, path)
        return f"{RUNS}/{path.name}"
    return None


def _draw(images: Any, path: Path) -> None:
    """images: uint8 N×C×H×W."""
    import numpy as np
    from PIL import Image

    array = np.asarray(images)
    side = math.isqrt(len(array))
    _, channels, height, width = array.shape
    tiles = array[: side * side].reshape(side, side, channels, height, width)
    flat = tiles.transpose(0, 3, 1, 4, 2).reshape(side * height, side * width, channels)
    grid = Image.fromarray(flat.squeeze(2) if channels == 1 else flat)
    write_file(path, partial(grid.save, format="PNG", optimize=True))
