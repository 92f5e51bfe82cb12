"""Compare generated with real images, in quick evaluations during training and a final score."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gansweep.plugins import METRICS, Entry
from gansweep.store.errors import Diverged, out_of_memory
from gansweep.training.data import Prepared
from gansweep.training.data.pixels import as_bytes
from gansweep.training.metrics.distances import (
    Features,
    Neighbourhood,
    class_shares,
    pixel_variety,
    total_variation,
)
from gansweep.training.metrics.features import BATCH, DigitFeatures, FeatureNet
from gansweep.training.metrics.memorised import memorisation, nearest
from gansweep.training.metrics.published import PublishedFeatures
from gansweep.training.metrics.real_against_real import real_against_real
from gansweep.training.metrics.reference import (
    Reference,
    Side,
    are_shared,
    feature_net,
    reference,
    training,
)
from gansweep.training.metrics.registered import (
    judging_features,
    metrics_of,
    primary_and_second,
)

# z, and labels with labels=true → images in [−1, 1]
Sample = Callable[..., Tensor]

RESAMPLINGS = 20  # The bootstrap for the error of a score draws this many samples.
PIXELS, LABELS = "pixels", "labels"


class Judge:
    """Evaluates and scores the generated images of one data set on one device.

    `primary` is the name of the metric that ranks the runs, and `second` that of the second
    opinion. `published` is the net of judge=inception or judge=dinov2, if one of these is set.
    `errors` has, for each metric without a value in a score, the reason.
    """

    def __init__(
        self,
        data: Prepared,
        device: torch.device | None = None,
        published: PublishedFeatures | None = None,
        best_by: str | None = None,
    ) -> None:
        self.data = data
        self.primary, self.second = primary_and_second(data.name, best_by)
        self.published = published
        self.metrics = metrics_of(
            data.name, published.features if published else None, labelled=bool(data.classes)
        )
        self.errors: dict[str, str] = {}
        self._judging = judging_features(data.name)
        nets: dict[str, FeatureNet] = {} if published is None else {published.features: published}
        for features in (self._judging, *map(self._features, self.metrics)):
            if features not in nets and features != LABELS:
                nets[features] = feature_net(features, data.channels)
        self._nets = nets
        self.net = nets[self._judging]
        self._references: dict[tuple[str, Side], Reference] = {}
        # The real images are measured now, so that this does not count as training time.
        for features in {self._judging, self._features(METRICS[self.primary])} - {PIXELS}:
            self._real(features, "evaluation")
        for features in nets.keys() - {PIXELS}:
            self._real(features, "score")
        self.training = training(data, self.net)
        for net in nets.values():
            net.to(device or torch.device("cpu"))

    def _features(self, metric: Entry) -> str:
        """Return the name of the features of a metric; `judge` means those of the data set."""
        return self._judging if metric.features == "judge" else str(metric.features)

    def _real(self, features: str, side: Side) -> Reference:
        """Return the real images of one side in these features, computed once.

        In the features `labels` there are none: these compare generated images with their labels.
        """
        if features == LABELS:
            return Reference(self.net, [np.empty((0, 2), np.int64)])
        if (features, side) not in self._references:
            self._references[features, side] = reference(self.data, self._nets[features], side)
        return self._references[features, side]

    def _measure(
        self, metric: Entry, side: Side, fakes: dict[str, list[Features]]
    ) -> dict[str, float]:
        """Return the value of a metric by name, and its error if the metric has one.

        `fakes` has the generated images in each of the features, by the name of the features.
        """
        features = self._features(metric)
        return self._real(features, side).measure(metric, fakes[features])

    def _values(
        self, metrics: Iterable[Entry], fakes: dict[str, list[Features]]
    ) -> dict[str, float | None]:
        """Return the metrics of a score by name; None for one whose function fails.

        Raises ValueError if that is the primary metric, without which a run has no rank.
        """
        found: dict[str, float | None] = {}
        for metric in metrics:
            try:
                if metric.name not in found:  # A function may return the values of several metrics.
                    found |= self._measure(metric, "score", fakes)
                value = found[metric.name]
                if value is None or not math.isfinite(value):
                    raise ValueError(f"its value is {value}, not a finite number")
            except Exception as error:
                self.errors[metric.name] = self._reason(metric, error)
                found[metric.name] = None
        return found

    def _reason(self, metric: Entry, error: Exception) -> str:
        """Return why a metric has no value, in one line.

        Raises ValueError with the name if it is the primary metric, and `error` itself if it is a
        shortage of memory, as the run is then retried.
        """
        if out_of_memory(error):
            raise error
        text = " ".join(str(error).split())
        if not isinstance(error, ValueError):
            text = f"{type(error).__name__}: {text}"
        if metric.name == self.primary:
            raise ValueError(f"metric {metric.name}: {text}") from error
        return text

    def evaluate(self, images: Tensor) -> dict[str, Any]:
        """Return the primary metric and the diversity of generated images, uint8 N×C×H×W.

        An evaluation uses only the first of the feature nets, to be quick. Its values can be
        compared with those of other evaluations of the same sweep, but not with a score.
        """
        metric = METRICS[self.primary]
        fakes = {
            features: _extract(self._nets[features], images, 1)
            for features in {self._judging, self._features(metric)}
        }
        real, fake = self._real(self._judging, "evaluation"), fakes[self._judging][0]
        try:
            value = self._measure(metric, "evaluation", fakes)[self.primary]
        except Exception as error:
            self._reason(metric, error)  # raises an error that names the metric
            raise
        facts: dict[str, Any] = {"n": len(images), self.primary: value}
        facts |= real.prepared(Neighbourhood.of_first).measure(fake)
        facts["variety"] = _variety(images, real)
        facts |= self._classes(real, fake)
        return _rounded(facts)

    def score(self, images: Tensor, labels: Tensor | None = None) -> dict[str, Any]:
        """Return all metrics of generated images, uint8 N×C×H×W, and further facts.

        `labels`, int64 (N,), are those of the images, if the data set has classes. A metric whose
        function fails is None, with the reason in `errors`; see `_values`.

        "n" and "reals" are the numbers of generated and real images. "held_out" says whether no
        network was trained on the real images, "own_test" whether these are the data set's own test
        images, and "shared" whether they also chose the best weights. "labelled" says whether the
        images were drawn with labels. "real_value" is the primary metric of "real_n" training
        images in the place of the generated ones. METRIC_error is a standard error. The other facts
        are those of `_variety`, `classes` and `memorisation`, and the names of the feature nets.
        """
        wanted = {*map(self._features, self.metrics)} - self._nets.keys()  # at most the labels
        fakes = self._fakes(images, [*self._nets, *wanted], labels)
        real, fake = self._real(self._judging, "score"), fakes[self._judging][0]
        result: dict[str, Any] = {
            "n": len(images),
            "reals": len(real.features[0]),
            "held_out": self.data.held > 0,
            "own_test": self.data.own_test,
            "shared": are_shared(self.data),
        }
        if labels is not None:
            result["labelled"] = True
        result |= self._values(self.metrics, fakes)
        if f"{self.primary}_error" not in result:
            metric = METRICS[self.primary]
            features = self._features(metric)
            try:
                spread = sampling_error(metric, self._real(features, "score"), fakes[features])
            except Exception as error:
                self._reason(metric, error)
                raise
            result[f"{self.primary}_error"] = spread
        result |= self._scale(len(images))
        result["variety"] = _variety(images, real)
        result |= self._classes(real, fake)
        result |= memorisation(fake, self.training.features, self.training.typical)
        result["net"] = f"{self.net.name} {self.net.hash}"
        if isinstance(self.net, DigitFeatures):
            result["net"] += f", accuracy {self.net.accuracy:.3f}"
        if self.published is not None:
            result["published"] = self.published.metric
            result["published_net"] = f"{self.published.name} {self.published.hash}"
        return _rounded(result)

    def _scale(self, count: int) -> dict[str, Any]:
        """Return the primary metric of real images in the place of `count` generated ones.

        Returns {} if it cannot be measured; see `real_against_real`.
        """
        metric = METRICS[self.primary]
        features = self._features(metric)
        if features == LABELS:
            return {}
        real, net = self._real(features, "score"), self._nets[features]
        nets = None if features == self._judging else 1  # as for the generated images
        found = real_against_real(self.data, net, metric, real, count, nets)
        return {} if found is None else {"real_value": found[0], "real_n": found[1]}

    def further(
        self, images: Tensor, names: Sequence[str], labels: Tensor | None = None
    ) -> dict[str, Any]:
        """Return these metrics of generated images alone, to complete an earlier score."""
        metrics = [METRICS[name] for name in names]
        fakes = self._fakes(images, map(self._features, metrics), labels)
        return _rounded(self._values(metrics, fakes))

    def _fakes(
        self, images: Tensor, nets: Iterable[str], labels: Tensor | None
    ) -> dict[str, list[Features]]:
        """Return generated images in the features of these nets, by the name of the features.

        Only the judging features are computed by all of their nets. `labels` are those of the
        images, if they have any.
        """
        names = dict.fromkeys(nets)
        fakes = {
            features: _extract(
                self._nets[features], images, None if features == self._judging else 1
            )
            for features in names
            if features != LABELS
        }
        if LABELS in names and labels is not None:
            own = fakes.get(self._judging) or _extract(self.net, images, 1)
            fakes[LABELS] = [self._beside_labels(own[0], labels)]
        return fakes

    def _beside_labels(self, fake: Features, labels: Tensor) -> Features:
        """Return for each image the digit that LeNet takes it for, and that of its label, N×2.

        `fake` has the features of the images by LeNet. A class that is no digit is −1.
        """
        assert isinstance(self.net, DigitFeatures)
        digits = [int(name) if name in "0123456789" else -1 for name in self.data.classes]
        taken = self.net.labels(torch.from_numpy(fake)).numpy()
        return np.stack([taken, np.array(digits)[labels.numpy()]], 1)

    def nearest_training_images(self, images: Tensor) -> Tensor:
        """Return for each image the training image with the nearest features, uint8 N×C×H×W."""
        found = nearest(self.net(images, 1)[0].numpy(), self.training.features)[1]
        return torch.from_numpy(self.data.array()[found])

    def _classes(self, real: Reference, fake: Features) -> dict[str, Any]:
        """Return `classes` of the features `fake`, or {} if the images are no digits."""
        if real.shares is None or not isinstance(self.net, DigitFeatures):
            return {}
        return classes(real.shares, self.net.labels(torch.from_numpy(fake)).numpy())


def _rounded(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in facts.items()}


def _extract(net: FeatureNet, images: Tensor, nets: int | None) -> list[Features]:
    """Return the features of images, N×d, by each of the first `nets` nets (None means all)."""
    return [features.numpy() for features in net(images, nets)]


def sampling_error(metric: Entry, real: Reference, fakes: list[Features]) -> float:
    """Return the standard deviation of a metric over other latents, estimated by the bootstrap."""
    rng = np.random.default_rng(0)
    n = len(fakes[0])
    drawn = [rng.integers(0, n, n) for _ in range(RESAMPLINGS)]
    values = [real.measure(metric, [f[i] for f in fakes])[metric.name] for i in drawn]
    return float(np.std(values, ddof=1))


def _variety(images: Tensor, real: Reference) -> float:
    """Return the variety of the pixels of generated images, divided by that of real images."""
    return pixel_variety(images.cpu().numpy()) / max(real.variety, 1e-9)


def classes(shares: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Compare the classes of generated digits, shape (N,), with the real shares, shape (10,).

    "class_distance" is the total variation, and "missing_classes" is the number of classes with
    less than a tenth of their real share.
    """
    found = class_shares(labels, len(shares))
    return {
        "class_distance": total_variation(shares, found),
        "missing_classes": int((found < shares / 10).sum()),
        "class_shares": [round(float(s), 4) for s in found],
    }


@torch.no_grad()
def generate(sample: Sample, z: Tensor, labels: Tensor | None = None) -> Tensor:
    """Return the images of the latents `z` as uint8 N×C×H×W, on the generator's device.

    `labels`, int64 (N,), are those of the images, if the generator reads labels. Raises Diverged if
    a value is not finite.
    """
    images = []
    inputs = [z] if labels is None else [z, labels]
    for parts in zip(*(tensor.split(BATCH) for tensor in inputs), strict=True):
        batch = sample(*parts)
        if not torch.isfinite(batch).all():
            raise Diverged("diverged: the generated images are not finite")
        images.append(as_bytes(batch))  # Floats would take four times the memory.
    return torch.cat(images)
