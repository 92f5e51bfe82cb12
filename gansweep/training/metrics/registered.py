"""Register the metrics, each as a decorated function; every score has all of them.

`Metrics.register` in plugins.py describes the declarations. This module imports torch only when a
metric is computed, because tables and plans need the labels and directions without torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gansweep.plugins import DATASETS, METRICS, Entry
from gansweep.store.errors import UserError
from gansweep.training.metrics.distances import (
    Features,
    Moments,
    Neighbourhood,
    Standardised,
    frechet,
    kernel_distance,
)
from gansweep.training.metrics.layout import Layout

PUBLISHED = {"inception": "fid", "dinov2": "fd_dinov2"}  # the Fréchet distance that judge= adds
LENET = "the features of a small digit classifier"
RANDOM = "random-convolution features, for any images (Naeem et al. 2020)"
# Only distances in the features of Inception may be called FID and KID.
INCEPTION = "Inception's features (Heusel et al. 2017)"
DINOV2 = "DINOv2's features (Stein et al. 2023)"


def primary_and_second(data_set: str, best_by: str | None = None) -> tuple[str, str]:
    """Return the metric that ranks the runs of a data set, and that of the second opinion.

    `best_by` replaces the first metric that the data set declares, which then is the second
    opinion. Raises UserError if an evaluation cannot measure `best_by`, and ValueError if the data
    set declares a metric that its scores do not have.
    """
    primary, second = DATASETS.entry(data_set).metrics
    valid = [metric.name for metric in metrics_of(data_set)]
    if best_by is not None and best_by not in valid:
        raise UserError(
            f"best_by={best_by}: no evaluation of {data_set} measures it; valid: {', '.join(valid)}"
        )
    for name in (primary, second):
        if name not in valid:
            raise ValueError(
                f"the scores of data set {data_set!r} have no metric {name!r}; valid: "
                f"{', '.join(valid)}"
            )
    if best_by in (None, primary):
        return primary, second
    return str(best_by), primary


def judging_features(data_set: str) -> str:
    """Return the features that `judge` means in the declaration of a metric, for a data set."""
    return "lenet" if DATASETS.entry(data_set).digits else "random"


def metrics_of(
    data_set: str, published: str | None = None, *, labelled: bool = False
) -> list[Entry]:
    """Return the metrics in the scores of a data set.

    `published` has the features of judge=inception or judge=dinov2, if one of these is set, and
    `labelled` says whether the images are drawn with labels.
    """
    digits = DATASETS.entry(data_set).digits
    available = {"judge", "pixels", "random", published}
    if digits:
        available |= {"lenet", "labels"} if labelled else {"lenet"}
    return [m for m in METRICS if m.features in available and (m.for_digits or not digits)]


def missing_metrics(judge: Mapping[str, Any] | None, data_set: str) -> list[str]:
    """Return the metrics that the judge's record of a finished run does not have.

    These were registered after the run was scored. A metric whose function has failed is not among
    them, as its reason is known; neither are those in features that judge= did not ask for.
    """
    score = judge.get("score") if isinstance(judge, dict) else None
    if not isinstance(score, dict) or data_set not in DATASETS:
        return []  # a damaged record, or a plugin's data set, which is reported elsewhere
    published = str(score.get("published"))
    features = METRICS[published].features if published in METRICS else None
    labelled = bool(score.get("labelled"))
    wanted = metrics_of(data_set, features, labelled=labelled)
    return [m.name for m in wanted if m.name not in score]


@METRICS.register(
    "fd_lenet",
    features="lenet",
    direction="minimize",
    digits=1,
    label="FD (LeNet)",
    help=f"Fréchet distance in {LENET}",
    prepare=Moments.of,
)
@METRICS.register(
    "fid",
    features="inception",
    direction="minimize",
    digits=1,
    label="FID",
    help=f"Fréchet distance in {INCEPTION}",
    prepare=Moments.of,
)
@METRICS.register(
    "fd_dinov2", features="dinov2", direction="minimize", digits=1, label="FD (DINOv2)",
    help=f"Fréchet distance in {DINOV2}", prepare=Moments.of,
)  # fmt: skip
def frechet_distance(real: Moments, fake: Features) -> float:
    """Return the Fréchet distance of features M×d to the moments of the real features."""
    return frechet(real, Moments.of(fake))


@METRICS.register(
    "fd_random", features="random", direction="minimize", digits=1, label="FD (random)",
    help=f"Fréchet distance in {RANDOM}", prepare=Standardised, every_net=True,
)  # fmt: skip
def standardised_frechet_distance(real: Standardised, fake: Features) -> float:
    """Return the Fréchet distance of standardised features, as random features have any scale."""
    return frechet(real.real, real.moments(fake))


@METRICS.register(
    "kd_lenet",
    features="lenet",
    direction="minimize",
    digits=4,
    label="KD (LeNet)",
    help=f"kernel distance in {LENET}",
)
@METRICS.register(
    "kd_random",
    features="random",
    direction="minimize",
    digits=4,
    label="KD (random)",
    help=f"kernel distance in {RANDOM}",
    for_digits=False,
)
@METRICS.register(
    "kid",
    features="inception",
    direction="minimize",
    digits=4,
    label="KID",
    help=f"kernel distance in {INCEPTION}",
)
@METRICS.register(
    "kd_dinov2", features="dinov2", direction="minimize", digits=4, label="KD (DINOv2)",
    help=f"kernel distance in {DINOV2}",
)  # fmt: skip
def kernel_distance_and_error(real: Features, fake: Features) -> tuple[float, float]:
    """Return the kernel distance of features, N×d and M×d, and its standard error."""
    return kernel_distance(real, fake)


@METRICS.register(
    "swd", features="pixels", direction="minimize", digits=1, label="SWD", for_digits=False
)
def swd(real: NDArray[np.uint8], fake: NDArray[np.uint8]) -> float:
    """Sliced Wasserstein distance of patches at every scale, uint8 images (Karras et al. 2018)"""
    import torch

    from gansweep.training.metrics.pyramid import sliced_wasserstein

    return sliced_wasserstein(torch.from_numpy(real), torch.from_numpy(fake))


@METRICS.register(
    "swd_32", features="pixels", direction="minimize", digits=1, label="SWD (32 px)",
    help="Sliced Wasserstein distance of patches at the scale of 32×32 pixels, which have the "
    "parts of a face but no fine noise (Karras et al. 2018)",
    for_digits=False,
)  # fmt: skip
def swd_32(real: NDArray[np.uint8], fake: NDArray[np.uint8]) -> float:
    """Return SWD of the level of the pyramid that is nearest to 32×32 pixels."""
    import torch

    from gansweep.training.metrics.pyramid import sliced_wasserstein

    return sliced_wasserstein(torch.from_numpy(real), torch.from_numpy(fake), side=32)


@METRICS.register(
    "fd_layout", features="pixels", direction="minimize", digits=1, label="FD (layout)",
    help="Fréchet distance in the principal components of small copies of the images (eigenfaces)",
    for_digits=False, prepare=Layout,
)  # fmt: skip
def layout_distance(real: Layout, fake: NDArray[np.uint8]) -> float:
    """Return the Fréchet distance that tells whether the parts of images stand where they should"""
    return real.distance(fake)


@METRICS.register(
    "coverage",
    features="judge",
    direction="maximize",
    digits=2,
    label="coverage",
    help="Share of the real images with a generated image nearer than their 5th real neighbour",
    prepare=Neighbourhood.of_first,
)
@METRICS.register(
    "density",
    features="judge",
    direction="maximize",
    digits=2,
    label="density",
    help="Mean number of real images whose 5th real neighbour is farther than a generated image, "
    "divided by 5",
    prepare=Neighbourhood.of_first,
)
@METRICS.register(
    "diversity", features="judge", direction="maximize", digits=2, label="diversity",
    help="Mean distance between two generated images, divided by that between two real images",
    prepare=Neighbourhood.of_first,
)  # fmt: skip
def neighbours(real: Neighbourhood, fake: Features) -> dict[str, float]:
    """Return coverage, density and diversity by name; see `Neighbourhood.measure`."""
    return real.measure(fake[: Neighbourhood.MAX_VECTORS])


@METRICS.register(
    "class_accuracy", features="labels", direction="maximize", digits=3, label="class accuracy",
    help="Share of the images that a small digit classifier takes for the digit of their label",
)  # fmt: skip
def class_accuracy(_: Features, fake: Features) -> float:
    """Return the share of rows of N×2 class numbers, of LeNet and of the label, that are equal."""
    if (fake[:, 1] < 0).any():
        raise ValueError("the classes of the data set are not the digits 0 to 9")
    return float((fake[:, 0] == fake[:, 1]).mean())
