"""The value of a metric for real images in the place of generated ones: the scale of a score.

As many training images as the score has generated ones, or all if there are fewer, are compared
with the same held-out images. This is the value of a generator that draws as the data set does. Two
halves of the held-out images would be fewer, and a Fréchet distance grows as images get fewer.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
import torch

from gansweep.plugins import Entry
from gansweep.source_code import version_of
from gansweep.training.data import Prepared
from gansweep.training.metrics.features import FeatureNet
from gansweep.training.metrics.reference import Reference, cached


def real_against_real(
    data: Prepared,
    net: FeatureNet,
    metric: Entry,
    real: Reference,
    count: int,
    nets: int | None = None,
) -> tuple[float, int] | None:
    """Return the metric of real images, and their number; from the cache or newly computed.

    real: the images of the score in the features of `net`; count: its number of generated images;
    nets: how many of the feature nets it uses, None for all.
    Returns None if no images are held out, as training images compared with themselves have no
    distance, and if the metric is not a finite number.
    """
    if not data.held:
        return None
    count = min(count, data.images)

    def compute() -> dict[str, np.ndarray]:
        chosen = np.sort(np.random.default_rng(0).permutation(data.images)[:count])
        images = torch.from_numpy(np.ascontiguousarray(data.array()[chosen]))
        features = [f.numpy() for f in net(images, nets if metric.every_net else 1)]
        return {"value": np.array(real.measure(metric, features)[metric.name])}

    code = hashlib.sha256(f"{metric.name} {version_of(metric.build)}".encode()).hexdigest()
    key = f"{data.sha256[:16]}-{data.held_sha256[:8]}-{net.hash}-{code[:12]}-real-{count}"
    value = float(cached(key, compute, {"value"})["value"])
    return (value, count) if math.isfinite(value) else None
