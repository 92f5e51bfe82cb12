"""Map images to feature vectors whose distances reflect how similar the images are."""

from __future__ import annotations

import hashlib
import math
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gansweep.training.data.pixels import normalise

DIMENSIONS = 64
BATCH = 100  # This many images fit a CPU's cache, and larger batches are no faster.
SEEDS = (0, 1, 2)  # Each seed gives a random-convolution net; a distance is the mean over the nets.


class FeatureNet(Protocol):
    """One or more nets that map images to features.

    `name` stands in captions, and `hash` identifies the weights in captions and caches.
    """

    name: str
    hash: str

    def __call__(self, images: Tensor, nets: int | None = None) -> list[Tensor]:
        """Map images, uint8 N×C×H×W, to features, float32 N×d on the CPU, by each net.

        `nets` limits the computation to the first nets; None means all nets.
        """
        ...

    def to(self, device: torch.device) -> None:
        """Move the nets to `device`."""
        ...


class LeNet(nn.Module):
    """A small classifier of 28×28 grey digits; its 64 penultimate activations are the features."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        )  # fmt: skip
        self.penultimate = nn.Linear(32 * 5 * 5, DIMENSIONS)
        self.classes = nn.Linear(DIMENSIONS, 10)

    def features(self, images: Tensor) -> Tensor:
        """Map images, float N×1×28×28 in [0, 1], to features N×64."""
        return torch.relu(self.penultimate(self.convolutions(images)))

    def forward(self, images: Tensor) -> Tensor:
        """Map images, float N×1×28×28 in [0, 1], to logits N×10."""
        return self.classes(self.features(images))


def grey28(images: Tensor) -> Tensor:
    """Map images, uint8 N×C×H×W, to grey images of 28×28, float N×1×28×28 in [0, 1]."""
    grey = images.float().mean(1, keepdim=True) / 255
    return grey if grey.shape[-1] == 28 else F.interpolate(grey, (28, 28), mode="area")


class RandomConvolutions(nn.Module):
    """Four random 3×3 convolutions with 32, 64, 128 and 128 channels, for images of any kind.

    Each convolution has stride 2, He-normal weights and a leaky ReLU of slope 0.2. The spatial
    means and standard deviations of all four maps are projected to 64 features by a random
    orthogonal matrix. Random features need no labels and no training (Naeem et al. 2020).
    """

    def __init__(self, channels: int, seed: int) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(1000 + seed)
        widths = (32, 64, 128, 128)
        self.weights = nn.ParameterList()
        previous = channels
        gain = math.sqrt(2 / (1 + 0.2**2))
        for width in widths:
            weight = torch.randn(width, previous, 3, 3, generator=rng)
            self.weights.append(
                nn.Parameter(weight * gain / math.sqrt(previous * 9), requires_grad=False)
            )
            previous = width
        raw = torch.randn(2 * sum(widths), DIMENSIONS, generator=rng, dtype=torch.float64)
        orthogonal, _ = torch.linalg.qr(raw)
        self.projection = nn.Parameter(orthogonal.float(), requires_grad=False)

    def forward(self, images: Tensor) -> Tensor:
        """Map images, float N×C×H×W in [−1, 1], to features N×64."""
        statistics = []
        for weight in self.weights:
            images = F.leaky_relu(F.conv2d(images, weight, stride=2, padding=1), 0.2)
            mean = images.mean((2, 3))
            # This formula takes half the time of std(), and its two terms do not cancel here.
            variance = images.square().mean((2, 3)) - mean.square()
            statistics += [mean, variance.clamp(0).sqrt()]
        return torch.cat(statistics, 1) @ self.projection


class DigitFeatures:
    """The features of LeNet, for images of any kind, which are reduced to 28×28 grey pixels.

    `accuracy` is the share of test digits that `net` classifies correctly.
    """

    name = "LeNet"

    def __init__(self, net: LeNet, accuracy: float) -> None:
        self.net = net.eval()
        self.accuracy = accuracy
        self.hash = _hash(net)
        self.device = torch.device("cpu")

    def to(self, device: torch.device) -> None:
        self.device = device
        self.net.to(device)

    @torch.no_grad()
    def __call__(self, images: Tensor, nets: int | None = None) -> list[Tensor]:
        batches = [grey28(b.to(self.device)) for b in images.split(BATCH)]
        return [torch.cat([self.net.features(batch) for batch in batches]).cpu()]

    @torch.no_grad()
    def labels(self, features: Tensor) -> Tensor:
        """Return the most probable digit, int64 of shape (N,), of each feature vector, N×64."""
        return self.net.classes(features.to(self.device)).argmax(1).cpu()


class ImageFeatures:
    """The features of three random-convolution nets."""

    name = "random convolutions"

    def __init__(self, channels: int) -> None:
        self.nets = [RandomConvolutions(channels, seed) for seed in SEEDS]
        self.hash = _hash(*self.nets)
        self.device = torch.device("cpu")

    def to(self, device: torch.device) -> None:
        self.device = device
        for net in self.nets:
            net.to(device)

    @torch.no_grad()
    def __call__(self, images: Tensor, nets: int | None = None) -> list[Tensor]:
        batches = [normalise(b.to(self.device)) for b in images.split(BATCH)]
        return [torch.cat([net(batch) for batch in batches]).cpu() for net in self.nets[:nets]]


class Pixels:
    """Returns the images themselves, uint8 N×C×H×W, for metrics that need no features."""

    name = hash = "pixels"

    def to(self, device: torch.device) -> None:
        pass

    def __call__(self, images: Tensor, nets: int | None = None) -> list[Tensor]:
        return [images.cpu()]


def _hash(*nets: nn.Module) -> str:
    """Return a hash of all weights of the nets."""
    digest = hashlib.sha256()
    for net in nets:
        for value in net.state_dict().values():
            digest.update(value.numpy().tobytes())
    return digest.hexdigest()[:12]
