"""Define the discriminators 1 to 4 of document 004 (28×28), conv2 and conv3 of document 000.

Each network ends in one logit for each image. `generators.py` says how to read the functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gansweep.training.networks.kinds import discriminator

if TYPE_CHECKING:
    from gansweep.training.networks.stack import Stack


@discriminator("1", image_size=28, demo_width=1 / 16)
def d1(net: Stack) -> None:
    """four 4×4 convs of stride 2, 128 to 1024 channels"""
    net.conv(128, 4, stride=2).lrelu()
    net.conv(256, 4, stride=2).norm().lrelu()
    net.conv(512, 4, stride=2).norm().lrelu()
    net.conv(1024, 4, stride=2).norm().lrelu()
    net.flatten().logit()


@discriminator("2", image_size=28, demo_width=1 / 16)
def d2(net: Stack) -> None:
    """impl 1 with a conv of stride 1 before each later one of stride 2"""
    net.conv(128, 4, stride=2).lrelu()
    for channels in (256, 512, 1024):
        net.conv(channels, 4).norm().lrelu()
        net.conv(channels, 4, stride=2).norm().lrelu()
    net.flatten().logit()


@discriminator("3", image_size=28, dropout=True, demo_width=1 / 16)
def d3(net: Stack) -> None:
    """impl 2 with dropout after the first conv and after each block of stride 2"""
    net.conv(128, 4, stride=2).lrelu().dropout()
    for channels in (256, 512, 1024):
        net.conv(channels, 4).norm().lrelu()
        net.conv(channels, 4, stride=2).norm().lrelu().dropout()
    net.flatten().logit()


@discriminator("4", image_size=28, dropout=True, demo_width=1 / 4)
def d4(net: Stack) -> None:
    """three 5×5 convs of stride 2, 64 to 256 channels, dropout after each"""
    net.conv(64, 5, stride=2).lrelu().dropout()
    net.conv(128, 5, stride=2, bias=False).norm().lrelu().dropout()
    net.conv(256, 5, stride=2, bias=False).norm().lrelu().dropout()
    net.flatten().logit()


@discriminator("conv2", image_size=128, demo_width=1 / 8, lrelu=False, norm=False)
def conv2(net: Stack) -> None:
    """document 000: two 5×5 convs with average pooling, dense 256, tanh throughout"""
    net.conv(64, 5).tanh().avg_pool(4)
    net.conv(128, 5, padding="valid").tanh().avg_pool(2)
    net.flatten().dense(256).tanh().logit()


@discriminator("conv3", image_size=128, demo_width=1 / 8, lrelu=False, norm=False)
def conv3(net: Stack) -> None:
    """document 000 with a third conv, 3×3 and 256 channels (our reading)"""
    net.conv(64, 5).tanh().avg_pool(4)
    net.conv(128, 5, padding="valid").tanh().avg_pool(2)
    net.conv(256, 3).tanh().avg_pool(2)
    net.flatten().dense(256).tanh().logit()
