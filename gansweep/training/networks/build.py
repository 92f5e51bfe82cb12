"""Build a `torch.nn.Module` from the registered name of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gansweep.plugins import DISCRIMINATORS, GENERATORS

if TYPE_CHECKING:
    from torch import nn

    from gansweep.plugins import Entry


def build_generator(
    name: str,
    *,
    z_dim: int,
    channels: int,
    width: float,
    alpha: float,
    drop: float,
    memory_format: str = "channels_last",
    parametrization: str = "mup",
) -> nn.Sequential:
    """Build the generator `name`: latents (N, z_dim) → images (N, channels, size, size) in [−1, 1].

    `width` multiplies every hidden channel count, `alpha` is the leaky-ReLU slope, and `drop` is
    the probability with which a dropout layer zeroes a value. `memory_format` applies to weights
    and feature maps. `parametrization` says how initial weights and learning rates depend on the
    width. Raises UserError for an unknown name.
    """
    entry = GENERATORS[name]
    image = (channels, entry.image_size, entry.image_size)
    return _build(
        entry, (z_dim,), image, width, parametrization,
        image_channels=channels, alpha=alpha, drop=drop, memory_format=memory_format,
    )  # fmt: skip


def build_discriminator(
    name: str,
    *,
    channels: int,
    width: float,
    alpha: float,
    drop: float,
    memory_format: str = "channels_last",
    parametrization: str = "mup",
) -> nn.Sequential:
    """Build the discriminator `name`: images (N, channels, size, size) → logits (N, 1).

    The settings are those of `build_generator`. Raises UserError for an unknown name.
    """
    entry = DISCRIMINATORS[name]
    image = (channels, entry.image_size, entry.image_size)
    return _build(
        entry, image, (1,), width, parametrization,
        image_channels=channels, alpha=alpha, drop=drop, memory_format=memory_format,
    )  # fmt: skip


def _build(
    entry: Entry,
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
        entry.build(net)
        return net.finish(outputs)

    net = built(width)
    if parametrization == "mup" and width != 1:
        with torch.device("meta"):  # This copy has shapes, but takes no memory or random numbers.
            full = built(1.0)
        shrink(net, full)
    return net
