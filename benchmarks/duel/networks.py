"""The networks of Ray's example `pbt_dcgan_mnist` as gansweep's components and for Lightning.

They are written again here, so that only the contestant with Ray imports Ray: `same_as_example`
compares them. The discriminator has no sigmoid, as it is part of the loss.
"""

from __future__ import annotations

from torch import Tensor, nn

FEATURES = 32


def init_weights(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


class Generator(nn.Module):
    def __init__(self, z_dim: int = 100, channels: int = 1) -> None:
        super().__init__()
        n = FEATURES
        self.main = nn.Sequential(
            nn.ConvTranspose2d(z_dim, n * 4, 4, 1, 0, bias=False),
            nn.BatchNorm2d(n * 4),
            nn.ReLU(True),
            nn.ConvTranspose2d(n * 4, n * 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(n * 2),
            nn.ReLU(True),
            nn.ConvTranspose2d(n * 2, n, 4, 2, 1, bias=False),
            nn.BatchNorm2d(n),
            nn.ReLU(True),
            nn.ConvTranspose2d(n, channels, 4, 2, 1, bias=False),
            nn.Tanh(),
        )
        self.apply(init_weights)

    def forward(self, z: Tensor) -> Tensor:
        """Map latents N × z_dim or N × z_dim × 1 × 1 to images N×C×32×32 in [−1, 1]."""
        return self.main(z.reshape(len(z), -1, 1, 1))


class Discriminator(nn.Module):
    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        n = FEATURES
        self.main = nn.Sequential(
            nn.Conv2d(channels, n, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(n, n * 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(n * 2),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(n * 2, n * 4, 4, 2, 1, bias=False),
            nn.BatchNorm2d(n * 4),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(n * 4, 1, 4, 1, 0, bias=False),
        )
        self.apply(init_weights)

    def forward(self, images: Tensor) -> Tensor:
        """Map images N×C×32×32 to logits N×1×1×1."""
        return self.main(images)


def same_as_example() -> None:
    """Raise RuntimeError unless these networks have the weights of Ray's, by name and by shape."""
    from ray.tune.examples.pbt_dcgan_mnist import common

    pairs = ((Generator(), common.Generator()), (Discriminator(), common.Discriminator()))
    for own, theirs in pairs:
        shapes = [{k: v.shape for k, v in net.state_dict().items()} for net in (own, theirs)]
        if shapes[0] != shapes[1]:
            raise RuntimeError(f"{type(own).__name__} is not that of this version of Ray")
