"""Preparing a data set once: an array with a checksum in the cache, made under a lock."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from gansweep.console import console
from gansweep.data.source import Source, find_source
from gansweep.errors import UserError
from gansweep.run import read_json, write_json

if TYPE_CHECKING:
    import numpy as np

    from gansweep.config import DataConfig


def cache_folder() -> Path:
    """`$GANSWEEP_CACHE`, else gansweep's folder in the user's cache."""
    if own := os.environ.get("GANSWEEP_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "gansweep"


@dataclass(frozen=True)
class Prepared:
    """A data set in the cache: `images` pictures of `channels` × `size` × `size` bytes."""

    name: str
    label: str
    folder: Path
    images: int
    channels: int
    size: int
    sha256: str  # of the array's shape and bytes

    def array(self) -> np.ndarray:
        """All pictures, uint8 N×C×H×W, mapped from the file."""
        import numpy as np

        return np.load(self.folder / "images.npy", mmap_mode="r")

    def describe(self) -> dict[str, Any]:
        """For the run folder: everything, but the cache's own place."""
        return {**dataclasses.asdict(self), "folder": self.folder.name}

    @classmethod
    def of(cls, description: dict[str, Any]) -> Prepared:
        """The inverse of `describe`, in the cache of this machine."""
        return cls(**{**description, "folder": cache_folder() / description["folder"]})

    def ready(self) -> bool:
        """Is it there, whole (by its size), and the same?"""
        meta = read_json(self.folder / "meta.json")
        try:
            return meta is not None and meta["sha256"] == self.sha256 and len(self.array()) > 0
        except (OSError, ValueError, KeyError, EOFError):
            return False


def prepare(spec: DataConfig, size: int, limit: int | None = None) -> Prepared:
    """The data set `spec` at `size` × `size` pixels, from the cache or freshly made.

    limit: only the first so many pictures. A cache that is truncated or altered is made again.
    Raises UserError for a source that is missing or cannot be read; then nothing is left behind.
    """
    source = find_source(spec, size, limit)
    key = {**source.key, "name": spec.name, "size": size, "channels": spec.channels}
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:12]
    folder = cache_folder() / f"{spec.name}-{size}px-{digest}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            found, fault = _read(spec, source, folder)
            if found is not None:
                return found
            if fault:
                console.print(
                    f"data: the cache of {spec.name} is damaged ({fault}): making it again"
                )
            return _make(spec, source, folder, key)
    except PermissionError as error:
        raise UserError(
            f"cannot write the data cache {error.filename or folder.parent}: {error.strerror}; "
            "point GANSWEEP_CACHE at a folder that can be written"
        ) from None


def _checksum(array: np.ndarray) -> str:
    import numpy as np

    digest = hashlib.sha256(str(array.shape).encode())
    for chunk in np.array_split(array, max(1, array.nbytes >> 24)):
        digest.update(np.ascontiguousarray(chunk).data)
    return digest.hexdigest()


def _read(spec: DataConfig, source: Source, folder: Path) -> tuple[Prepared | None, str]:
    """What is in the cache, or None and what is wrong with it ('' if it is not there)."""
    if not folder.exists():
        return None, ""
    meta = read_json(folder / "meta.json")
    if meta is None:
        return None, "no readable meta.json"
    try:
        n, channels, size, _ = meta["shape"]
        found = Prepared(spec.name, source.label, folder, n, channels, size, meta["sha256"])
        array = found.array()
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        return None, f"images.npy: {error}"
    if list(array.shape) != meta["shape"]:
        return None, "images.npy has another shape than meta.json"
    if _checksum(array) != found.sha256:
        return None, "its checksum is another"
    return found, ""


def _make(spec: DataConfig, source: Source, folder: Path, key: dict[str, Any]) -> Prepared:
    import numpy as np

    making = f".making-{folder.name}-"
    for stale in folder.parent.glob(f"{making}*"):  # a killed process left it: we hold the lock
        shutil.rmtree(stale, ignore_errors=True)
    array = source.load()
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=making))
    try:
        np.save(made / "images.npy", array)
        sha256 = _checksum(array)
        write_json(made / "meta.json", {"key": key, "shape": array.shape, "sha256": sha256})
        made.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        made.replace(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    n, channels, size, _ = array.shape
    shades = "grey" if channels == 1 else "colour"
    console.print(f"data: {spec.name} prepared, {n:,} {shades} pictures of {size}×{size}")
    return Prepared(spec.name, source.label, folder, n, channels, size, sha256)
