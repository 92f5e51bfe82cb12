"""Register generators and discriminators with what each must declare."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from gansweep.plugins import DISCRIMINATORS, GENERATORS, Registry


def _network(
    registry: Registry,
    name: str,
    *,
    image_size: int,
    demo_width: float,
    dropout: bool = False,
    lrelu: bool = True,
    norm: bool = True,
) -> Callable[[Callable[..., Any]], Any]:
    """Register a function that appends the layers of a network to a `Stack`.

    `image_size` is the height and width of the images in pixels. `demo_width` is the width
    multiplier at which a demo run takes 20 to 50 s on one CPU core. `dropout`, `lrelu` and `norm`
    say whether the network has such layers. Raises ValueError if the name is taken.
    """
    return registry.register(
        name, builder=True, width=True, image_size=image_size, demo_width=demo_width,
        dropout=dropout, lrelu=lrelu, norm=norm,
    )  # fmt: skip


generator = functools.partial(_network, GENERATORS)
discriminator = functools.partial(_network, DISCRIMINATORS)
