"""Penalties of the discriminator's gradient with respect to its input images.

A penalty is a function `(disc, real, fake, **parameters)` that returns a scalar, which is added to
the discriminator's loss. `disc` maps images, B×C×H×W in [−1, 1], to B outputs; `real` and `fake`
have the same shape and no gradient. Its keyword arguments are its parameters, `penalty.NAME=` on
the command line.

The exact form differentiates the gradient a second time. The form by finite differences needs no
second derivative: the mean over normal noise v of ((D(x + σv) − D(x)) / σ)² tends to the squared
norm of the gradient as σ tends to 0 (Lin et al. 2025, arXiv 2501.08316). This form is cheaper and
noisier.

torch is imported only when a penalty is computed, as the command line needs the names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

from gansweep.register import option, penalty

if TYPE_CHECKING:
    from torch import Tensor

SIGMA = 0.01  # of the noise in pixel values, of a range from −1 to 1

Discriminator = Callable[["Tensor"], "Tensor"]
Gamma = Annotated[float, option("weight γ of γ/2 · ‖∇D‖²", low=0, search=(0.01, 100), log=True)]
Form = Annotated[
    Literal["exact", "finite"],
    option("exact: by a second derivative; finite: by differences of D's outputs"),
]


@penalty("none", each_image=False)
def none(disc: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
    """no penalty, as in the documents"""
    import torch

    return torch.zeros((), device=real.device)


@penalty("r1")
def r1(
    disc: Discriminator,
    real: Tensor,
    fake: Tensor,
    *,
    weight: Gamma = 1.0,
    form: Form = "exact",
) -> Tensor:
    """γ/2 · ‖∇D(x)‖² at the real images (Mescheder et al. 2018)"""
    return weight / 2 * _squared_slope(disc, real, form)


@penalty("r2")
def r2(
    disc: Discriminator,
    real: Tensor,
    fake: Tensor,
    *,
    weight: Gamma = 1.0,
    form: Form = "exact",
) -> Tensor:
    """γ/2 · ‖∇D(x)‖² at the generated images (Mescheder et al. 2018)"""
    return weight / 2 * _squared_slope(disc, fake, form)


@penalty("r1r2")
def r1r2(
    disc: Discriminator,
    real: Tensor,
    fake: Tensor,
    *,
    weight: Annotated[
        float,
        option("weight γ of R1 and of R2", low=0, search=(0.01, 100), log=True),
    ] = 1.0,
    form: Form = "exact",
) -> Tensor:
    """R1 and R2 with one weight, as in R3GAN (Huang et al. 2024)"""
    slopes = _squared_slope(disc, real, form) + _squared_slope(disc, fake, form)
    return weight / 2 * slopes


@penalty("gp")
def gp(
    disc: Discriminator,
    real: Tensor,
    fake: Tensor,
    *,
    weight: Annotated[
        float, option("weight λ of λ · (‖∇D‖ − 1)²", low=0, search=(0.1, 100), log=True)
    ] = 10.0,
) -> Tensor:
    """λ · (‖∇D(x)‖ − 1)² between real and generated images, WGAN-GP (Gulrajani et al. 2017)"""
    import torch

    share = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = torch.lerp(real, fake, share)
    norms = _squared_norms(disc, between, "exact").clamp(min=1e-12).sqrt()
    return weight * (norms - 1).square().mean()


def _squared_slope(disc: Discriminator, images: Tensor, form: str) -> Tensor:
    """Return the mean over the images of the squared norm of D's gradient, a scalar."""
    return _squared_norms(disc, images, form).mean()


def _squared_norms(disc: Discriminator, images: Tensor, form: str) -> Tensor:
    """Return the squared norm of D's gradient at each image, B; an estimate with form "finite"."""
    import torch

    images = images.detach()
    if form == "finite":
        noise = torch.randn_like(images)
        outputs = _at_least_fp32(disc(torch.cat([images, images + SIGMA * noise])))
        here, there = outputs.flatten(1).sum(1).chunk(2)
        return ((there - here) / SIGMA).square()
    images = images.requires_grad_()
    outputs = _at_least_fp32(disc(images))
    (gradient,) = torch.autograd.grad(outputs.sum(), images, create_graph=True)
    return gradient.square().sum((1, 2, 3))


def _at_least_fp32(outputs: Tensor) -> Tensor:
    """Return `outputs` in float32, or in float64 if they are."""
    return outputs if outputs.itemsize >= 4 else outputs.float()
