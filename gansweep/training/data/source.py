"""Register data sets and find their sources, from which `cache` prepares them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gansweep.plugins import DATASETS
from gansweep.store.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from gansweep.params import DataConfig


def dataset(
    name: str,
    *,
    files: bool,
    digits: bool = False,
    metrics: tuple[str, str] | None = None,
    stand_in: str | None = None,
    note: str = "",
    classes: bool = False,
) -> Callable[[Callable[..., Any]], Any]:
    """Register a function (DataConfig, image size in pixels) → Source as the data set `name`.

    `files` says whether the data set reads files in `data.root`. `digits` says whether the images
    are digits, which the judge compares in the features of a digit classifier. `metrics` names the
    metric that ranks the runs and the second opinion; the default is LeNet's distance first for
    digits, and that of random features first for all other images. `stand_in` is a data set without
    files that may replace this one (see `at_hand`), and `note` is what captions add to the name.
    `classes` says whether the images can have classes, for labels=true.
    The command line accepts the data set if the file conf/data/NAME.yaml exists. Raises ValueError
    if the name is taken. (Data sets of users are registered by `gansweep.dataset`.)
    """
    if metrics is None:
        metrics = ("fd_lenet", "fd_random") if digits else ("fd_random", "swd")
    return DATASETS.register(
        name,
        builder=True,
        files=files,
        digits=digits,
        metrics=metrics,
        stand_in=stand_in,
        note=note,
        classes=classes,
    )


@dataclass(frozen=True)
class Classes:
    """The classes of the images of a source.

    `key` is JSON of what determines them, in addition to the key of the source. `load` maps image
    numbers, shape (N,), to the names of all classes and to the images' class numbers, int64 (N,).
    """

    key: dict[str, Any]
    load: Callable[[np.ndarray], tuple[list[str], np.ndarray]]


@dataclass(frozen=True)
class Source:
    """A source says how to read a data set.

    `key` is JSON of everything that determines the pixels, such as the files with sizes and times,
    or the version of a drawing; it names the folder in the cache. `count` is the number of images,
    and `load` maps image numbers, shape (N,), to uint8 N×C×H×W. `label` is the heading of the
    pictures in reports. The first `trained` images are training images and the others are the data
    set's own test images; None means that the data set has none. `remark` is a sentence for the
    user about missing files. `classes` is None if the images have no classes.
    """

    key: dict[str, Any]
    count: int
    load: Callable[[np.ndarray], np.ndarray]
    label: str
    trained: int | None = None
    remark: str = ""
    classes: Classes | None = None


def find_source(spec: DataConfig, size: int) -> Source:
    """Return the source of `spec` in the first folder of `data.root` (A or A:B) that has the data.

    `spec` names one of gansweep's data sets, and `size` is the side of the images in pixels. Raises
    UserError, about the last folder, if no folder has the data.
    """
    build = DATASETS[spec.name].build
    roots = _roots(spec.root)
    for root in roots[:-1]:
        try:
            return build(replace(spec, root=root), size)
        except UserError:
            continue
    return build(replace(spec, root=roots[-1]), size)


def _roots(root: str | None) -> list[str | None]:
    """Return the folders in `root`, which is a list as in $PATH unless a folder has this name."""
    if root is None or Path(root).expanduser().exists():
        return [root]
    return [part for part in root.split(os.pathsep) if part] or [root]


def at_hand(spec: DataConfig) -> str:
    """Return the data set's name, or its stand-in's if the files are not where `spec` says.

    This function reads no picture.
    """
    stand_in = DATASETS[spec.name].stand_in
    if stand_in is None:
        return spec.name
    try:
        find_source(spec, 28)
    except UserError:
        return str(stand_in)
    return spec.name


def file_name(data_set: str) -> str:
    """Return the name of a data set, which may be an import path, as a part of a file's name."""
    return data_set.replace(":", ".")
