"""What the callbacks need of a model that is trained: gansweep's own GAN, or a user's module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import pytorch_lightning as pl
import torch
from torch import Tensor, nn


class Weights(Protocol):
    """Weights that can be saved and loaded."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any: ...


class Trainee(Weights, Protocol):
    """A model in training. GAN and Hosted are the two kinds.

    z_dim: numbers in a latent. steps_done: batches trained on. losses: the latest losses by name,
    scalars. watched and saturated: the steps since the last evaluation, and those among them in
    which D was saturated. averaged: the generator with averaged weights, if there is one.
    generator: the weights that make the images, for the best checkpoint. classes: with labels=true,
    the number of training images by class, in the order of the class numbers; else empty.
    """

    z_dim: int
    classes: Mapping[str, int]
    steps_done: int
    losses: dict[str, Tensor]
    watched: int
    saturated: Tensor | int

    @property
    def averaged(self) -> nn.Module | None: ...

    @property
    def generator(self) -> Weights: ...

    @property
    def device(self) -> torch.device: ...

    def sample(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the images of latents N × z_dim, float32 N×C×H×W in [−1, 1].

        labels: int64 (N,), if and only if there are classes.
        """

    def sample_averaged(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the same from the averaged generator."""

    def tracked(self) -> dict[float, dict[str, Tensor]]:
        """Return the averages of post_hoc_ema by length, by the names of weights; else nothing."""

    def averaged_until(self) -> int:
        """Return the number of the last step after which these averages were updated."""

    def health(self) -> dict[str, float]:
        """Return numbers by name that describe the last step, for metrics.jsonl."""

    def take_saturation(self) -> float:
        """Return the share of saturated steps since the last call, and reset the counts."""

    def optimizers_in_use(self) -> list[torch.optim.Optimizer]:
        """Return the optimizers of the training, in a fixed order."""

    def progress(self) -> dict[str, Any]:
        """Return what else a checkpoint needs, as plain values."""

    def resume(self, progress: dict[str, Any]) -> None:
        """Continue from what `progress` returned."""

    def sizes(self) -> dict[str, int]:
        """Return the numbers of weights by the name of a part."""


def trainee_of(module: pl.LightningModule) -> Trainee:
    """Return what gansweep knows of the module that Lightning trains."""
    trainee: Trainee = module.__dict__.get("_gansweep", module)
    return trainee
