"""Build a `torch.nn.Module` from the registered name of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gansweep.components import own_values
from gansweep.config import widths
from gansweep.plugins import DISCRIMINATORS, GENERATORS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from gansweep.config import Config
    from gansweep.plugins import Entry


def build_networks(
    config: Config, channels: int, n_classes: int = 0
) -> tuple[nn.Module, nn.Module]:
    """Return the generator and the discriminator, for images of `channels` colours.

    With `n_classes` above 0, both read labels, too. The generator is built first, so that it has
    the same initial weights beside each discriminator.
    """
    common = {
        "channels": channels, "alpha": config.alpha, "memory_format": config.memory_format,
        "parametrization": config.parametrization, "n_classes": n_classes,
    }  # fmt: skip
    gen_width, disc_width = widths(config)
    generator = build_network(
        config, "gen", z_dim=config.z_dim, width=gen_width, drop=config.gen_drop,
        norm=config.gen_norm, **common,
    )  # fmt: skip
    discriminator = build_network(
        config, "disc", width=disc_width, drop=config.disc_drop, norm=config.disc_norm, **common
    )
    if config.disc_spectral:
        from gansweep.training.networks.parametrization import spectral

        spectral(discriminator)
    return generator, discriminator


def build_network(config: Config, kind: str, **settings: Any) -> nn.Module:
    """Build the network that `config` chooses for `kind`, which is "gen" or "disc".

    settings: what `build_generator` or `build_discriminator` takes; a network from outside gansweep
    gets those that it declares. Raises UserError if such a network cannot be built.
    """
    name = getattr(config, kind)
    registry = GENERATORS if kind == "gen" else DISCRIMINATORS
    if registry[name].builder:
        build = build_generator if kind == "gen" else build_discriminator
        return build(name, options=own_values(config, kind), **settings)
    from gansweep.training.networks.foreign import build_foreign

    return build_foreign(config, kind, settings)


def image_size(config: Config) -> int:
    """Return the height and width in pixels of the images that `gen=` makes.

    Raises UserError if a generator from outside gansweep cannot be built.
    """
    size = GENERATORS[config.gen].image_size
    if size is not None:
        return int(size)
    from gansweep.training.networks import foreign

    return foreign.image_size(config)


def build_generator(
    name: str,
    *,
    z_dim: int,
    channels: int,
    width: float,
    alpha: float,
    drop: float,
    norm: str = "batch",
    memory_format: str = "channels_last",
    parametrization: str = "mup",
    n_classes: int = 0,
    options: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Build the generator `name`: latents (N, z_dim) → images (N, channels, size, size) in [−1, 1].

    `width` multiplies every hidden channel count, `alpha` is the leaky-ReLU slope, and `drop` is
    the probability with which a dropout layer zeroes a value. `norm` is `batch`, `group` or `none`.
    `memory_format` applies to weights and feature maps. `parametrization` says how initial weights
    and learning rates depend on the width. With `n_classes` above 0, it is a
    `ConditionalGenerator`. `options` has the arguments of the network's own function. Raises
    UserError for an unknown name.
    """
    entry = GENERATORS[name]
    image = (channels, entry.image_size, entry.image_size)
    net = _build(
        entry, options, (z_dim + n_classes,), image, width, parametrization,
        image_channels=channels, alpha=alpha, drop=drop, norm=norm, memory_format=memory_format,
    )  # fmt: skip
    if not n_classes:
        return net
    from gansweep.training.networks.conditional import ConditionalGenerator

    return ConditionalGenerator(net, n_classes)


def build_discriminator(
    name: str,
    *,
    channels: int,
    width: float,
    alpha: float,
    drop: float,
    norm: str = "batch",
    memory_format: str = "channels_last",
    parametrization: str = "mup",
    n_classes: int = 0,
    options: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Build the discriminator `name`: images (N, channels, size, size) → logits (N, 1).

    The settings are those of `build_generator`. With `n_classes` above 0, it is a
    `ProjectionDiscriminator`. Raises UserError for an unknown name.
    """
    entry = DISCRIMINATORS[name]
    image = (channels, entry.image_size, entry.image_size)
    net = _build(
        entry, options, image, (1 + n_classes,), width, parametrization, image_channels=channels,
        alpha=alpha, drop=drop, norm=norm, memory_format=memory_format, logits=1 + n_classes,
    )  # fmt: skip
    if not n_classes:
        return net
    from gansweep.training.networks.conditional import ProjectionDiscriminator

    return ProjectionDiscriminator(net)


def _build(
    entry: Entry,
    options: Mapping[str, Any] | None,
    inputs: tuple[int, ...],
    outputs: tuple[int, ...],
    width: float,
    parametrization: str,
    **settings: Any,
) -> nn.Sequential:
    """Build the network of `entry`; one example has shape `inputs` before and `outputs` after."""
    import torch

    from gansweep.training.networks.parametrization import shrink
    from gansweep.training.networks.stack import Stack

    def built(width: float) -> nn.Sequential:
        net = Stack(inputs, width=width, **settings)
        entry.build(net, **(options or {}))
        return net.finish(outputs)

    net = built(width)
    if parametrization == "mup" and width != 1:
        with torch.device("meta"):  # This copy has shapes, but takes no memory or random numbers.
            full = built(1.0)
        shrink(net, full)
    return net
