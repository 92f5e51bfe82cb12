"""The user's cache, and what is measured once on each machine and recorded there."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

from gansweep.store.run import read_json, write_json


def cache_folder() -> Path:
    """Return `$GANSWEEP_CACHE` if it is set, else gansweep's folder in the user's cache."""
    if own := os.environ.get("GANSWEEP_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "gansweep"


def processor() -> str:
    """Return the processor's model name, or the machine type if the model is unknown."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def measured_once(path: Path, key: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the record `key` of the JSON file `path`, and measure and write it if it is missing.

    key: what the measurement depends on, such as the processor and the version of PyTorch. Of
    several processes one measures, and the others wait. Raises OSError if the file cannot be
    written.
    """
    known = read_json(path) or {}
    if key not in known:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            known = read_json(path) or {}
            if key not in known:
                known[key] = measure()
                write_json(path, known)
    record: dict[str, Any] = known[key]
    return record
