"""Measuring generated images against the real ones: quick looks on the way, a score at the end."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gansweep.data import Prepared
from gansweep.judge.features import DigitFeatures, as_bytes
from gansweep.judge.metrics import (
    Features,
    Moments,
    Neighbourhood,
    class_shares,
    frechet,
    kid_with_error,
    total_variation,
)
from gansweep.judge.reference import Reference, metric_of, reference

Sample = Callable[[Tensor], Tensor]  # z → images in [−1, 1]

NEAR = 1000  # real images of the nearest-neighbour measures
BATCH = 500


class Judge:
    """Judges generators on one data set, on one device.

    primary, second: the names of its two metrics.
    """

    def __init__(self, data: Prepared, device: torch.device | None = None) -> None:
        self.data = data
        self.device = device or torch.device("cpu")
        self.primary, self.second = metric_of(data)
        self.reference = reference(data, self.primary)
        self.reference.net.to(self.device)
        seen = self.reference.seen
        self._moments = [Moments.of(_scaled(f, f, self.primary)) for f in seen]
        self._near = Neighbourhood(seen[0][:NEAR])

    def look(self, sample: Sample, z: Tensor) -> dict[str, Any]:
        """The primary metric and the diversity of the images of fixed latents, quickly.

        By the first of the feature nets: values of one run and one sweep can be compared with
        each other, not with a score.
        """
        images = generate(sample, z)
        net = self.reference.net
        features = net(images, 1)[0]
        fake = features.numpy()
        if not np.isfinite(fake).all():
            return {self.primary: math.nan}
        real = self.reference.seen[0]
        moments = Moments.of(_scaled(real, fake, self.primary))
        facts: dict[str, Any] = {self.primary: frechet(self._moments[0], moments)}
        facts |= self._near.measure(fake)
        if isinstance(net, DigitFeatures) and self.reference.shares is not None:
            facts |= classes(self.reference.shares, net.labels(features).numpy())
        return {k: round(v, 6) if isinstance(v, float) else v for k, v in facts.items()}

    def score(self, images: Tensor) -> dict[str, Any]:
        """Everything that is known of some generated images, uint8 N×C×H×W, by held-out reals."""
        result: dict[str, Any] = {"n": len(images), "held_out": self.reference.split}
        for metric in (self.primary, self.second):
            primary = metric == self.primary
            of = self.reference if primary else reference(self.data, metric)
            of.net.to(self.device)
            features = of.net(images, None if primary else 1)
            fakes = [f.numpy() for f in features]
            result[metric] = distance(metric, of, fakes)
            if primary:
                result["kid"], result["kid_error"] = kid_with_error(of.held_out[0], fakes[0])
                result |= Neighbourhood(of.held_out[0][:NEAR]).measure(fakes[0][:NEAR])
                result["net"] = f"{of.net.name} {of.net.hash}"
                if isinstance(of.net, DigitFeatures) and of.shares is not None:
                    result |= classes(of.shares, of.net.labels(features[0]).numpy())
                    result["net"] += f", accuracy {of.net.accuracy:.3f}"
        return {k: round(v, 6) if isinstance(v, float) else v for k, v in result.items()}


def distance(metric: str, of: Reference, fakes: list[Features]) -> float:
    """A Fréchet distance to the held-out images, the mean over the feature nets."""
    values = [
        frechet(Moments.of(_scaled(real, real, metric)), Moments.of(_scaled(real, fake, metric)))
        for real, fake in zip(of.held_out, fakes, strict=False)  # the nets that were asked
    ]
    return float(np.mean(values))


def classes(shares: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """How the digits are spread, against the real shares."""
    found = class_shares(labels, len(shares))
    return {
        "class_distance": total_variation(shares, found),
        "missing_classes": int((found < shares / 10).sum()),
        "class_shares": [round(float(s), 4) for s in found],
    }


def _scaled(real: Features, features: Features, metric: str) -> Features:
    """Random features, standardised by the real ones: their scale means nothing by itself."""
    if metric == "fld":
        return features
    return (features - real.mean(0)) / (real.std(0) + 1e-8)


@torch.no_grad()
def generate(sample: Sample, z: Tensor) -> Tensor:
    """Images of latents as bytes, on the generator's device."""
    return torch.cat([as_bytes(sample(part)) for part in z.split(BATCH)])


def latents(z_dim: int, count: int, seed: int) -> Tensor:
    """z ~ Uniform(−1, 1), of dice of their own."""
    dice = torch.Generator().manual_seed(seed)
    return torch.rand(count, z_dim, generator=dice) * 2 - 1
