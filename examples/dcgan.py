"""DCGAN (Radford et al. 2016), as in PyTorch's tutorial: two networks for images of 64×64 pixels.

    python -m gansweep -m gen=examples.dcgan:Generator disc=examples.dcgan:Discriminator \
        z_dim=100 gen.features=16,32 lr=2e-4,5e-4 data=toyfaces

gansweep passes `z_dim` and `channels`; `features` is a parameter of these networks.
"""

from torch import Tensor, nn


def init_weights(module: nn.Module) -> None:
    """Draw the weights as in section 4 of the paper."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


class Generator(nn.Module):
    """Four transposed convolutions of stride 2 from a map of 4×4 pixels."""

    def __init__(self, z_dim: int, channels: int, features: int = 64) -> None:
        super().__init__()

        def block(inputs: int, outputs: int, stride: int, padding: int) -> list[nn.Module]:
            conv = nn.ConvTranspose2d(inputs, outputs, 4, stride, padding, bias=False)
            return [conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]

        self.main = nn.Sequential(
            *block(z_dim, features * 8, 1, 0),
            *block(features * 8, features * 4, 2, 1),
            *block(features * 4, features * 2, 2, 1),
            *block(features * 2, features, 2, 1),
            nn.ConvTranspose2d(features, channels, 4, 2, 1, bias=False),
            nn.Tanh(),
        )
        self.apply(init_weights)

    def forward(self, z: Tensor) -> Tensor:
        """Map latents N × z_dim × 1 × 1 to images N×C×64×64."""
        return self.main(z)


class Discriminator(nn.Module):
    """Four convolutions of stride 2, and one logit; the tutorial's sigmoid is part of the loss."""

    def __init__(self, channels: int, features: int = 64) -> None:
        super().__init__()

        def block(inputs: int, outputs: int) -> list[nn.Module]:
            conv = nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False)
            return [conv, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2, inplace=True)]

        self.main = nn.Sequential(
            nn.Conv2d(channels, features, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
            *block(features, features * 2),
            *block(features * 2, features * 4),
            *block(features * 4, features * 8),
            nn.Conv2d(features * 8, 1, 4, 1, 0, bias=False),
        )
        self.apply(init_weights)

    def forward(self, images: Tensor) -> Tensor:
        """Map images N×C×64×64 to logits N×1×1×1."""
        return self.main(images)
