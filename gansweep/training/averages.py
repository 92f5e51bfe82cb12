"""Average the weights of a generator while it trains, with torch's AveragedModel.

There are two kinds: the exponential moving average of `ema_decay` (Yazıcı et al. 2019), and the
power-function averages from which `post_hoc_ema` makes averages of other lengths, as described in
`ema_profiles`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from gansweep.training import ema_profiles

# Returns the present time and the time since the last update, in steps.
Clock = Callable[[], tuple[int, int]]


def averaged_model(model: nn.Module, update: Callable[..., None]) -> AveragedModel:
    """Return an average that begins with a copy of `model`; update: its `multi_avg_fn`.

    The average also copies the buffers of `model` at each update, so the batch norms of an averaged
    generator have G's own moving averages. These are averages over about 100 steps already, and an
    average of them would be older than the weights.
    """
    averaged = AveragedModel(model, multi_avg_fn=update)
    averaged.requires_grad_(False)
    # torch would replace the copy at the first update: it holds the initial weights, which count.
    averaged.n_averaged += 1
    return averaged


def power_function_update(length: float, clock: Clock) -> Callable[..., None]:
    """Return the `multi_avg_fn` of the power-function average of a length."""

    def update(averages: Any, weights: Any, count: Any) -> None:
        get_ema_multi_avg_fn(ema_profiles.decay(length, *clock()))(averages, weights, count)

    return update


def trained_weights(generator: nn.Module) -> dict[str, Tensor]:
    """Return the weights that training changes, by name."""
    return {name: p for name, p in generator.named_parameters() if p.requires_grad}
