"""Compute tanh of large maps, which in PyTorch's form takes a fifth of a step on some CPUs."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn

from gansweep.training.networks.kernels import is_slower

MEASURED = 1 << 14  # values, which fit the first-level caches


class FastTanh(nn.Module):
    """This layer computes tanh x, as 2 σ(2x) − 1 on a CPU where that is faster.

    The error of the second form is at most 2e-7 in float32. It takes a quarter of the time of
    PyTorch's tanh on an AMD EPYC, and three times its time on an Intel Xeon.
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.device.type != "cpu" or not tanh_is_slow():
            return input.tanh()
        return _BySigmoid.apply(input)


class _BySigmoid(torch.autograd.Function):
    """This function computes tanh by a sigmoid and keeps the output for its gradient."""

    @staticmethod
    def forward(ctx: Any, input: Tensor) -> Tensor:
        exact = input.float() if input.itemsize < 4 else input  # 16 bits are too coarse.
        output = (exact * 2).sigmoid_().mul_(2).sub_(1).to(input.dtype)
        ctx.save_for_backward(output)
        return output

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (output,) = ctx.saved_tensors
        return torch.ops.aten.tanh_backward(gradient, output)


@functools.cache
@torch.compiler.assume_constant_result
def tanh_is_slow() -> bool:
    """Return whether this CPU computes tanh in fp32 faster by a sigmoid.

    PyTorch takes tanh from Intel's library, which was slow on an AMD EPYC.
    """
    values = torch.linspace(-4, 4, MEASURED)
    return is_slower("tanh in fp32", values.tanh, lambda: _BySigmoid.apply(values))
