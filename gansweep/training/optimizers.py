"""The optimizers of G and D, each a function of parameter groups, as those of torch.optim.

An optimizer is a callable `(params, **parameters)` that returns a `torch.optim.Optimizer`. `params`
are groups with a learning rate of their own each. gansweep passes `lr`, `beta1`, `beta2` (or both
as `betas`), `momentum` and `nesterov` to a signature that has them; its other arguments are options
of each network, `gen_opt.weight_decay=`. With muP, an option `eps` means that of full width.

torch is imported only when an optimizer is made, as the command line needs the names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from gansweep.components import KINDS, arguments_of, own_values
from gansweep.config import Config
from gansweep.register import optimizer, option
from gansweep.store.errors import UserError

if TYPE_CHECKING:
    import torch
    from torch import nn

Groups = list[dict[str, Any]]
Eps = Annotated[float, option("added to the root of the second moment", low=0)]
Decay = Annotated[
    float, option("weight of the L2 penalty of all weights", low=0, search=(1e-6, 1e-2), log=True)
]


@optimizer("adam", adaptive=True)
def adam(
    params: Groups, beta1: float, beta2: float, *, eps: Eps = 1e-8, weight_decay: Decay = 0.0
) -> torch.optim.Optimizer:
    """Adam (Kingma & Ba 2015)"""
    import torch

    betas = (beta1, beta2)
    return torch.optim.Adam(params, betas=betas, eps=eps, weight_decay=weight_decay, fused=True)


@optimizer("sgd", adaptive=False)
def sgd(
    params: Groups, momentum: float, nesterov: bool, *, weight_decay: Decay = 0.0
) -> torch.optim.Optimizer:
    """stochastic gradient descent with momentum"""
    import torch

    return torch.optim.SGD(
        params, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay, fused=True
    )


def full_width_rates(config: Config) -> tuple[float, float]:
    """Return the learning rates of the generator and the discriminator at full width."""
    return (
        config.lr if config.gen_lr is None else config.gen_lr,
        config.lr if config.disc_lr is None else config.disc_lr,
    )


def make_optimizer(config: Config, kind: str, net: nn.Module) -> torch.optim.Optimizer:
    """Return the optimizer that `kind`, gen_opt or disc_opt, names, for the weights of `net`.

    Raises UserError, in one line, if it cannot be made.
    """
    import torch

    from gansweep.training.networks.parametrization import parameter_groups

    name = getattr(config, kind)
    is_gen = kind == "gen_opt"
    lr = full_width_rates(config)[0 if is_gen else 1]
    own = config.gen_beta1 if is_gen else config.disc_beta1
    beta1 = config.beta1 if own is None else own
    supplied = {
        "lr": lr,
        "beta1": beta1,
        "beta2": config.beta2,
        "betas": (beta1, config.beta2),
        "momentum": config.momentum,
        "nesterov": config.nesterov and config.momentum > 0,
    }
    entry = KINDS[kind].registry[name]
    eps = own_values(config, kind).get("eps") if entry.adaptive else None
    groups = parameter_groups(net, name, lr, eps)
    try:
        made = entry.build(groups, **arguments_of(config, kind, supplied))
    except Exception as error:
        message = " ".join(str(error).split())
        raise UserError(
            f"{kind}={name} cannot be made: {type(error).__name__}: {message}"
        ) from error
    if not isinstance(made, torch.optim.Optimizer):
        raise UserError(f"{kind}={name} returns {type(made).__name__}, not a torch.optim.Optimizer")
    return made
