"""The decorators with which a plugin registers its components; `import gansweep` has them all.

    import gansweep

    @gansweep.generator("resnet", image_size=32)
    class ResNet(nn.Module):
        def __init__(self, z_dim: int, channels: int, n_blocks: int = 3): ...

docs/components.md says what each kind of component receives and returns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gansweep.components import option
from gansweep.plugins import (
    DATASETS,
    DISCRIMINATORS,
    GENERATORS,
    LOGGERS,
    LOSSES,
    METRICS,
    OPTIMIZERS,
    PENALTIES,
)

__all__ = [
    "dataset", "discriminator", "generator", "logger", "loss", "metric", "optimizer", "option",
    "penalty",
]  # fmt: skip

Decorator = Callable[[Callable[..., Any]], Any]
metric = METRICS.register


def generator(name: str, *, image_size: int | None = None) -> Decorator:
    """Register a callable that returns a generator, a `torch.nn.Module`.

    image_size: the height and width of its images in pixels; None if one pass is to show it. Raises
    ValueError if the name is taken.
    """
    return GENERATORS.register(name, image_size=image_size)


def discriminator(name: str, *, image_size: int | None = None) -> Decorator:
    """Register a callable that returns a discriminator, a `torch.nn.Module`.

    image_size: the only height and width in pixels that it reads; None if it reads others too.
    Raises ValueError if the name is taken.
    """
    return DISCRIMINATORS.register(name, image_size=image_size)


def loss(
    name: str, *, probability: bool = False, saturates_below: float | None = None
) -> Decorator:
    """Register a class with the methods `disc_loss` and `gen_loss`; see training/recipe/losses.py.

    probability: whether the sigmoid of D's output is the probability of a real image.
    saturates_below: the value of D's loss below which D teaches G nothing. Raises ValueError if the
    name is taken.
    """
    return LOSSES.register(name, probability=probability, saturates_below=saturates_below)


def penalty(name: str, *, each_image: bool = True) -> Decorator:
    """Register a function `(disc, real, fake, **options)` that returns a scalar.

    each_image: whether D's output at an image must not depend on the rest of its batch, so that
    batch norm in D is refused. Raises ValueError if the name is taken.
    """
    return PENALTIES.register(name, each_image=each_image)


def optimizer(name: str, *, adaptive: bool = True) -> Decorator:
    """Register a callable `(params, **options)` that returns a `torch.optim.Optimizer`.

    adaptive: whether the length of a step does not depend on the size of the gradients, as with
    Adam; the learning rates of narrow networks depend on this (parametrization=mup). Raises
    ValueError if the name is taken.
    """
    return OPTIMIZERS.register(name, adaptive=adaptive)


def dataset(name: str, *, digits: bool = False) -> Decorator:
    """Register a callable that returns images, for `data=`; see training/data/returned.py.

    digits: whether the images are digits, which are compared in the features of a digit classifier.
    Raises ValueError if the name is taken.
    """
    metrics = ("fd_lenet", "fd_random") if digits else ("fd_random", "swd")
    return DATASETS.register(name, digits=digits, metrics=metrics)


def logger(name: str, *, package: str | None = None) -> Decorator:
    """Register a subclass of `gansweep.training.loggers.Logger` for `logger=` and `export --to`.

    package: the module that the logger imports; without it, a run is refused before training.
    Raises ValueError if the name is taken.
    """
    return LOGGERS.register(name, package=package)
