"""Try the components of users before any run: build them, and pass two latents through all."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from gansweep.components import not_passed
from gansweep.config import Config
from gansweep.plugins import OF_OPTIMIZERS
from gansweep.store.errors import UserError
from gansweep.training.networks.build import build_networks
from gansweep.training.networks.foreign import (
    BATCH,
    checked_shape,
    one_line,
    pass_through,
    text,
    trial_labels,
)
from gansweep.training.recipe.trial import try_optimizer, try_recipe

# What decides whether networks can be built and fit, besides the options.
_DECIDING = ("gen", "disc", "z_dim", "width", "alpha", "gen_drop", "disc_drop", "gen_norm",
             "disc_norm", "loss", "smooth", "penalty", "augment", "ema_decay", "gen_opt",
             "disc_opt", *OF_OPTIMIZERS)  # fmt: skip
_faults: dict[Any, UserError | None] = {}


def check_all(config: Config, image: tuple[int, int, int], n_classes: int) -> None:
    """Build both networks, and compute the losses of two images, once for each combination.

    image: the shape (C, H, W) of the data's images; n_classes: 0 without labels. Raises UserError,
    in one line, if a component cannot be built or does not fit.
    """
    key = (
        tuple(getattr(config, name) for name in _DECIDING),
        config.data.image_size,
        image,
        n_classes,
        *sorted(config.options.items()),
    )
    if key not in _faults:
        try:
            _faults[key] = None
            with torch.random.fork_rng(devices=[]):
                _try(config, image, n_classes)
        except UserError as error:
            _faults[key] = error
    if (fault := _faults[key]) is not None:
        raise fault


def _try(config: Config, image: tuple[int, int, int], n_classes: int) -> None:
    generator, discriminator = build_networks(config, image[0], n_classes)
    if config.ema_decay is not None:
        _try_copy(generator, config)
    labels = trial_labels(n_classes)
    images = pass_through(generator, torch.zeros(BATCH, config.z_dim), *labels)
    made = checked_shape(images, config.gen)
    if made != image:
        lacking = "channels" if made[0] != image[0] else "image_size"
        raise UserError(
            f"gen={config.gen} makes images of {text(made)}, and those of data="
            f"{config.data.name} are {text(image)} (channels × height × width)"
            f"{not_passed('gen', config.gen, lacking)}"
        )
    try:
        outputs = pass_through(discriminator, images, *labels)
    except Exception as error:
        raise UserError(
            f"disc={config.disc} cannot read images of {text(image)}"
            f"{' and labels' if labels else ''}"
            f"{not_passed('disc', config.disc, 'channels')}: {one_line(error)}"
        ) from error
    if not isinstance(outputs, Tensor) or outputs.dim() == 0 or len(outputs) != BATCH:
        shown = text(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise UserError(
            f"disc={config.disc} returns {shown or 'one number'} for {BATCH} images, not one "
            f"tensor of {BATCH} outputs"
        )
    try_recipe(config, generator, discriminator, image, labels)
    try_optimizer(config, "gen_opt", generator)
    try_optimizer(config, "disc_opt", discriminator)


def _try_copy(generator: nn.Module, config: Config) -> None:
    """Raise UserError unless the generator can be copied, which the average of ema_decay needs."""
    try:
        copy.deepcopy(generator)
    except Exception as error:
        raise UserError(
            f"ema_decay={config.ema_decay:g}: gen={config.gen} cannot be copied "
            f"({one_line(error)}); use post_hoc_ema=true, which copies only its weights"
        ) from error
