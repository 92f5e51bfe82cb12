"""Draw z, the random input of the generator."""

from __future__ import annotations

import torch
from torch import Tensor


def latents(
    z_dim: int, n: int, *, seed: int | None = None, device: torch.device | str = "cpu"
) -> Tensor:
    """Return latents z ~ Uniform(−1, 1), float32 n × z_dim, on `device`.

    With `seed`, z comes from a separate random generator on the CPU, so that every device has the
    same z. Without `seed`, z comes from the device's global random generator.
    """
    if seed is not None:
        generator = torch.Generator().manual_seed(seed)
        return torch.rand(n, z_dim, generator=generator).to(device) * 2 - 1
    return torch.rand(n, z_dim, device=device) * 2 - 1
