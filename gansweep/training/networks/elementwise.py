"""Compute tanh of large maps, which in PyTorch's form takes a fifth of a step on some CPUs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class FastTanh(nn.Module):
    """This layer computes tanh x as 2 σ(2x) − 1, with an error of at most 2e-7 in float32.

    It takes a quarter of the time of nn.Tanh on an AMD EPYC, and twice its time on an Intel Xeon,
    where PyTorch's tanh is fast.
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.device.type != "cpu":
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
