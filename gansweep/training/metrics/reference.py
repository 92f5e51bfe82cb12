"""Provide the real images with which generated images are compared, and cache their features.

The real images are held out, if the data set has enough images. One side of them serves the
evaluations, which find the best weights of a run, and the other side serves the score of these
weights. The sides are halves of the held-out images, or the same images if a half is too small.
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

from gansweep.machine import cache_folder
from gansweep.plugins import Entry
from gansweep.store.run import write_file
from gansweep.training.data import Prepared
from gansweep.training.metrics.distances import Features, class_shares, pixel_variety
from gansweep.training.metrics.features import DigitFeatures, FeatureNet, ImageFeatures, Pixels
from gansweep.training.metrics.lenet import digit_features
from gansweep.training.metrics.memorised import typical_distances

Side = Literal["evaluation", "score"]
SIDE_FILES = {"evaluation": "look", "score": "score"}  # the names of the sides in cached files
MAX_IMAGES = 10_000  # real images on each side
MAX_PIXEL_IMAGES = 500  # real images for the metrics that compare pixels
MIN_IMAGES = 500  # held-out images on each side; with fewer images, both sides have the same ones


@dataclass
class Reference:
    """The features of real images, N×d, by each of the nets of `net`.

    `variety` is that of the pixels of the images. `shares` has the shares of the ten digits, and is
    None if the net does not classify digits.
    """

    net: FeatureNet
    features: list[Features]
    variety: float = 1.0
    shares: np.ndarray | None = None
    _prepared: dict[tuple[Any, int], Any] = field(default_factory=dict)

    def prepared(self, prepare: Callable[[Features], Any], net: int = 0) -> Any:
        """Return `prepare` of the features by the net number `net`, computed once."""
        if (prepare, net) not in self._prepared:
            self._prepared[prepare, net] = prepare(self.features[net])
        return self._prepared[prepare, net]

    def measure(self, metric: Entry, fakes: Sequence[Features]) -> dict[str, float]:
        """Return the value of a metric by its name, and its error if the metric has one.

        `fakes` has the features of the generated images by each of the nets. Raises ValueError if
        the function of the metric returns no number.
        """
        count = len(fakes) if metric.every_net else 1
        by_net = []
        for net, fake in enumerate(fakes[:count]):
            real = self.prepared(metric.prepare, net) if metric.prepare else self.features[net]
            by_net.append(_by_name(metric.name, metric.build(real, fake)))
        return {name: fmean(values[name] for values in by_net) for name in by_net[0]}


def _by_name(name: str, measured: Any) -> dict[str, float]:
    """Return what the function of the metric `name` returned as numbers by name."""
    values = measured
    if isinstance(measured, tuple):
        values = dict(zip((name, f"{name}_error"), measured, strict=False))
    elif not isinstance(measured, dict):
        values = {name: measured}
    try:
        numbers = {key: float(value) for key, value in values.items()}
    except (TypeError, ValueError):
        numbers = {}
    if name not in numbers or (isinstance(measured, tuple) and len(measured) != 2):
        raise ValueError(f"its function returned {_short(measured)}, which is no valid result")
    return numbers


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:60]}…"


@dataclass
class Training:
    """The features of all training images, to find copies of them.

    `features` is N×d by the first of the feature nets, and `typical` has the distances of real
    images to their nearest training images; see `typical_distances`.
    """

    features: Features
    typical: Features


def feature_net(features: str, channels: int) -> FeatureNet:
    """Return the net of the features that a metric declares, except Inception and DINOv2.

    Raises ValueError for any other name.
    """
    match features:
        case "lenet":
            return digit_features()
        case "random":
            return ImageFeatures(channels)
        case "pixels":
            return Pixels()
    raise ValueError(f"no net has the features {features!r}")


def are_shared(data: Prepared) -> bool:
    """Return whether the evaluations and the score use the same real images."""
    return data.held < 2 * MIN_IMAGES


def real_images(data: Prepared, side: Side, limit: int = MAX_IMAGES) -> Tensor:
    """Return at most `limit` real images of one side, uint8 N×C×H×W, in a fixed random order.

    The images are held-out ones, or training images if none are held out.
    """
    array = data.held_out() if data.held else data.array()
    order = np.random.default_rng(0).permutation(len(array))
    if not are_shared(data):
        half = len(array) // 2
        order = order[:half] if side == "evaluation" else order[half:]
    return torch.from_numpy(np.ascontiguousarray(array[order[:limit]]))


def reference(data: Prepared, net: FeatureNet, side: Side) -> Reference:
    """Return the features of the real images of one side, from the cache or newly computed."""
    if isinstance(net, Pixels):
        return Reference(net, [real_images(data, side, MAX_PIXEL_IMAGES).numpy()])

    def compute() -> dict[str, np.ndarray]:
        images = real_images(data, side)
        features = net(images)
        stored = {f"net{i}": by_net.numpy() for i, by_net in enumerate(features)}
        stored["variety"] = np.array(pixel_variety(images.numpy()))
        if isinstance(net, DigitFeatures):
            stored["shares"] = class_shares(net.labels(features[0]).numpy(), 10)
        return stored

    checksum = data.held_sha256 if data.held else data.sha256
    name = f"{checksum[:16]}-{net.hash}-{SIDE_FILES[side]}"
    stored = cached(name, compute, {"net0", "variety"})
    features = [stored[name] for name in sorted(stored) if name.startswith("net")]
    return Reference(net, features, float(stored["variety"]), stored.get("shares"))


def training(data: Prepared, net: FeatureNet) -> Training:
    """Return the features of all training images, from the cache or newly computed."""

    def compute() -> dict[str, np.ndarray]:
        parts = np.array_split(data.array(), max(1, data.images // MAX_IMAGES))
        features = [net(torch.from_numpy(part.copy()), 1)[0].numpy() for part in parts]
        trained = np.concatenate(features)
        held = net(torch.from_numpy(data.held_out().copy()), 1)[0].numpy() if data.held else None
        return {"features": trained, "typical": typical_distances(trained, held)}

    key = f"{data.sha256[:16]}-{data.held_sha256[:8]}-{net.hash}-training"
    return Training(**cached(key, compute, {"features", "typical"}))


def cached(
    name: str, compute: Callable[[], dict[str, np.ndarray]], needed: set[str]
) -> dict[str, np.ndarray]:
    """Return arrays by name, from a file of the cache, or computed and written to it.

    The arrays are computed again if a name in `needed` is missing, as in files of earlier versions.
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
    """Return the arrays in a file by name, or None if the file is missing or damaged."""
    try:
        with np.load(path) as archive:
            return dict(archive)
    except Exception:
        return None
