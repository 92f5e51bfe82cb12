"""A GAN as one LightningModule with its own loop, as in Lightning's tutorial.

    python -m gansweep -m model=examples.lightning_gan:DenseGAN model.lr=2e-4,1e-3 \
        model.b1=0,0.5 batch_size=64 data=mnist5k

gansweep passes `channels`, `image_size` and `z_dim`; the other arguments are parameters. A batch is
float32 B×C×H×W in [−1, 1], and `sample` is all that gansweep needs.
"""

import math

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits


class DenseGAN(LightningModule):
    """Dense layers with leaky ReLUs, trained by two Adams in turn."""

    def __init__(
        self,
        channels: int,
        image_size: int = 28,
        z_dim: int = 100,
        hidden: int = 256,
        lr: float = 2e-4,
        b1: float = 0.5,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.z_dim, self.lr, self.b1 = z_dim, lr, b1
        shape = (channels, image_size, image_size)
        pixels = math.prod(shape)
        self.generator = nn.Sequential(
            nn.Linear(z_dim, hidden), nn.LeakyReLU(0.2),
            nn.Linear(hidden, 2 * hidden), nn.BatchNorm1d(2 * hidden), nn.LeakyReLU(0.2),
            nn.Linear(2 * hidden, pixels), nn.Tanh(), nn.Unflatten(1, shape),
        )  # fmt: skip
        self.discriminator = nn.Sequential(
            nn.Flatten(), nn.Linear(pixels, 2 * hidden), nn.LeakyReLU(0.2),
            nn.Linear(2 * hidden, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, 1),
        )  # fmt: skip

    def sample(self, z: Tensor) -> Tensor:
        """Map latents N × z_dim to images N×C×H×W."""
        return self.generator(z)

    def training_step(self, images: Tensor) -> None:
        gen_optimizer, disc_optimizer = self.optimizers()
        z = torch.rand(len(images), self.z_dim, device=self.device) * 2 - 1

        self.toggle_optimizer(gen_optimizer)
        gen_loss = self.loss(self.discriminator(self.generator(z)), 1.0)
        self.log("g_loss", gen_loss)
        self.manual_backward(gen_loss)
        gen_optimizer.step()
        gen_optimizer.zero_grad()
        self.untoggle_optimizer(gen_optimizer)

        self.toggle_optimizer(disc_optimizer)
        fake = self.generator(z).detach()
        real_loss = self.loss(self.discriminator(images), 1.0)
        disc_loss = (real_loss + self.loss(self.discriminator(fake), 0.0)) / 2
        self.log("d_loss", disc_loss)
        self.manual_backward(disc_loss)
        disc_optimizer.step()
        disc_optimizer.zero_grad()
        self.untoggle_optimizer(disc_optimizer)

    def loss(self, logits: Tensor, label: float) -> Tensor:
        return binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        parts = (self.generator, self.discriminator)
        return [torch.optim.Adam(p.parameters(), self.lr, (self.b1, 0.999)) for p in parts]
