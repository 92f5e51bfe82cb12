"""Preparing a data set once: an array with a checksum in the cache, made under a lock."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from filelock import FileLock

from gansweep.store.errors import UserError
from gansweep.store.records import DataRecord
from gansweep.store.run import read_json, write_json
from gansweep.terminal.console import console
from gansweep.training.data.source import Source, find_source
from gansweep.training.data.split import SEED, Split, split

if TYPE_CHECKING:
    import numpy as np

    from gansweep.params import DataConfig

TRAINED, HELD = "images.npy", "held.npy"  # the files of a data set's folder


def cache_folder() -> Path:
    """`$GANSWEEP_CACHE`, else gansweep's folder in the user's cache."""
    if own := os.environ.get("GANSWEEP_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "gansweep"


@dataclass(frozen=True)
class Prepared:
    """A data set in the cache: `images` pictures to train on, of channels × size × size bytes.

    sha256: of their shape and bytes. held: number of the pictures that are held out for the judge;
    held_sha256: of theirs. own_test: are these the data set's own test images?
    """

    name: str
    label: str
    folder: Path
    images: int
    channels: int
    size: int
    sha256: str
    held: int = 0
    held_sha256: str = ""
    own_test: bool = False

    @property
    def reals(self) -> int:
        """Number of the real images that generated ones are compared with."""
        return self.held or self.images

    def array(self) -> np.ndarray:
        """The pictures to train on, uint8 N×C×H×W, mapped from the file.

        Processes share its memory. Who writes to the array has a copy; the file stays as it is.
        """
        return _load(self.folder / TRAINED)

    def held_out(self) -> np.ndarray:
        """The pictures that no network is trained on, uint8 N×C×H×W, mapped from the file."""
        return _load(self.folder / HELD)

    def describe(self) -> DataRecord:
        """For the run folder: everything, but the cache's own place."""
        values = {**dataclasses.asdict(self), "folder": self.folder.name}
        return cast("DataRecord", values)

    @classmethod
    def of(cls, description: Mapping[str, Any]) -> Prepared:
        """The inverse of `describe`, in the cache of this machine."""
        names = {field.name for field in dataclasses.fields(cls)}
        known = {name: value for name, value in description.items() if name in names}
        return cls(**{**known, "folder": cache_folder() / description["folder"]})

    def ready(self) -> bool:
        """Is it there, whole (by its size), and the same?"""
        meta = read_json(self.folder / "meta.json")
        try:
            return (
                meta is not None
                and (meta["sha256"], meta["held_sha256"]) == (self.sha256, self.held_sha256)
                and len(self.array()) == self.images
                and len(self.held_out()) == self.held
            )
        except (OSError, ValueError, KeyError, EOFError):
            return False


def prepare(spec: DataConfig, size: int, limit: int | None = None) -> Prepared:
    """The data set `spec` at `size` × `size` pixels, from the cache or freshly made.

    limit: train only on the first so many pictures. A truncated or altered cache is made again.
    Raises UserError for a source that is missing or cannot be read; then nothing is left behind.
    """
    source = find_source(spec, size)
    parts = split(source.count, spec.holdout, trained=source.trained, limit=limit)
    key = {
        **source.key, "name": spec.name, "size": size, "channels": spec.channels,
        "split": [len(parts.trained), len(parts.held), SEED],
    }  # fmt: skip
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
            return _make(spec, source, parts, folder, key)
    except (PermissionError, FileNotFoundError) as error:
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


def _load(path: Path) -> np.ndarray:
    import numpy as np

    try:
        return np.load(path, mmap_mode="c")
    except ValueError:
        array: np.ndarray = np.load(path)
        if array.size:
            raise
        return array  # an empty file has nothing to map


def _read(spec: DataConfig, source: Source, folder: Path) -> tuple[Prepared | None, str]:
    """What is in the cache, or None and what is wrong with it ('' if it is not there)."""
    if not folder.exists():
        return None, ""
    meta = read_json(folder / "meta.json")
    if meta is None:
        return None, "no readable meta.json"
    for name, shape, checksum in (
        (TRAINED, "shape", "sha256"), (HELD, "held_shape", "held_sha256"),
    ):  # fmt: skip
        try:
            array = _load(folder / name)
            if list(array.shape) != meta[shape]:
                return None, f"{name} has another shape than meta.json"
            if _checksum(array) != meta[checksum]:
                return None, f"the checksum of {name} is another"
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            return None, f"{name}: {error}"
    return _described(spec, source, folder, meta), ""


def _described(spec: DataConfig, source: Source, folder: Path, meta: dict[str, Any]) -> Prepared:
    n, channels, size, _ = meta["shape"]
    return Prepared(
        spec.name, source.label, folder, n, channels, size, meta["sha256"],
        held=meta["held_shape"][0], held_sha256=meta["held_sha256"],
        own_test=source.trained is not None,
    )  # fmt: skip


def _make(
    spec: DataConfig, source: Source, parts: Split, folder: Path, key: dict[str, Any]
) -> Prepared:
    import numpy as np

    making = f".making-{folder.name}-"
    for stale in folder.parent.glob(f"{making}*"):  # a killed process left it: we hold the lock
        shutil.rmtree(stale, ignore_errors=True)
    array = source.load(np.concatenate([parts.trained, parts.held]))
    trained, held = array[: len(parts.trained)], array[len(parts.trained) :]
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=making))
    meta = {
        "key": key,
        "shape": list(trained.shape),
        "sha256": _checksum(trained),
        "held_shape": list(held.shape),
        "held_sha256": _checksum(held),
    }
    try:
        np.save(made / TRAINED, trained)
        np.save(made / HELD, held)
        write_json(made / "meta.json", meta)
        made.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        made.replace(folder)
    except OSError as error:
        if error.errno is None:  # NumPy's, of a disk that took only a part
            raise UserError(f"{folder.parent}: no space left ({error})") from None
        raise
    finally:
        shutil.rmtree(made, ignore_errors=True)
    done = _described(spec, source, folder, meta)
    console.print(f"data: {_summary(done)}")
    if source.remark:
        console.print(f"data: {spec.name}: {source.remark}: {done.held:,} others are held out")
    return done


def _summary(data: Prepared) -> str:
    """`mnist prepared, 60,000 grey pictures of 28×28 and 10,000 held out for the judge`."""
    shades = "grey" if data.channels == 1 else "colour"
    pictures = f"{data.images:,} {shades} pictures of {data.size}×{data.size}"
    if data.held:
        return f"{data.name} prepared, {pictures} and {data.held:,} held out for the judge"
    return f"{data.name} prepared, {pictures}; none held out: the judge uses these"
