"""The two registries of networks and what each entry must declare."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gansweep.registry import Registry

GENERATORS = Registry("generator")
DISCRIMINATORS = Registry("discriminator")


def generator(
    name: str, *, image_size: int, dropout: bool = False, demo_width: float
) -> Callable[[Callable[..., Any]], Any]:
    """Register a generator.

    image_size: height and width of its images, in pixels. dropout: has it dropout layers?
    demo_width: the width multiplier at which a demo run takes about 20 s on one CPU core.
    """
    return GENERATORS.register(name, image_size=image_size, dropout=dropout, demo_width=demo_width)


def discriminator(
    name: str, *, image_size: int, dropout: bool = False, demo_width: float
) -> Callable[[Callable[..., Any]], Any]:
    """Register a discriminator; the facts are those of `generator`."""
    return DISCRIMINATORS.register(
        name, image_size=image_size, dropout=dropout, demo_width=demo_width
    )
