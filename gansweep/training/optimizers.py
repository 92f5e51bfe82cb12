"""Register the optimizers, each as a function of a network, a learning rate and the settings.

The learning rate is that of full width. The functions import torch only when they are called,
because the command line needs only their names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gansweep.plugins import OPTIMIZERS

if TYPE_CHECKING:
    import torch
    from torch import nn

    from gansweep.config import Config

ADAM_EPS = 1e-8  # This is Adam's epsilon at full width.


def optimizer(
    name: str, *, parameters: tuple[str, ...], adaptive: bool
) -> Callable[[Callable[[nn.Module, float, Config], torch.optim.Optimizer]], Any]:
    """Return a decorator that registers a function as the optimizer `name`.

    `parameters` has the hyperparameters that only this optimizer uses. `adaptive` says whether the
    length of a step does not depend on the size of the gradients, as with Adam; the learning rates
    of narrow networks depend on this (parametrization=mup). Raises ValueError if the name is taken.
    """
    return OPTIMIZERS.register(name, parameters=parameters, adaptive=adaptive)


@optimizer("adam", parameters=("beta1", "beta2"), adaptive=True)
def adam(net: nn.Module, lr: float, config: Config) -> torch.optim.Optimizer:
    import torch

    from gansweep.training.networks.parametrization import parameter_groups

    groups = parameter_groups(net, "adam", lr, ADAM_EPS)
    return torch.optim.Adam(groups, betas=(config.beta1, config.beta2), fused=True)


@optimizer("sgd", parameters=("momentum", "nesterov"), adaptive=False)
def sgd(net: nn.Module, lr: float, config: Config) -> torch.optim.Optimizer:
    import torch

    from gansweep.training.networks.parametrization import parameter_groups

    groups = parameter_groups(net, "sgd", lr)
    nesterov = config.nesterov and config.momentum > 0
    return torch.optim.SGD(groups, momentum=config.momentum, nesterov=nesterov, fused=True)
