"""Generator 5 and discriminator 4 of document 004 in plain PyTorch."""

from __future__ import annotations

from torch import nn

ALPHA, DROP = 0.2, 0.0
NORM = {"eps": 1e-3, "momentum": 0.01}


def block(layer: nn.Module, channels: int) -> list[nn.Module]:
    return [layer, nn.BatchNorm2d(channels, **NORM), nn.LeakyReLU(ALPHA), nn.Dropout(DROP)]


def initialise(layer: nn.Module) -> None:
    if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def generator(z_dim: int, channels: int, width: float) -> nn.Sequential:
    a, b, c = (round(n * width) for n in (1024, 512, 256))
    net = nn.Sequential(
        nn.Linear(z_dim, a * 4 * 4, bias=False),
        *block(nn.Unflatten(1, (a, 4, 4)), a),
        *block(nn.ConvTranspose2d(a, b, 4, bias=False), b),
        *block(nn.ConvTranspose2d(b, c, 5, 2, padding=2, output_padding=1, bias=False), c),
        nn.ConvTranspose2d(c, channels, 5, 2, padding=2, output_padding=1),
        nn.Tanh(),
    )
    return net.apply(initialise)


def discriminator(channels: int, width: float) -> nn.Sequential:
    a, b, c = (round(n * width) for n in (64, 128, 256))
    net = nn.Sequential(
        nn.Conv2d(channels, a, 5, 2, padding=2),
        nn.LeakyReLU(ALPHA),
        nn.Dropout(DROP),
        *block(nn.Conv2d(a, b, 5, 2, padding=2, bias=False), b),
        *block(nn.Conv2d(b, c, 5, 2, padding=2, bias=False), c),
        nn.Flatten(),
        nn.Linear(c * 4 * 4, 1),
    )
    return net.apply(initialise)
