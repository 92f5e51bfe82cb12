"""Batches as slices of one tensor on the device: no workers, no copies from the host."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


class Batches:
    """All batches of a run, epoch after epoch; the incomplete last one of an epoch is dropped.

    images: uint8 N×C×H×W, on the device. Yields uint8 B×C×H×W: in file order, or with `shuffle`
    in a new order each epoch that depends on the seed and the epoch alone. first: the batch to
    begin with, where an interrupted run goes on.
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
    ) -> None:
        self.images = images
        self.batch_size = batch_size
        self.steps = steps
        self.shuffle = shuffle
        self.seed = seed
        self.first = first
        self.per_epoch = len(images) // batch_size

    def __len__(self) -> int:
        return self.steps - self.first

    def __iter__(self) -> Iterator[Tensor]:
        order: Tensor | None = None
        for step in range(self.first, self.steps):
            epoch, i = divmod(step, self.per_epoch)
            place = slice(i * self.batch_size, (i + 1) * self.batch_size)
            if not self.shuffle:
                yield self.images[place]
                continue
            if i == 0 or order is None:
                order = self._order(epoch)
            yield self.images[order[place]]

    def _order(self, epoch: int) -> Tensor:
        dice = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        return torch.randperm(len(self.images), generator=dice).to(self.images.device)
