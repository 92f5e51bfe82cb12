"""Return the training step of a GAN without Lightning, for measurements of its speed."""

from __future__ import annotations

from collections.abc import Callable

import torch

from gansweep.config import Config
from gansweep.training.data.batches import Batch
from gansweep.training.gan import GAN


def step_of(gan: GAN, config: Config, device: str) -> Callable[[Batch], None]:
    """Return the step of `gan`, a function of a batch, in the precision of the configuration.

    device: the kind of the device that `gan` is on, `cpu` or `cuda`.
    """
    optimizers = gan.configure_optimizers()
    low = config.precision == "bf16"

    def step(batch: Batch) -> None:
        with torch.autocast(device, torch.bfloat16, enabled=low):
            gan.step(batch, *optimizers)

    return step
