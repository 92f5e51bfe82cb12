"""The optimizers, each a function of a network, its learning rate at full width, and the settings.

torch is imported only when one of them is called, as the command line needs the names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gansweep.plugins import OPTIMIZERS

if TYPE_CHECKING:
    import torch
    from torch import nn

    from gansweep.config import Config

ADAM_EPS = 1e-8  # at full width


def optimizer(
    name: str, *, parameters: tuple[str, ...], adaptive: bool
) -> Callable[[Callable[[nn.Module, float, Config], torch.optim.Optimizer]], Any]:
    """Register an optimizer.

    parameters: the hyperparameters that it alone uses; adaptive: is a step as long however large
    the gradients are? It decides about learning rates in narrow networks (parametrization=mup).
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
