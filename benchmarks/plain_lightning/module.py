"""Train a GAN in plain Lightning with DataLoader, CSVLogger, progress bar and checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from PIL import Image
from pytorch_lightning.loggers import CSVLogger
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.plain_lightning.networks import discriminator, generator


@dataclass
class Settings:
    """A run. `arrays` is the folder of the data sets, and `precision` is Lightning's name."""

    lr: float = 1e-4
    beta1: float = 0.5
    data: str = "mnist5k"
    steps: int = 600
    precision: str = "32-true"
    arrays: str = "."
    batch_size: int = 32
    z_dim: int = 100
    smooth: float = 0.1
    gen_width: float = 1 / 8
    disc_width: float = 1 / 4


class Pictures(Dataset[Tensor]):
    """A data set of an array of pictures, uint8 N×C×H×W, with items like those of torchvision."""

    def __init__(self, path: str) -> None:
        self.pixels = np.ascontiguousarray(np.load(path).transpose(0, 2, 3, 1))
        self.channels = self.pixels.shape[-1]
        self.transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Tensor:
        return self.transform(Image.fromarray(self.pixels[index].squeeze()))


def cross_entropy(logits: Tensor, label: float) -> Tensor:
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


class PlainGAN(pl.LightningModule):
    """A GAN with the step of document 004: D on real and fake images, then G on the same z."""

    def __init__(self, settings: Settings, channels: int) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.settings = settings
        self.generator = generator(settings.z_dim, channels, settings.gen_width)
        self.discriminator = discriminator(channels, settings.disc_width)

    def training_step(self, real: Tensor, batch_idx: int) -> None:
        gen_optimizer, disc_optimizer = self.optimizers()
        z = torch.rand(len(real), self.settings.z_dim, device=self.device) * 2 - 1

        with torch.no_grad():
            fake = self.generator(z)
        disc_loss = cross_entropy(self.discriminator(real), 1 - self.settings.smooth)
        disc_loss = disc_loss + cross_entropy(self.discriminator(fake), 0.0)
        disc_optimizer.zero_grad()
        self.manual_backward(disc_loss)
        disc_optimizer.step()

        gen_loss = cross_entropy(self.discriminator(self.generator(z)), 1.0)
        gen_optimizer.zero_grad()
        self.manual_backward(gen_loss)
        gen_optimizer.step()

        self.log_dict({"loss_d": disc_loss, "loss_g": gen_loss}, prog_bar=True)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        betas = (self.settings.beta1, 0.999)
        nets = (self.generator, self.discriminator)
        return [torch.optim.Adam(net.parameters(), self.settings.lr, betas) for net in nets]


def train(settings: Settings, folder: str) -> Mapping[str, Any]:
    """Train one run with its files in `folder`, and return its last losses."""
    pl.seed_everything(1)
    pictures = Pictures(f"{settings.arrays}/{settings.data}.npy")
    loader = DataLoader(pictures, settings.batch_size, shuffle=True, drop_last=True)
    trainer = pl.Trainer(
        devices=1,
        max_steps=2 * settings.steps,  # Lightning counts the steps of both optimizers.
        precision=settings.precision,  # type: ignore[arg-type]
        logger=CSVLogger(folder),
    )
    trainer.fit(PlainGAN(settings, pictures.channels), loader)
    return trainer.callback_metrics
