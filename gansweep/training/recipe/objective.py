"""What the training step minimises, as one value."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor, nn, no_grad

from gansweep.components import KINDS, arguments_of
from gansweep.config import Config
from gansweep.store.errors import UserError
from gansweep.training.recipe.augment import augment
from gansweep.training.recipe.losses import Loss, NonSaturating
from gansweep.training.recipe.schedules import factor

Penalty = Callable[[nn.Module, Tensor, Tensor], Tensor]  # (discriminator, real, fake) → scalar


@dataclass
class Objective:
    """The loss of both networks, the penalty of D, and when each of them counts.

    probability: whether the sigmoid of D's output is a probability. saturates_below: below this
    value of D's loss, D teaches G nothing; None if there is no such value. penalty: None for none;
    the penalty is computed at every `penalty_every`-th step and then counts as many times, as in
    StyleGAN2 (Karras et al. 2020, appendix B). d_steps: D trains on every batch, and G on every
    `d_steps`-th. augmentation: names for `augment`. schedule, lr_end, penalty_end: the form of the
    schedule, and the factors of the learning rates and of the penalty at the last of `steps`.
    """

    loss: Loss = field(default_factory=NonSaturating)
    probability: bool = True
    saturates_below: float | None = None
    penalty: Penalty | None = None
    penalty_every: int = 1
    d_steps: int = 1
    augmentation: str = "none"
    schedule: str = "cosine"
    lr_end: float = 1.0
    penalty_end: float = 1.0
    steps: int = 1

    def __post_init__(self) -> None:
        self.reads_real = len(inspect.signature(self.loss.gen_loss).parameters) > 1

    def augment(self, images: Tensor) -> Tensor:
        """Return images as D reads them, B×C×H×W."""
        return augment(images, self.augmentation)

    def trains_g(self, step: int) -> bool:
        """Return whether G trains in step `step`, counted from 0."""
        return (step + 1) % self.d_steps == 0

    def gen_loss(self, disc: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """Return G's loss, a scalar. real and fake: images B×C×H×W; only rpgan reads the real."""
        outputs = disc(self.augment(fake))
        if not self.reads_real:
            return self.loss.gen_loss(outputs)
        with no_grad():
            real_outputs = disc(self.augment(real))
        return self.loss.gen_loss(outputs, real_outputs)

    def penalise(self, disc: nn.Module, real: Tensor, fake: Tensor, step: int) -> Tensor | None:
        """Return the penalty of step `step`, a scalar; None if this step has none.

        real and fake: augmented images of the same batch, B×C×H×W.
        """
        if self.penalty is None or step % self.penalty_every:
            return None
        scale = self.penalty_every * factor(self.schedule, self.penalty_end, step, self.steps)
        return self.penalty(disc, real, fake) * scale

    def rate_factor(self, step: int) -> float:
        """Return the factor of the learning rates in step `step`."""
        return factor(self.schedule, self.lr_end, step, self.steps)


def make_objective(config: Config, steps: int = 1) -> Objective:
    """Return the objective of a configuration; steps: of the whole run, for the schedules.

    Raises UserError if a loss of the user cannot be made.
    """
    entry = KINDS["loss"].registry[config.loss]
    try:
        loss = entry.build(**arguments_of(config, "loss", {"smooth": config.smooth}))
    except Exception as error:
        message = " ".join(str(error).split())
        raise UserError(
            f"loss={config.loss} cannot be made: {type(error).__name__}: {message}"
        ) from error
    lacking = [
        name for name in ("disc_loss", "gen_loss") if not callable(getattr(loss, name, None))
    ]
    if lacking:
        raise UserError(f"loss={config.loss} has no method {lacking[0]}; see docs/components.md")
    penalty = None
    if config.penalty != "none":
        options = arguments_of(config, "penalty", {})
        penalty = functools.partial(KINDS["penalty"].registry[config.penalty].build, **options)
    return Objective(
        loss,
        entry.probability,
        entry.saturates_below,
        penalty,
        config.penalty_every,
        config.d_steps,
        config.augment,
        config.schedule,
        config.lr_end,
        config.penalty_end,
        steps,
    )
