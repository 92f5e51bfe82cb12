"""What a data set is before it is prepared: where it comes from and how to read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gansweep.registry import Registry

if TYPE_CHECKING:
    import numpy as np

DATASETS = Registry("data set")


def dataset(name: str, *, files: bool, digits: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Register a function (DataConfig, image size, limit or None) → Source.

    files: does it read files in `data.root`? digits: are they digits, to be judged as such? The
    choice on the command line is the file
    conf/data/NAME.yaml.
    """
    return DATASETS.register(name, files=files, digits=digits)


@dataclass(frozen=True)
class Source:
    """A data set that can be read.

    key: what decides the pixels (files with size and time, version of a drawing), as JSON; it
    names the cache. load: reads everything, uint8 N×C×H×W. label: heading of its pictures.
    """

    key: dict[str, Any]
    load: Callable[[], np.ndarray]
    label: str
