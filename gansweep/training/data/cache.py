"""Prepare a data set once, under a lock, as arrays with checksums in the cache."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from filelock import FileLock

from gansweep.machine import cache_folder
from gansweep.store.errors import UserError
from gansweep.store.records import DataRecord
from gansweep.store.run import read_json, write_json
from gansweep.terminal.console import console
from gansweep.training.data.component import source_of
from gansweep.training.data.source import Source, file_name
from gansweep.training.data.split import SPLIT_SEED, Split, split

if TYPE_CHECKING:
    import numpy as np

    from gansweep.params import DataConfig

TRAINING_FILE, HELD_OUT_FILE, LABELS_FILE = "images.npy", "held.npy", "labels.npy"


@dataclass(frozen=True)
class Prepared:
    """This record describes a data set in the cache.

    `images` is the number of pictures to train on, each of channels × size × size bytes, and `held`
    is the number of pictures held out for the judge. `sha256` and `held_sha256` are checksums of
    the shape and bytes of the two arrays. `own_test` says whether the held-out pictures are the
    data set's own test images. `label` is the heading of the pictures in reports. With labels=true,
    `classes` has the number of training images by the name of the class, in the order of the class
    numbers, and `labels_sha256` is the checksum of these numbers.
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
    classes: dict[str, int] = field(default_factory=dict)
    labels_sha256: str = ""

    @property
    def reals(self) -> int:
        """Return the number of real images with which generated images are compared."""
        return self.held or self.images

    def array(self) -> np.ndarray:
        """Return the pictures to train on, uint8 N×C×H×W, mapped from the file.

        Processes share the memory of the file. A process that writes to the array gets its own
        copy.
        """
        return _load(self.folder / TRAINING_FILE)

    def held_out(self) -> np.ndarray:
        """Return the held-out pictures, uint8 N×C×H×W, mapped from the file."""
        return _load(self.folder / HELD_OUT_FILE)

    def labels(self) -> np.ndarray:
        """Return the class numbers of the pictures to train on, int64 (N,), with labels=true."""
        return _load(self.folder / LABELS_FILE)

    def describe(self) -> DataRecord:
        """Return this record as JSON for the run folder, without the path of the cache."""
        values = {**dataclasses.asdict(self), "folder": self.folder.name}
        if not self.classes:
            del values["classes"], values["labels_sha256"]
        return cast("DataRecord", values)

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> Prepared:
        """Return the record of a `describe` result, in the cache of this machine."""
        names = {f.name for f in dataclasses.fields(cls)}
        known = {name: value for name, value in description.items() if name in names}
        return cls(**{**known, "folder": cache_folder() / description["folder"]})

    def ready(self) -> bool:
        """Return whether the cache has this data set, with equal checksums and complete arrays."""
        meta = read_json(self.folder / "meta.json")
        try:
            return (
                meta is not None
                and (meta["sha256"], meta["held_sha256"]) == (self.sha256, self.held_sha256)
                and meta.get("labels_sha256", "") == self.labels_sha256
                and len(self.array()) == self.images
                and len(self.held_out()) == self.held
                and (not self.classes or len(self.labels()) == self.images)
            )
        except (OSError, ValueError, KeyError, EOFError):
            return False


def prepare(
    spec: DataConfig,
    size: int,
    limit: int | None = None,
    options: Mapping[str, Any] | None = None,
    labels: bool = False,
) -> Prepared:
    """Return the data set `spec` at `size` × `size` pixels, and make it if it is not cached.

    With `limit`, only the first `limit` pictures are trained on. `options` are the parameters of a
    user's data set by name. `labels` asks for the classes of the pictures, too. A truncated or
    altered cache is made again. Raises UserError if the source is missing or cannot be read, or has
    no classes; the cache is then left as it was.
    """
    source = source_of(spec, size, options)
    parts = split(source.count, spec.holdout, trained=source.trained, limit=limit)
    key = {
        **source.key, "name": spec.name, "size": size, "channels": spec.channels,
        "split": [len(parts.trained), len(parts.held), SPLIT_SEED],
    }  # fmt: skip
    if labels:
        if source.classes is None:
            raise UserError(f"data={spec.name} has no classes, which labels=true needs")
        key["labels"] = source.classes.key
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:12]
    folder = cache_folder() / f"{file_name(spec.name)}-{size}px-{digest}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            prepared, fault = _read(spec, source, folder)
            if prepared is not None:
                return prepared
            if fault:
                console.print(
                    f"data: the cache of {spec.name} is damaged ({fault}) and is made again"
                )
            return _make(spec, source, parts, folder, key)
    except (PermissionError, FileNotFoundError) as error:
        raise UserError(
            f"cannot write the data cache {error.filename or folder.parent}: {error.strerror}; "
            "point GANSWEEP_CACHE at a folder that can be written"
        ) from None


def _checksum(array: np.ndarray) -> str:
    """Return the SHA-256 of the shape and the bytes of `array`."""
    import numpy as np

    digest = hashlib.sha256(str(array.shape).encode())
    for chunk in np.array_split(array, max(1, array.nbytes >> 24)):
        digest.update(np.ascontiguousarray(chunk).data)
    return digest.hexdigest()


def _load(path: Path) -> np.ndarray:
    """Return the array in `path`, mapped from the file."""
    import numpy as np

    try:
        return np.load(path, mmap_mode="c")
    except ValueError:
        array: np.ndarray = np.load(path)
        if array.size:
            raise
        return array  # NumPy cannot map an empty array.


def _read(spec: DataConfig, source: Source, folder: Path) -> tuple[Prepared | None, str]:
    """Return the data set in `folder`, or None and what is wrong with it ("" if it is missing)."""
    if not folder.exists():
        return None, ""
    meta = read_json(folder / "meta.json")
    if meta is None:
        return None, "meta.json cannot be read"
    files = [(TRAINING_FILE, "shape", "sha256"), (HELD_OUT_FILE, "held_shape", "held_sha256")]
    if "classes" in meta:
        files.append((LABELS_FILE, "labels_shape", "labels_sha256"))
    for name, shape, checksum in files:
        try:
            array = _load(folder / name)
            if list(array.shape) != meta[shape]:
                return None, f"{name} has a shape other than in meta.json"
            if _checksum(array) != meta[checksum]:
                return None, f"the checksum of {name} does not match"
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            return None, f"{name}: {error}"
    return _record(spec, source, folder, meta), ""


def _record(spec: DataConfig, source: Source, folder: Path, meta: dict[str, Any]) -> Prepared:
    """Return the record of the data set in `folder`, whose meta.json is `meta`."""
    n, channels, size, _ = meta["shape"]
    return Prepared(
        spec.name, source.label, folder, n, channels, size, meta["sha256"],
        held=meta["held_shape"][0], held_sha256=meta["held_sha256"],
        own_test=source.trained is not None, classes=meta.get("classes", {}),
        labels_sha256=meta.get("labels_sha256", ""),
    )  # fmt: skip


def _make(
    spec: DataConfig, source: Source, parts: Split, folder: Path, key: dict[str, Any]
) -> Prepared:
    """Read the images from `source`, write them to `folder` at once, and print what was made."""
    import numpy as np

    prefix = f".making-{folder.name}-"
    # This process holds the lock, so a folder with the prefix was left by a killed process.
    for stale in folder.parent.glob(f"{prefix}*"):
        shutil.rmtree(stale, ignore_errors=True)
    array = source.load(np.concatenate([parts.trained, parts.held]))
    trained, held = array[: len(parts.trained)], array[len(parts.trained) :]
    arrays = {TRAINING_FILE: trained, HELD_OUT_FILE: held}
    labelled: dict[str, Any] = {}
    if "labels" in key:
        names, arrays[LABELS_FILE] = _classes(spec, source, parts)
        counts = np.bincount(arrays[LABELS_FILE], minlength=len(names))
        labelled = {
            "classes": dict(zip(names, counts.tolist(), strict=True)),
            "labels_shape": list(arrays[LABELS_FILE].shape),
            "labels_sha256": _checksum(arrays[LABELS_FILE]),
        }
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=prefix))
    meta = {
        "key": key,
        "shape": list(trained.shape),
        "sha256": _checksum(trained),
        "held_shape": list(held.shape),
        "held_sha256": _checksum(held),
        **labelled,
    }
    try:
        for name, values in arrays.items():
            np.save(temporary / name, values)
        write_json(temporary / "meta.json", meta)
        temporary.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.replace(folder)
    except OSError as error:
        if error.errno is None:  # NumPy raises this when a disk takes only a part.
            raise UserError(f"the disk of {folder.parent} has no space left ({error})") from None
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    prepared = _record(spec, source, folder, meta)
    console.print(f"data: {_summary(prepared)}")
    if source.remark:
        console.print(
            f"data: {source.remark}; {prepared.held:,} training images are held out instead"
        )
    return prepared


def _classes(spec: DataConfig, source: Source, parts: Split) -> tuple[list[str], np.ndarray]:
    """Return the names of the classes, and the class numbers of the pictures to train on."""
    import numpy as np

    assert source.classes is not None
    names, numbers = source.classes.load(np.concatenate([parts.trained, parts.held]))
    if len(names) < 2:
        raise UserError(
            f"labels=true needs two classes or more, and data={spec.name} has only {names[0]!r}"
        )
    return names, numbers[: len(parts.trained)].astype(np.int64)


def _summary(data: Prepared) -> str:
    """Return what was prepared, in one line.

    An example is `mnist is prepared: 60,000 grey pictures of 28×28, and 10,000 held out`.
    """
    shades = "grey" if data.channels == 1 else "colour"
    pictures = f"{data.images:,} {shades} pictures of {data.size}×{data.size}"
    if data.classes:
        pictures += f" in {len(data.classes)} classes"
    if data.held:
        return f"{data.name} is prepared: {pictures}, and {data.held:,} held out for the judge"
    return f"{data.name} is prepared: {pictures}; none are held out, so the judge uses these"
