"""Prepare data sets of users: `data=mypkg.data:cats`, or a name that a plugin registers.

Such a data set is any callable that returns images; `returned` says in which forms. gansweep passes
`image_size`, `root`, `channels` and `download` if the signature has them. A callable with the
parameter `train` is called twice, with true and with false, and the images of the second call are
the data set's own test images. Every other parameter is an option, `data.NAME`.

The code of the data set, its options and the files in `data.root` are the key of the cache. The
callable is called only if the cache has no images, or not yet their number, for this key.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gansweep.components import defaults_of, options_of
from gansweep.loading import told
from gansweep.machine import cache_folder
from gansweep.plugins import DATASETS
from gansweep.source_code import version_of
from gansweep.store.errors import UserError
from gansweep.store.run import read_json, write_json
from gansweep.training.data.returned import Returned, returned
from gansweep.training.data.source import Classes, Source, file_name, find_source

if TYPE_CHECKING:
    import numpy as np

    from gansweep.params import DataConfig

NO_DEFAULT = inspect.Parameter.empty
VERSION = 1  # of the conversion in `returned`; it is part of the key of the cache


def heading(spec: DataConfig, size: Callable[[], int], options: Mapping[str, Any]) -> str:
    """Return the heading of the data set's pictures, without calling a data set of the user.

    size: returns the side of the images in pixels. Of a user's data set, the heading has its name
    and its changed options: `Cats Output (breed=siamese)`. Raises UserError as `find_source` does.
    """
    if DATASETS[spec.name].builder:
        return find_source(spec, size()).label
    defaults = defaults_of("data", spec.name)
    texts = {n: str(v).lower() if isinstance(v, bool) else v for n, v in options.items()}
    changed = [f"{n}={text}" for n, text in texts.items() if options[n] != defaults[n]]
    shown = f" ({', '.join(changed)})" if changed else ""
    name = spec.name.rpartition(":")[2].rpartition(".")[2].replace("_", " ")
    return f"{name[:1].upper()}{name[1:]} Output{shown}"


def source_of(spec: DataConfig, size: int, options: Mapping[str, Any] | None = None) -> Source:
    """Return the source of any data set at `size` × `size` pixels.

    `options` are the parameters of a user's data set by name. Raises UserError if the data cannot
    be found, or if the data set of the user does not return images.
    """
    if DATASETS[spec.name].builder:
        return find_source(spec, size)
    return component_source(spec, size, options or {})


def component_source(spec: DataConfig, size: int, options: Mapping[str, Any]) -> Source:
    """Return the source of a user's data set at `size` × `size` pixels.

    `options` are parameters by name; one that is absent has its default.

    Raises UserError, in one line, if the callable raises an exception or returns no images.
    """
    known = options_of("data", spec.name).values()
    options = {(n := o.name.partition(".")[2]): options.get(n, o.default) for o in known}
    arguments = _arguments(spec, size, options)
    key = {
        "code": version_of(DATASETS[spec.name].build),
        "options": options,
        "files": _files(arguments.get("root")),
        "format": VERSION,
        **{n: v for n, v in arguments.items() if n in ("image_size", "channels")},
    }
    parts: list[Returned] = []  # what the data set has returned in this process

    def call() -> list[Returned]:
        if not parts:
            parts.extend(_called(spec.name, arguments))
        return parts

    counts = _counts(spec.name, key, call)

    def checked() -> list[Returned]:
        found = [part.count for part in call()]
        if found != counts:
            raise UserError(
                f"data={spec.name} returns {sum(found)} images, and returned {sum(counts)} before; "
                "it must return the same images at each call"
            )
        return call()

    trained = counts[0] if len(counts) > 1 else None
    label = heading(spec, lambda: size, options)
    return Source(
        key,
        sum(counts),
        lambda numbers: _loaded(checked(), numbers, size, spec.channels),
        label,
        trained=trained,
        classes=Classes({"format": VERSION}, lambda numbers: _labelled(checked(), numbers)),
    )


def _arguments(spec: DataConfig, size: int, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments of the callable, apart from `train`."""
    defaults = defaults_of("data", spec.name)
    if defaults.get("root") is NO_DEFAULT and spec.root is None:
        raise UserError(f"data={spec.name} needs data.root=FOLDER, where its files are")
    root = None if spec.root is None else str(Path(spec.root).expanduser())
    supplied = {
        "image_size": size, "root": root, "channels": spec.channels, "download": spec.download,
    }  # fmt: skip
    passed = {
        name: value
        for name, value in supplied.items()
        # A value that is not set does not replace the default of the signature.
        if name in defaults and (value is not None or defaults[name] is NO_DEFAULT)
    }
    return {**passed, **options}


def _called(name: str, arguments: dict[str, Any]) -> list[Returned]:
    """Call the data set, once or for training and test images, and return what it returned."""
    build = DATASETS[name].build
    train = [{"train": True}, {"train": False}] if "train" in defaults_of("data", name) else [{}]
    parts = []
    for part in train:
        try:
            found = build(**arguments, **part)
        except UserError:
            raise
        except (Exception, SystemExit) as error:
            raise UserError(f"data={name} fails: {told(error)}") from error
        parts.append(returned(found, f"data={name}"))
    if not parts[0].count:
        raise UserError(f"data={name} returns no images")
    return parts


def _counts(name: str, key: dict[str, Any], call: Callable[[], list[Returned]]) -> list[int]:
    """Return the numbers of images that the data set returns, by call, from the cache if it can."""
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:12]
    path = cache_folder() / "components" / f"{file_name(name)}-{digest}.json"
    known = (read_json(path) or {}).get("counts")
    if isinstance(known, list) and known and all(type(count) is int for count in known):
        return known
    counts = [part.count for part in call()]
    with suppress(OSError):  # it is only faster; `cache.prepare` reports a cache that is read-only
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"counts": counts})
    return counts


def _loaded(
    parts: list[Returned], numbers: np.ndarray, size: int, channels: int | None
) -> np.ndarray:
    """Return the images with these numbers, counted over all parts, uint8 N×C×size×size."""
    import numpy as np

    chosen = [part.load(own, size, channels) for part, own in _by_part(parts, numbers)]
    if len({images.shape[1] for images in chosen}) > 1:  # of grey and of colour
        chosen = [np.repeat(i, 3, axis=1) if i.shape[1] == 1 else i for i in chosen]
    return np.concatenate(chosen)


def _labelled(parts: list[Returned], numbers: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Return the sorted classes of these images, and the images' class numbers, int64 (N,)."""
    import numpy as np

    labels = [label for part, own in _by_part(parts, numbers) for label in part.labels_of(own)]
    texts = labels if all(isinstance(label, int) for label in labels) else list(map(str, labels))
    classes, found = np.unique(np.array(texts), return_inverse=True)
    return list(map(str, classes)), found


def _by_part(parts: list[Returned], numbers: np.ndarray) -> Iterator[tuple[Returned, np.ndarray]]:
    """Yield each part that has some of the images, with their numbers within the part."""
    first = 0
    for part in parts:
        own = numbers[(numbers >= first) & (numbers < first + part.count)] - first
        if len(own):
            yield part, own
        first += part.count


def _files(root: str | None) -> list[list[Any]]:
    """Return the names, sizes and times of the files in `root`; [] if it does not exist."""
    if root is None:
        return []
    where = Path(root)
    paths = sorted(p for p in where.rglob("*") if p.is_file()) if where.is_dir() else [where]
    stats = [(path, path.stat()) for path in paths if path.exists()]
    return [[str(path), stat.st_size, stat.st_mtime_ns] for path, stat in stats]
