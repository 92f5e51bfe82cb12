"""What a data set is before it is prepared: where it comes from and how to read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gansweep.registry import Registry

if TYPE_CHECKING:
    import numpy as np

DATASETS = Registry("data set")


def dataset(name: str) -> Callable[[Callable[..., Any]], Any]:
    """Register a function (DataConfig, image size, limit or None) → Source.

    The choice on the command line is the file conf/data/NAME.yaml.
    """
    return DATASETS.register(name)


@dataclass(frozen=True)
class Source:
    """A data set that can be read.

    key: what decides the pixels (files with size and time, version of a drawing), as JSON; it
    names the cache. load: reads everything, uint8 N×C×H×W. label: heading of its pictures.
    """

    key: dict[str, Any]
    load: Callable[[], np.ndarray]
    label: str
