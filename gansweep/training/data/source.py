"""What a data set is before it is prepared: where it comes from and how to read it."""

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
) -> Callable[[Callable[..., Any]], Any]:
    """Register a function (DataConfig, image size) → Source.

    files: does it read files in `data.root`? digits: are they digits, to be judged as such?
    metrics: the one that ranks its runs and the second opinion; by default LeNet's distance for
    digits, that of random features for all else. stand_in: a data set without files that may take
    its place (see `at_hand`). note: what captions say of it beside its name. The choice on the
    command line is the file conf/data/NAME.yaml.
    """
    if metrics is None:
        metrics = ("fd_lenet", "fd_random") if digits else ("fd_random", "swd")
    return DATASETS.register(
        name, files=files, digits=digits, metrics=metrics, stand_in=stand_in, note=note
    )


@dataclass(frozen=True)
class Source:
    """A data set that can be read.

    key: what decides the pixels (files with size and time, version of a drawing), as JSON; it
    names the cache. count: number of its images. load: numbers of images → uint8 N×C×H×W. label:
    heading of its pictures. trained: the first so many are its training images, the others its own
    test images; None if it has none. remark: what the user should know of it.
    """

    key: dict[str, Any]
    count: int
    load: Callable[[np.ndarray], np.ndarray]
    label: str
    trained: int | None = None
    remark: str = ""


def find_source(spec: DataConfig, size: int) -> Source:
    """The source of `spec`, in the first folder of `data.root` (A or A:B) that has it.

    Raises UserError, about the last folder, if none has.
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
    """The folders of a list as in $PATH; a folder whose own name looks like one is itself."""
    if root is None or Path(root).expanduser().exists():
        return [root]
    return [part for part in root.split(os.pathsep) if part] or [root]


def at_hand(spec: DataConfig) -> str:
    """Its name, or its stand-in's if its files are not where `spec` says. Reads no picture."""
    stand_in = DATASETS[spec.name].stand_in
    if stand_in is None:
        return spec.name
    try:
        find_source(spec, 28)
    except UserError:
        return str(stand_in)
    return spec.name
