"""The real images that generated ones are compared with; their features are kept in the cache.

They are split once: `seen` finds the best evaluation of a run, `held` scores it. Where there are
few, both are all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from gansweep.data import DATASETS, Prepared
from gansweep.data.cache import cache_folder
from gansweep.judge.features import DigitFeatures, FeatureNet, ImageFeatures
from gansweep.judge.lenet import digit_features
from gansweep.judge.metrics import Features, class_shares
from gansweep.run import write_file

Side = Literal["seen", "held"]
MOST = 10_000  # real images on each side
FEWEST = 1000  # below twice this there are no held-out ones


@dataclass
class Reference:
    """Features of real images, for each of a feature net's nets.

    shares: of the digits among them, where the net tells them.
    """

    net: FeatureNet
    features: list[Features]
    shares: np.ndarray | None = None


def metrics_of(data: Prepared) -> tuple[str, str]:
    """The primary metric and the second opinion: by LeNet for digits, else by random nets."""
    return ("fld", "rfd") if DATASETS[data.name].digits else ("rfd", "swd")


def feature_net(metric: str, channels: int) -> DigitFeatures | ImageFeatures:
    """The net in whose features a metric is measured."""
    return digit_features() if metric == "fld" else ImageFeatures(channels)


def is_split(data: Prepared) -> bool:
    """Are there enough images to hold out a half?"""
    return data.images >= 2 * FEWEST


def real_images(data: Prepared, side: Side, most: int = MOST) -> Tensor:
    """Real images of one side, in a random order of its own: uint8 N×C×H×W."""
    array = data.array()
    order = np.random.default_rng(0).permutation(len(array))
    half = len(array) // 2 if is_split(data) else len(array)
    chosen = order[:half][:MOST] if side == "seen" else order[-half:][:MOST]
    chosen = np.sort(chosen)[np.random.default_rng(1).permutation(len(chosen))]
    return torch.from_numpy(np.ascontiguousarray(array[chosen[:most]]))


def reference(data: Prepared, net: FeatureNet, side: Side) -> Reference:
    """The features of one side's real images, from the cache or freshly computed."""
    path = cache_folder() / "features" / f"{data.sha256[:16]}-{net.hash}-{side}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        stored = _read(path)
        if stored is None:
            features = net(real_images(data, side))
            stored = {f"net{i}": of.numpy() for i, of in enumerate(features)}
            if isinstance(net, DigitFeatures):
                stored["shares"] = class_shares(net.labels(features[0]).numpy(), 10)
            arrays = stored
            write_file(path, lambda temporary: np.savez(temporary, **arrays))  # type: ignore[arg-type]
    features_of = [stored[name] for name in sorted(stored) if name.startswith("net")]
    return Reference(net, features_of, stored.get("shares"))


def _read(path: Path) -> dict[str, np.ndarray] | None:
    try:
        with np.load(path) as archive:
            return dict(archive)
    except Exception:  # not there, or damaged: computed again
        return None
