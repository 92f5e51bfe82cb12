"""Try a loss, a penalty and the optimizers before any run: use each once, on a few images."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gansweep.config import Config
from gansweep.store.errors import UserError
from gansweep.training.latents import latents
from gansweep.training.networks.conditional import Given
from gansweep.training.networks.foreign import BATCH, one_line, text
from gansweep.training.optimizers import make_optimizer
from gansweep.training.recipe.objective import make_objective


def try_recipe(
    config: Config,
    generator: nn.Module,
    discriminator: nn.Module,
    image: tuple[int, int, int],
    labels: tuple[Tensor, ...],
) -> None:
    """Compute both losses and the penalty of two images.

    image: the shape (C, H, W) of an image; labels: those of the images, or none. Raises UserError,
    in one line, if one of them fails, is no scalar, or has no gradient.
    """
    objective = make_objective(config)
    gen: Any = Given(generator, *labels) if labels else generator
    disc: Any = Given(discriminator, *labels) if labels else discriminator
    real = latents(math.prod(image), BATCH).view(BATCH, *image)  # uniform in [−1, 1]
    try:
        fake = gen(latents(config.z_dim, BATCH))
        disc(fake)
    except Exception as error:
        raise UserError(
            f"gen={config.gen} and disc={config.disc} fail in training mode with {BATCH} images: "
            f"{one_line(error)}"
        ) from error
    loss = f"loss={config.loss}"
    fixed = fake.detach()
    _try(f"{loss}: disc_loss", lambda: objective.loss.disc_loss(disc(real), disc(fixed)))
    _try(f"{loss}: gen_loss", lambda: objective.gen_loss(disc, real, fake))
    if objective.penalty is not None:
        _try(f"penalty={config.penalty}", lambda: objective.penalise(disc, real, fixed, 0))


def try_optimizer(config: Config, kind: str, net: nn.Module) -> None:
    """Make the optimizer `gen_opt` or `disc_opt`, the `kind`, and let it do a step on `net`.

    Raises UserError, in one line, if it cannot be made or its step fails.
    """
    optimizer = make_optimizer(config, kind, net)
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    try:
        optimizer.step()
    except Exception as error:
        raise UserError(
            f"{kind}={getattr(config, kind)}: its step fails: {one_line(error)}"
        ) from error


def _try(what: str, compute: Callable[[], Any]) -> None:
    try:
        value = compute()
    except Exception as error:
        raise UserError(f"{what} fails: {one_line(error)}") from error
    if not isinstance(value, Tensor):
        raise UserError(f"{what} returns {type(value).__name__}, not a scalar tensor")
    if value.dim():
        raise UserError(f"{what} returns {text(value.shape)} values, not a scalar: add .mean()")
    if not value.requires_grad:
        raise UserError(f"{what} has no gradient: it does not depend on the weights of D")
