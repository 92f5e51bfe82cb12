"""Train the classifier of Ray's example on the digits of the contest.

The example downloads the weights of this network. It serves the example's own score alone.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch.nn import functional as F

from benchmarks.duel.terms import HOLDOUT, SIZE, as_floats
from gansweep.params import DataConfig
from gansweep.training.data import prepare

EPOCHS, BATCH = 20, 64


def train_lenet(file: Path) -> None:
    """Write the weights to `file`. The network sees the training digits alone."""
    from ray.tune.examples.pbt_dcgan_mnist.common import Net

    data = prepare(DataConfig("mnist5k", holdout=HOLDOUT), SIZE, labels=True)
    images = F.interpolate(as_floats(data.array()), (28, 28), mode="bilinear")
    labels = torch.from_numpy(data.labels().copy())
    torch.manual_seed(1)
    net = Net().train()
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    for _ in range(EPOCHS):
        for part in torch.randperm(len(images)).split(BATCH):
            loss = F.nll_loss(net(images[part]), labels[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        right = (net.eval()(images).argmax(1) == labels).float().mean().item()
    if right < 0.97:
        raise RuntimeError(f"the classifier of Ray's example reads {right:.1%} of its digits")
    torch.save(net.state_dict(), file)
