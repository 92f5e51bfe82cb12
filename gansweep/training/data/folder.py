"""The folder of the cache, and names in it."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return `$GANSWEEP_CACHE` if it is set, else gansweep's folder in the user's cache."""
    if own := os.environ.get("GANSWEEP_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "gansweep"


def file_name(data_set: str) -> str:
    """Return the name of a data set, which may be an import path, as a part of a file's name."""
    return data_set.replace(":", ".")
