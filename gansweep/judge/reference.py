"""The real images' features, computed once a data set and feature net, in the cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock

from gansweep.data import DATASETS, Prepared
from gansweep.data.cache import cache_folder
from gansweep.judge.features import DigitFeatures, FeatureNet, ImageFeatures
from gansweep.judge.lenet import digit_features
from gansweep.judge.metrics import Features, class_shares
from gansweep.run import write_file

MOST = 10_000  # real images on each side
FEWEST = 1000  # below twice this there is no held-out half


@dataclass
class Reference:
    """Features of real images, for each of a feature net's nets.

    seen: to find the best evaluation with; held_out: to score it with. For few images both are
    all of them, and `split` is False.
    """

    net: FeatureNet
    seen: list[Features]
    held_out: list[Features]
    split: bool
    shares: np.ndarray | None = None  # of the digits, where the net tells them


def metric_of(data: Prepared) -> tuple[str, str]:
    """The primary metric and the second opinion: by LeNet for digits, else by random nets."""
    digits = DATASETS[data.name].digits
    return ("fld", "rfd") if digits else ("rfd", "fld")


def feature_net(metric: str, channels: int) -> DigitFeatures | ImageFeatures:
    """The net in whose features a metric is measured."""
    return digit_features() if metric == "fld" else ImageFeatures(channels)


def reference(data: Prepared, metric: str) -> Reference:
    """The real features of a prepared data set, from the cache or freshly computed."""
    net = feature_net(metric, data.channels)
    path = cache_folder() / "features" / f"{data.sha256[:16]}-{net.hash}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        stored = _read(path)
        if stored is None:
            stored = _compute(data, net)
            arrays = stored
            write_file(path, lambda temporary: np.savez(temporary, **arrays))  # type: ignore[arg-type]
    count = sum(1 for name in stored if name.startswith("seen"))
    return Reference(
        net,
        [stored[f"seen{i}"] for i in range(count)],
        [stored[f"held{i}"] for i in range(count)],
        bool(stored["split"]),
        stored.get("shares"),
    )


def _read(path: Path) -> dict[str, np.ndarray] | None:
    try:
        with np.load(path) as archive:
            return dict(archive)
    except Exception:  # not there, or damaged: computed again
        return None


def _compute(data: Prepared, net: FeatureNet) -> dict[str, np.ndarray]:
    array = data.array()
    order = np.random.default_rng(0).permutation(len(array))
    split = len(array) >= 2 * FEWEST
    half = len(array) // 2 if split else len(array)
    sides = {"seen": order[:half][:MOST], "held": order[-half:][:MOST]}
    stored: dict[str, np.ndarray] = {"split": np.array(split)}
    for side, chosen in sides.items():
        images = torch.from_numpy(np.ascontiguousarray(array[np.sort(chosen)]))
        dice = np.random.default_rng(1).permutation(len(images))
        images = images[torch.from_numpy(dice)]
        stored |= {f"{side}{i}": f.numpy() for i, f in enumerate(net(images))}
        if side == "seen" and isinstance(net, DigitFeatures):
            labels = net.labels(torch.from_numpy(stored["seen0"]))
            stored["shares"] = class_shares(labels.numpy(), 10)
    return stored
