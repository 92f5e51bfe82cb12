"""Compute transposed convolutions with stride 1 as convolutions, where these are faster."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

from gansweep.training.networks.kernels import is_slower

FEWEST_CHANNELS = 8  # With fewer outputs, the gradient of the convolution takes twice the time.


class ConvTranspose2d(nn.ConvTranspose2d):
    """This layer is PyTorch's transposed convolution with stride 1.

    In bf16 on a CPU with a matrix unit (AMX), oneDNN's convolutions are up to twice as fast as its
    transposed ones. Where that was measured, the layer is a convolution with the mirrored kernel.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, padding: int = 0, bias: bool = True
    ) -> None:
        super().__init__(inputs, outputs, kernel, padding=padding, bias=bias)
        self.margin = kernel - 1 - padding

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        if (
            output_size is None
            and input.device.type == "cpu"
            and min(self.in_channels, self.out_channels) >= FEWEST_CHANNELS
            and torch.is_autocast_enabled("cpu")
            and transposed_is_slow()
        ):
            return self.as_convolution(input)
        return super().forward(input, output_size)

    def as_convolution(self, input: Tensor) -> Tensor:
        """Return the same map, computed by a convolution."""
        return conv2d(input, mirrored(self.weight), self.bias, padding=self.margin)


def mirrored(weight: Tensor) -> Tensor:
    """Return the kernel O×I×k×k of the convolution that a transposed kernel I×O×k×k computes."""
    return weight.transpose(0, 1).flip(2, 3)


@functools.cache
@torch.compiler.assume_constant_result
def transposed_is_slow() -> bool:
    """Return whether a layer in bf16, forward and backward, is faster as a convolution.

    The layer maps 32 maps of 7×7×128 to 8×8×64 with a kernel of 4×4.
    """
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast("cpu", enabled=False):
        weight = torch.ones(128, 64, 4, 4).bfloat16().requires_grad_()
        # These are channels last, the default on a CPU.
        maps = torch.ones(32, 7, 7, 128).bfloat16().permute(0, 3, 1, 2).requires_grad_()
        slopes = torch.ones(32, 8, 8, 64).bfloat16().permute(0, 3, 1, 2)

        def step(output: Tensor) -> object:
            return torch.autograd.grad(output, [maps, weight], slopes)

        return is_slower(
            "transposed convolution in bf16",
            lambda: step(conv_transpose2d(maps, weight, padding=1)),
            lambda: step(conv2d(maps, mirrored(weight), padding=2)),
        )
