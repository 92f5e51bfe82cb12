"""The real images that generated ones are compared with; their features are kept in the cache.

No network was trained on them, where a data set has images enough to hold some out. `look` finds
the best weights of a run, `score` judges these: different halves of the held-out images, or the
same ones where a half would be too few.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from gansweep.plugins import Entry
from gansweep.store.run import write_file
from gansweep.training.data import Prepared
from gansweep.training.data.cache import cache_folder
from gansweep.training.metrics.distances import Features, class_shares, pixel_variety
from gansweep.training.metrics.features import DigitFeatures, FeatureNet, ImageFeatures, Pixels
from gansweep.training.metrics.lenet import digit_features
from gansweep.training.metrics.memorised import typical_distances

Side = Literal["look", "score"]
MOST = 10_000  # real images on each side
PIXEL_IMAGES = 500  # of them that a metric of pixels gets
FEWEST = 500  # held-out images on each side; where there are fewer the sides share them


@dataclass
class Reference:
    """Real images in the features of each of a feature net's nets.

    variety: of their pixels; shares: of the digits among them, where the net tells them.
    """

    net: FeatureNet
    features: list[Features]
    variety: float = 1.0
    shares: np.ndarray | None = None
    _prepared: dict[tuple[Any, int], Any] = field(default_factory=dict)

    def prepared(self, prepare: Callable[[Features], Any], net: int = 0) -> Any:
        """What `prepare` makes of the features of one of the nets; computed once."""
        if (prepare, net) not in self._prepared:
            self._prepared[prepare, net] = prepare(self.features[net])
        return self._prepared[prepare, net]

    def measure(self, metric: Entry, fakes: Sequence[Features]) -> dict[str, float]:
        """What a metric says of generated images: its value, by its name, and its error, if any.

        fakes: their features by each of the nets that were asked. Raises ValueError if the
        metric's function returns no value of it.
        """
        count = len(fakes) if metric.every_net else 1
        found = []
        for net, fake in enumerate(fakes[:count]):
            real = self.prepared(metric.prepare, net) if metric.prepare else self.features[net]
            found.append(_by_name(metric.name, metric.build(real, fake)))
        return {name: fmean(one[name] for one in found) for name in found[0]}


def _by_name(name: str, measured: Any) -> dict[str, float]:
    if isinstance(measured, tuple):
        measured = dict(zip((name, f"{name}_error"), measured, strict=True))
    elif not isinstance(measured, dict):
        measured = {name: measured}
    if name not in measured:
        raise ValueError(f"the function of metric {name!r} returns no {name!r}")
    return {key: float(value) for key, value in measured.items()}


@dataclass
class Training:
    """What is needed to tell copies of training images: the features of all of them (by the first
    of the feature nets), and how far a real image typically is from its nearest one."""

    features: Features
    typical: Features


def feature_net(features: str, channels: int) -> FeatureNet:
    """The net of the features that a metric declares, but for those of papers."""
    match features:
        case "lenet":
            return digit_features()
        case "random":
            return ImageFeatures(channels)
        case "pixels":
            return Pixels()
    raise ValueError(f"no net for features {features!r}")


def are_shared(data: Prepared) -> bool:
    """Do the looks and the score have to use the same real images?"""
    return data.held < 2 * FEWEST


def real_images(data: Prepared, side: Side, most: int = MOST) -> Tensor:
    """Real images of one side, in a random order of its own: uint8 N×C×H×W.

    Held-out ones; training images where none are held out.
    """
    array = data.held_out() if data.held else data.array()
    order = np.random.default_rng(0).permutation(len(array))
    if not are_shared(data):
        half = len(array) // 2
        order = order[:half] if side == "look" else order[half:]
    return torch.from_numpy(np.ascontiguousarray(array[order[:most]]))


def reference(data: Prepared, net: FeatureNet, side: Side) -> Reference:
    """The features of one side's real images, from the cache or freshly computed."""
    if isinstance(net, Pixels):
        return Reference(net, [real_images(data, side, PIXEL_IMAGES).numpy()])

    def compute() -> dict[str, np.ndarray]:
        images = real_images(data, side)
        features = net(images)
        stored = {f"net{i}": of.numpy() for i, of in enumerate(features)}
        stored["variety"] = np.array(pixel_variety(images.numpy()))
        if isinstance(net, DigitFeatures):
            stored["shares"] = class_shares(net.labels(features[0]).numpy(), 10)
        return stored

    of = data.held_sha256 if data.held else data.sha256
    stored = _cached(f"{of[:16]}-{net.hash}-{side}", compute, {"net0", "variety"})
    features_of = [stored[name] for name in sorted(stored) if name.startswith("net")]
    return Reference(net, features_of, float(stored["variety"]), stored.get("shares"))


def training(data: Prepared, net: FeatureNet) -> Training:
    """The features of all training images, from the cache or freshly computed."""

    def compute() -> dict[str, np.ndarray]:
        parts = np.array_split(data.array(), max(1, data.images // MOST))
        features = [net(torch.from_numpy(part.copy()), 1)[0].numpy() for part in parts]
        of_all = np.concatenate(features)
        held = net(torch.from_numpy(data.held_out().copy()), 1)[0].numpy() if data.held else None
        return {"features": of_all, "typical": typical_distances(of_all, held)}

    key = f"{data.sha256[:16]}-{data.held_sha256[:8]}-{net.hash}-training"
    return Training(**_cached(key, compute, {"features", "typical"}))


def _cached(
    name: str, compute: Callable[[], dict[str, np.ndarray]], needed: set[str]
) -> dict[str, np.ndarray]:
    """Arrays by name, from a file of the cache, or computed and put there.

    needed: names that an earlier version may not have known.
    """
    path = cache_folder() / "features" / f"{name}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        stored = _read(path)
        if stored is None or not needed <= set(stored):
            stored = arrays = compute()
            write_file(path, lambda temporary: np.savez(temporary, **arrays))  # type: ignore[arg-type]
    return stored


def _read(path: Path) -> dict[str, np.ndarray] | None:
    try:
        with np.load(path) as archive:
            return dict(archive)
    except Exception:  # not there, or damaged: computed again
        return None
