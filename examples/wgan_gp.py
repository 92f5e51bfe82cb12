"""WGAN-GP (Gulrajani et al. 2017) as a loss and a penalty of one's own, for any discriminator.

    python -m gansweep -m loss=examples.wgan_gp:Critic penalty=examples.wgan_gp:gradient_penalty \
        penalty.weight=1,10 d_steps=1,5 disc_norm=group lr=2e-4 beta1=0 beta2=0.9 data=mnist5k

gansweep has the same as `loss=wgan penalty=gp`; a test compares them.
"""

from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor

import gansweep


class Critic:
    """D's output estimates a Wasserstein distance: it has no sigmoid and no bounds."""

    def disc_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.mean() - real.mean()

    def gen_loss(self, fake: Tensor) -> Tensor:
        return -fake.mean()


Weight = Annotated[float, gansweep.option("weight λ", low=0, search=(0.1, 100), log=True)]


def gradient_penalty(
    disc: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, weight: Weight = 10.0
) -> Tensor:
    """λ · (‖∇D‖ − 1)² at random points between real and generated images"""
    between = torch.lerp(real, fake, torch.rand(len(real), 1, 1, 1)).requires_grad_()
    (slope,) = torch.autograd.grad(disc(between).sum(), between, create_graph=True)
    return weight * (slope.flatten(1).norm(dim=1) - 1).square().mean()
