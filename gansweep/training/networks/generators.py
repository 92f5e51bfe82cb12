"""Define the generators 1 to 5 of document 004 (28×28), conv2 and conv3 of document 000 (128×128).

Each function reads like its row in the document's table: `net` is a `Stack`, whose methods append
layers. Channel counts are those of full width, and `net` applies the width multiplier. The input
is z ~ Uniform(−1, 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gansweep.training.networks.kinds import generator

if TYPE_CHECKING:
    from gansweep.training.networks.stack import Stack


@generator("1", image_size=28, demo_width=1 / 16)
def g1(net: Stack) -> None:
    """dense 7×7×1024, four transposed convs of 4×4, the first one normalised twice"""
    net.dense(1024, at=(7, 7)).reshape(7, 7)
    net.conv_t(1024, 4).norm().lrelu().norm().lrelu()
    net.conv_t(512, 4, stride=2).norm().lrelu()
    net.conv_t(256, 4, stride=2).norm().lrelu()
    net.conv_t(128, 4).norm().lrelu()
    net.conv_t_image(5).tanh()


@generator("2", image_size=28, demo_width=1 / 16)
def g2(net: Stack) -> None:
    """impl 1 with a 2×2 transposed conv before each widening: seven hidden ones"""
    net.dense(1024, at=(7, 7)).reshape(7, 7)
    net.conv_t(1024, 4).norm().lrelu()
    net.conv_t(512, 2).norm().lrelu()
    net.conv_t(512, 4, stride=2).norm().lrelu()
    net.conv_t(256, 2).norm().lrelu()
    net.conv_t(256, 4, stride=2).norm().lrelu()
    net.conv_t(128, 2).norm().lrelu()
    net.conv_t(128, 4).norm().lrelu()
    net.conv_t_image(5).tanh()


@generator("3", image_size=28, dropout=True, demo_width=1 / 8)
def g3(net: Stack) -> None:
    """dense 4×4×1024, three transposed convs without bias, dropout after each block"""
    net.dense(1024, at=(4, 4), bias=False).reshape(4, 4).norm().lrelu().dropout()
    net.conv_t(512, 4, padding="valid", bias=False).norm().lrelu().dropout()
    net.conv_t(256, 5, stride=2, bias=False).norm().lrelu().dropout()
    net.conv_t(128, 5, stride=2, bias=False).norm().lrelu().dropout()
    net.conv_t_image(5).tanh()


@generator("4", image_size=28, dropout=True, demo_width=1 / 16)
def g4(net: Stack) -> None:
    """impl 1 with one normalisation a block and dropout after each of the four blocks"""
    net.dense(1024, at=(7, 7)).reshape(7, 7)
    net.conv_t(1024, 4).norm().lrelu().dropout()
    net.conv_t(512, 4, stride=2).norm().lrelu().dropout()
    net.conv_t(256, 4, stride=2).norm().lrelu().dropout()
    net.conv_t(128, 4).norm().lrelu().dropout()
    net.conv_t_image(5).tanh()


@generator("5", image_size=28, dropout=True, demo_width=1 / 8)
def g5(net: Stack) -> None:
    """impl 3 without its 128-channel block: the image straight from 14×14×256"""
    net.dense(1024, at=(4, 4), bias=False).reshape(4, 4).norm().lrelu().dropout()
    net.conv_t(512, 4, padding="valid", bias=False).norm().lrelu().dropout()
    net.conv_t(256, 5, stride=2, bias=False).norm().lrelu().dropout()
    net.conv_t_image(5, stride=2).tanh()


@generator("conv2", image_size=128, demo_width=1 / 8, lrelu=False)
def conv2(net: Stack) -> None:
    """document 000: dense 1024 and 8×8×128, two 5×5 convs after ×4 upsamplings, tanh"""
    net.dense(1024).tanh()
    net.dense(128, at=(8, 8)).norm().tanh().reshape(8, 8)
    net.upsample(4).conv(64, 5).tanh()
    net.upsample(4).conv_image(5).tanh()


@generator("conv3", image_size=128, demo_width=1 / 8, lrelu=False)
def conv3(net: Stack) -> None:
    """document 000 with a third conv (our reading: its third layer was not published)"""
    net.dense(1024).tanh()
    net.dense(128, at=(8, 8)).norm().tanh().reshape(8, 8)
    net.upsample(4).conv(64, 5).tanh()
    net.upsample(2).conv(32, 5).tanh()
    net.upsample(2).conv_image(5).tanh()
