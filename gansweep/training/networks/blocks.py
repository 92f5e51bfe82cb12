"""Convolve maps whose pixels are in square blocks, by a kernel made of the kernel for pixels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d

BLOCK = 2  # pixels; the side length of a block whose pixels are channels


def taps(side: int, kernel: int) -> tuple[Tensor, int]:
    """Return the taps of one axis, and how many blocks the kernel reaches to each side.

    The kernel has `kernel` weights, in the middle of which is the output pixel; a block has `side`
    pixels. An entry of the taps is 1 where, for an output pixel of a block, a weight falls on an
    input pixel of a block. The axes are output pixel, block, input pixel, weight. Raises ValueError
    for an even kernel, whose `same` padding would not be symmetric.
    """
    if kernel % 2 == 0:
        raise ValueError(f"a kernel of {kernel}×{kernel} has no middle pixel")
    margin = -(-(kernel // 2) // side)
    found = torch.zeros(side, 2 * margin + 1, side, kernel)
    for output in range(side):
        for weight in range(kernel):
            block, pixel = divmod(output + weight - kernel // 2, side)
            found[output, block + margin, pixel, weight] = 1
    return found, margin


def kernel_of(weight: Tensor, taps: Tensor) -> Tensor:
    """Return the kernel that has the effect of `weight` on maps from `to_blocks`.

    weight: O×I×K×K. The kernel is (p·q·O)×(i·j·I)×A×A, where p, q are the row and the column of an
    output pixel in its block, i, j those of an input pixel, and A is the number of blocks.
    """
    return torch.einsum("paiu,qbjv,oxuv->pqoijxab", taps, taps, weight).flatten(3, 5).flatten(0, 2)


def weight_gradient(gradient: Tensor, taps: Tensor) -> Tensor:
    """Return the gradient of a weight from that of the kernel that `kernel_of` made of it."""
    of_pixels = gradient.unflatten(0, (BLOCK, BLOCK, -1)).unflatten(3, (BLOCK, BLOCK, -1))
    return torch.einsum("paiu,qbjv,pqoijxab->oxuv", taps, taps, of_pixels)


def to_blocks(map: Tensor) -> Tensor:
    """Return a map N×I×H×W as N×(i·j·I)×(H/2)×(W/2), channels last; see `kernel_of`."""
    n, channels, height, width = map.shape
    rows = map.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1)
    rows = rows.reshape(n, height // BLOCK, BLOCK, width // BLOCK, BLOCK * channels)
    return _swap(rows).flatten(3, 4).permute(0, 3, 1, 2)


def from_blocks(blocks: Tensor, side: int) -> Tensor:
    """Return a map N×(p·q·O)×H×W as N×O×(side·H)×(side·W), channels last; see `kernel_of`.

    The result has a gradient, and its gradient has one too.
    """
    n, channels, height, width = blocks.shape
    pixels = blocks.permute(0, 2, 3, 1).reshape(n, height, width, side, channels // side)
    rows = _Swapped.apply(pixels)
    return rows.view(n, height * side, width * side, -1).permute(0, 3, 1, 2)


def mirrored(kernel: Tensor) -> Tensor:
    """Return the kernel for `write_pixel_gradient`, made of one from `kernel_of`."""
    outputs, inputs, side, _ = kernel.shape
    image = kernel.flip(2, 3).transpose(0, 1).unflatten(0, (BLOCK, BLOCK, -1))
    channels = inputs // BLOCK**2
    shifted = kernel.new_zeros(2, BLOCK, 2, BLOCK, channels, outputs, side + 1, side + 1)
    for row in range(2):
        for column in range(2):
            shifted[row, :, column, ..., row : row + side, column : column + side] = image
    return shifted.flatten(0, 4).contiguous(memory_format=torch.channels_last)


def write_pixel_gradient(pixels: Tensor, gradient: Tensor, mirrored: Tensor) -> None:
    """Write to `pixels` the gradient of a map from that of its convolution in blocks.

    pixels: N×I×H×W, channels last, with H and W multiples of 4; gradient: N×(p·q·O)×(H/2)×(W/2).
    The usual convolution with the kernel's mirror image has few channels as its output, which
    leaves most of a CPU's vector idle. This one has a stride of 2 blocks and gives all pixels of
    2×2 blocks as channels, in half the time.
    """
    side = 2 * BLOCK
    found = conv2d(gradient, mirrored, stride=2, padding=mirrored.shape[-1] // 2 - 1)
    n, channels, height, width = found.shape  # the channels: row, column, I
    found = found.permute(0, 2, 3, 1).reshape(n, height, width, side, channels // side)
    rows = pixels.permute(0, 2, 3, 1).view(n, height, side, width, channels // side)
    _as_words(rows).copy_(_as_words(found).transpose(2, 3))


class _Swapped(torch.autograd.Function):
    """This function is `_swap`; the gradient goes the same way back."""

    @staticmethod
    def forward(_: Any, numbers: Tensor) -> Tensor:
        return _swap(numbers)

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        return _Swapped.apply(gradient)


def _swap(numbers: Tensor) -> Tensor:
    """Return A×B×C×D×E as a contiguous A×B×D×C×E."""
    words = _as_words(numbers.contiguous())
    return words.transpose(2, 3).contiguous().view(numbers.dtype)


def _as_words(numbers: Tensor) -> Tensor:
    """View the last axis as the largest words, for PyTorch copies a word at a time."""
    size = numbers.shape[-1] * numbers.itemsize
    words = (torch.complex128, torch.int64, torch.int32, numbers.dtype)
    return numbers.view(next(word for word in words if size % word.itemsize == 0))
