"""Measuring generated images against the real ones: quick looks on the way, a score at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gansweep.data import Prepared
from gansweep.errors import Diverged
from gansweep.judge.features import DigitFeatures, as_bytes
from gansweep.judge.inception import InceptionFeatures
from gansweep.judge.metrics import (
    Features,
    Moments,
    Neighbourhood,
    class_shares,
    frechet,
    kid_with_error,
    total_variation,
)
from gansweep.judge.pyramid import MOST as PYRAMID_IMAGES
from gansweep.judge.pyramid import sliced_wasserstein
from gansweep.judge.reference import (
    Reference,
    feature_net,
    is_split,
    metrics_of,
    real_images,
    reference,
)

Sample = Callable[[Tensor], Tensor]  # z → images in [−1, 1]

NEAR = 1000  # real images of the nearest-neighbour measures
BATCH = 500


class Judge:
    """Judges generators on one data set, on one device.

    primary, second: the names of its two metrics. inception: the net of a third, `fid`.
    """

    def __init__(
        self,
        data: Prepared,
        device: torch.device | None = None,
        inception: InceptionFeatures | None = None,
    ) -> None:
        self.data = data
        self.device = device or torch.device("cpu")
        self.primary, self.second = metrics_of(data)
        self.inception = inception
        self.net = feature_net(self.primary, data.channels)
        # All that has to be computed of the real images is, now: not in a run's time.
        self.seen = reference(data, self.net, "seen")
        self.held = reference(data, self.net, "held")
        real = self.seen.features[0]
        self._moments = Moments.of(_scaled(real, real, self.primary))
        self._near = Neighbourhood(real[:NEAR])
        self.held_by_second = None
        if self.second != "swd":
            self.held_by_second = reference(data, feature_net(self.second, data.channels), "held")
        self.held_by_inception = reference(data, inception, "held") if inception else None
        for of in (self.held, self.held_by_second, self.held_by_inception):
            if of is not None:
                of.net.to(self.device)

    def look(self, sample: Sample, z: Tensor) -> dict[str, Any]:
        """The primary metric and the diversity of the images of fixed latents, quickly.

        By the first of the feature nets: values of one run and one sweep can be compared with
        each other, not with a score.
        """
        features = self.net(generate(sample, z), 1)[0]
        fake = features.numpy()
        moments = Moments.of(_scaled(self.seen.features[0], fake, self.primary))
        facts: dict[str, Any] = {"n": len(z), self.primary: frechet(self._moments, moments)}
        facts |= self._near.measure(fake)
        facts |= self._classes(self.seen, features)
        return {k: round(v, 6) if isinstance(v, float) else v for k, v in facts.items()}

    def score(self, images: Tensor) -> dict[str, Any]:
        """Everything that is known of some generated images, uint8 N×C×H×W, by held-out reals."""
        held = self.held
        features = self.net(images)
        fakes = [of.numpy() for of in features]
        result: dict[str, Any] = {"n": len(images), "held_out": is_split(self.data)}
        result[self.primary] = distance(self.primary, held, fakes)
        result["kid"], result["kid_error"] = kid_with_error(held.features[0], fakes[0])
        result |= Neighbourhood(held.features[0][:NEAR]).measure(fakes[0][:NEAR])
        result |= self._classes(held, features[0])
        result["net"] = f"{self.net.name} {self.net.hash}"
        if isinstance(self.net, DigitFeatures):
            result["net"] += f", accuracy {self.net.accuracy:.3f}"
        result[self.second] = self._second_opinion(images)
        if self.held_by_inception is not None:
            result |= self._by_inception(images, self.held_by_inception)
        return {k: round(v, 6) if isinstance(v, float) else v for k, v in result.items()}

    def _classes(self, real: Reference, features: Tensor) -> dict[str, Any]:
        if real.shares is None or not isinstance(self.net, DigitFeatures):
            return {}
        return classes(real.shares, self.net.labels(features).numpy())

    def _second_opinion(self, images: Tensor) -> float:
        held = self.held_by_second
        if held is None:
            return sliced_wasserstein(real_images(self.data, "held", PYRAMID_IMAGES), images)
        return distance(self.second, held, [of.numpy() for of in held.net(images, 1)])

    def _by_inception(self, images: Tensor, held: Reference) -> dict[str, Any]:
        net = held.net
        fakes = net(images)[0].numpy()
        found: dict[str, Any] = {"fid": distance("fid", held, [fakes])}
        found["fid_kid"], found["fid_kid_error"] = kid_with_error(held.features[0], fakes)
        return found | {"fid_net": f"{net.name} {net.hash}", "fid_reals": len(held.features[0])}


def distance(metric: str, of: Reference, fakes: list[Features]) -> float:
    """A Fréchet distance to these real images, the mean over the feature nets."""
    values = [
        frechet(Moments.of(_scaled(real, real, metric)), Moments.of(_scaled(real, fake, metric)))
        for real, fake in zip(of.features, fakes, strict=False)  # the nets that were asked
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
    if metric != "rfd":
        return features
    return (features - real.mean(0)) / (real.std(0) + 1e-8)


@torch.no_grad()
def generate(sample: Sample, z: Tensor) -> Tensor:
    """Images of latents as bytes, on the generator's device.

    Raises Diverged if one is not finite.
    """
    images = torch.cat([sample(part) for part in z.split(BATCH)])
    if not torch.isfinite(images).all():
        raise Diverged("diverged: the generated images are not finite")
    return as_bytes(images)


def latents(z_dim: int, count: int, seed: int) -> Tensor:
    """z ~ Uniform(−1, 1), of dice of their own."""
    dice = torch.Generator().manual_seed(seed)
    return torch.rand(count, z_dim, generator=dice) * 2 - 1
