"""From a registered name to a `torch.nn.Module`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gansweep.networks.kinds import DISCRIMINATORS, GENERATORS

if TYPE_CHECKING:
    from torch import nn


def build_generator(
    name: str,
    *,
    z_dim: int,
    channels: int,
    width: float,
    alpha: float,
    drop: float,
    memory_format: str = "channels_last",
) -> nn.Sequential:
    """The generator `name`: latents (N, z_dim) → images (N, channels, size, size) in [−1, 1].

    width multiplies every hidden channel count, alpha is the leaky-ReLU slope, drop the
    probability with which a dropout layer zeroes a value; memory_format: of weights and feature
    maps. Raises UserError for an unknown name.
    """
    from gansweep.networks.stack import Stack

    entry = GENERATORS[name]
    net = Stack(
        (z_dim,),
        image_channels=channels,
        width=width,
        alpha=alpha,
        drop=drop,
        memory_format=memory_format,
    )
    entry.build(net)
    return net.finish((channels, entry.image_size, entry.image_size))


def build_discriminator(
    name: str,
    *,
    channels: int,
    width: float,
    alpha: float,
    drop: float,
    memory_format: str = "channels_last",
) -> nn.Sequential:
    """The discriminator `name`: images (N, channels, size, size) → logits (N, 1)."""
    from gansweep.networks.stack import Stack

    entry = DISCRIMINATORS[name]
    shape = (channels, entry.image_size, entry.image_size)
    net = Stack(
        shape,
        image_channels=channels,
        width=width,
        alpha=alpha,
        drop=drop,
        memory_format=memory_format,
    )
    entry.build(net)
    return net.finish((1,))
