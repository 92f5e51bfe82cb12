"""Cut batches from tensors on the device, without workers or copies from the host."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

Batch = Tensor | tuple[Tensor, Tensor]  # images, or images and labels


class Batches:
    """This iterable yields the batches of a run, epoch after epoch, each uint8 B×C×H×W.

    With `labels`, int64 (N,), a batch is a pair of images and labels. `images` is uint8 N×C×H×W on
    the device. The images come in file order, or with `shuffle` in a new order for each epoch,
    which depends only on the seed and the epoch. The incomplete last
    batch of an epoch is dropped. `steps` is the number of batches of the whole run, and `first` is
    the number of the batch with which a resumed run begins.
    """

    def __init__(
        self,
        images: Tensor,
        batch_size: int,
        steps: int,
        *,
        shuffle: bool,
        seed: int,
        first: int = 0,
        labels: Tensor | None = None,
    ) -> None:
        self.images = images
        self.labels = labels
        self.batch_size = batch_size
        self.steps = steps
        self.shuffle = shuffle
        self.seed = seed
        self.first = first
        self.per_epoch = len(images) // batch_size

    def __len__(self) -> int:
        return self.steps - self.first

    def __iter__(self) -> Iterator[Batch]:
        order: Tensor | None = None
        for step in range(self.first, self.steps):
            epoch, i = divmod(step, self.per_epoch)
            positions = slice(i * self.batch_size, (i + 1) * self.batch_size)
            if not self.shuffle:
                yield self._at(positions)
                continue
            if i == 0 or order is None:
                order = self._order(epoch)
            yield self._at(order[positions])

    def _at(self, positions: slice | Tensor) -> Batch:
        images = self.images[positions]
        return images if self.labels is None else (images, self.labels[positions])

    def _order(self, epoch: int) -> Tensor:
        """Return the numbers of the images, int64 of shape (N,), in the order of `epoch`."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        return torch.randperm(len(self.images), generator=generator).to(self.images.device)
