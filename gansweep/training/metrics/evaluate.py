"""Measuring generated images against the real ones: quick looks on the way, a score at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gansweep.store.errors import Diverged
from gansweep.training.data import Prepared
from gansweep.training.data.pixels import as_bytes
from gansweep.training.metrics.distances import (
    KERNEL,
    Features,
    Neighbourhood,
    class_shares,
    kernel_distance,
    metrics_of,
    pixel_variety,
    total_variation,
)
from gansweep.training.metrics.features import BATCH, DigitFeatures
from gansweep.training.metrics.memorised import memorisation, nearest
from gansweep.training.metrics.published import PublishedFeatures
from gansweep.training.metrics.pyramid import MOST as PYRAMID_IMAGES
from gansweep.training.metrics.pyramid import sliced_wasserstein
from gansweep.training.metrics.reference import (
    Reference,
    are_shared,
    feature_net,
    real_images,
    reference,
    training,
)

Sample = Callable[[Tensor], Tensor]  # z → images in [−1, 1]

NEAR = 1000  # real images of the nearest-neighbour measures
RESAMPLED = 20  # times, for the error of a score


class Judge:
    """Judges generators on one data set, on one device.

    primary, second: the names of its two metrics. published: the net of a third, as papers print.
    """

    def __init__(
        self,
        data: Prepared,
        device: torch.device | None = None,
        published: PublishedFeatures | None = None,
    ) -> None:
        self.data = data
        self.device = device or torch.device("cpu")
        self.primary, self.second = metrics_of(data.name)
        self.published = published
        self.net = feature_net(self.primary, data.channels)
        # All that has to be computed of the real images is, now: not in a run's time.
        self.of_looks = reference(data, self.net, "look")
        self.of_score = reference(data, self.net, "score")
        self.training = training(data, self.net)
        self._near = Neighbourhood(self.of_looks.features[0][:NEAR])
        self.by_second = None
        if self.second != "swd":
            self.by_second = reference(data, feature_net(self.second, data.channels), "score")
        self.by_published = reference(data, published, "score") if published else None
        for of in (self.of_score, self.by_second, self.by_published):
            if of is not None:
                of.net.to(self.device)

    def look(self, sample: Sample, z: Tensor) -> dict[str, Any]:
        """The primary metric and the diversity of the images of fixed latents, quickly.

        By the first of the feature nets: values of one run and one sweep can be compared with
        each other, not with a score.
        """
        images = generate(sample, z)
        features = self.net(images, 1)[0]
        fake = features.numpy()
        facts: dict[str, Any] = {"n": len(z), self.primary: self.of_looks.distance([fake])}
        facts |= self._near.measure(fake)
        facts["variety"] = _variety(images, self.of_looks)
        facts |= self._classes(self.of_looks, features)
        return {k: round(v, 6) if isinstance(v, float) else v for k, v in facts.items()}

    def score(self, images: Tensor) -> dict[str, Any]:
        """Everything that is known of some generated images, uint8 N×C×H×W.

        reals: number of real images; held_out: was no network trained on them? own_test: are they
        the data set's own test images? shared: did they choose the best weights too?
        """
        real = self.of_score
        features = self.net(images)
        fakes = [of.numpy() for of in features]
        result: dict[str, Any] = {
            "n": len(images),
            "reals": len(real.features[0]),
            "held_out": self.data.held > 0,
            "own_test": self.data.own_test,
            "shared": are_shared(self.data),
        }
        result[self.primary] = real.distance(fakes)
        result[f"{self.primary}_error"] = sampling_error(real, fakes)
        kernel = KERNEL[self.primary]
        result[kernel], result[f"{kernel}_error"] = kernel_distance(real.features[0], fakes[0])
        result |= Neighbourhood(real.features[0][:NEAR]).measure(fakes[0][:NEAR])
        result["variety"] = _variety(images, real)
        result |= self._classes(real, features[0])
        result |= memorisation(fakes[0], self.training.features, self.training.typical)
        result["net"] = f"{self.net.name} {self.net.hash}"
        if isinstance(self.net, DigitFeatures):
            result["net"] += f", accuracy {self.net.accuracy:.3f}"
        result[self.second] = self._second_opinion(images)
        if self.by_published is not None and self.published is not None:
            result |= self._as_published(images, self.published.metric, self.by_published)
        return {k: round(v, 6) if isinstance(v, float) else v for k, v in result.items()}

    def nearest_training_images(self, images: Tensor) -> Tensor:
        """For each image the nearest one that was trained on, in features; uint8 N×C×H×W."""
        found = nearest(self.net(images, 1)[0].numpy(), self.training.features)[1]
        return torch.from_numpy(self.data.array()[found])

    def _classes(self, real: Reference, features: Tensor) -> dict[str, Any]:
        if real.shares is None or not isinstance(self.net, DigitFeatures):
            return {}
        return classes(real.shares, self.net.labels(features).numpy())

    def _second_opinion(self, images: Tensor) -> float:
        real = self.by_second
        if real is None:
            return sliced_wasserstein(real_images(self.data, "score", PYRAMID_IMAGES), images)
        return real.distance([of.numpy() for of in real.net(images, 1)])

    def _as_published(self, images: Tensor, metric: str, real: Reference) -> dict[str, Any]:
        net = real.net
        fakes = net(images)[0].numpy()
        kernel = KERNEL[metric]
        found: dict[str, Any] = {"published": metric, metric: real.distance([fakes])}
        found[kernel], found[f"{kernel}_error"] = kernel_distance(real.features[0], fakes)
        return found | {"published_net": f"{net.name} {net.hash}"}


def sampling_error(of: Reference, fakes: list[Features]) -> float:
    """The standard deviation of a distance over draws of other latents, by the bootstrap."""
    dice = np.random.default_rng(0)
    n = len(fakes[0])
    drawn = [dice.integers(0, n, n) for _ in range(RESAMPLED)]
    return float(np.std([of.distance([f[i] for f in fakes]) for i in drawn], ddof=1))


def _variety(images: Tensor, real: Reference) -> float:
    """Of the pixels of generated images, over that of the real ones."""
    return pixel_variety(images.cpu().numpy()) / max(real.variety, 1e-9)


def classes(shares: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """How the digits are spread, against the real shares."""
    found = class_shares(labels, len(shares))
    return {
        "class_distance": total_variation(shares, found),
        "missing_classes": int((found < shares / 10).sum()),
        "class_shares": [round(float(s), 4) for s in found],
    }


@torch.no_grad()
def generate(sample: Sample, z: Tensor) -> Tensor:
    """Images of latents as bytes, on the generator's device.

    Raises Diverged if one is not finite.
    """
    images = torch.cat([sample(part) for part in z.split(BATCH)])
    if not torch.isfinite(images).all():
        raise Diverged("diverged: the generated images are not finite")
    return as_bytes(images)
