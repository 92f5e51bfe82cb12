"""The generator's input: what z is drawn from."""

from __future__ import annotations

import torch
from torch import Tensor


def latents(
    z_dim: int, n: int, *, seed: int | None = None, device: torch.device | str = "cpu"
) -> Tensor:
    """z ~ Uniform(−1, 1), n × z_dim.

    seed: that of a random state of its own, on the CPU, so that every device has the same z; None:
    the z are drawn on the device, from its global random state.
    """
    if seed is not None:
        own = torch.Generator().manual_seed(seed)
        return torch.rand(n, z_dim, generator=own).to(device) * 2 - 1
    return torch.rand(n, z_dim, device=device) * 2 - 1
