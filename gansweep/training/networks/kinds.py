"""Registering a network: what each entry must declare."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gansweep.plugins import DISCRIMINATORS, GENERATORS


def generator(
    name: str, *, image_size: int, demo_width: float, dropout: bool = False, lrelu: bool = True
) -> Callable[[Callable[..., Any]], Any]:
    """Register a generator.

    image_size: height and width of its images, in pixels. demo_width: the width multiplier at
    which a demo run takes 20 to 50 s on one CPU core. dropout, lrelu: has it such layers?
    """
    return GENERATORS.register(
        name, image_size=image_size, demo_width=demo_width, dropout=dropout, lrelu=lrelu
    )


def discriminator(
    name: str, *, image_size: int, demo_width: float, dropout: bool = False, lrelu: bool = True
) -> Callable[[Callable[..., Any]], Any]:
    """Register a discriminator; the facts are those of `generator`."""
    return DISCRIMINATORS.register(
        name, image_size=image_size, demo_width=demo_width, dropout=dropout, lrelu=lrelu
    )
