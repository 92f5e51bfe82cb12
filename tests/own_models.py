"""The source of small LightningModules, which tests write into files of a user."""

NETS = """
import torch
from pytorch_lightning import LightningModule
from torch import nn


class Net(LightningModule):
    def __init__(self, z_dim: int, image_size: int):
        super().__init__()
        self.net = nn.Linear(z_dim, image_size**2)
        self.z_dim, self.size = z_dim, image_size

    def training_step(self, images, batch_idx):
        return self.net(torch.randn(len(images), self.z_dim)).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)

    def sample(self, z):
        return self.net(z).tanh().view(-1, 1, self.size, self.size)


class Counting(Net):
    def sample(self, n: int):
        return super().sample(torch.randn(n, self.z_dim))
"""
