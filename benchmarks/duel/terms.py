"""What is equal for all contestants: the data, the judge, the ranges and the size of a contest."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gansweep.params import DataConfig
from gansweep.training.data import Prepared, prepare

SIZE, BATCH, Z_DIM = 32, 64, 100  # those of Ray's example
# With a fifth held out (1,000 digits, none of which LeNet was trained on), the judge has 500 digits
# by which contestants choose, and 500 others for the scores of this report.
HOLDOUT = 0.2
RATES, BETA1 = (1e-5, 1e-2), (0.0, 0.9)  # the ranges of G's rate, D's rate and beta1
SLOTS = 2


@dataclass(frozen=True)
class Terms:
    """The size of a contest.

    seconds: the wall time; steps: those of a trial of gansweep and of Optuna; members: those of
    Ray's population; every: seconds between two looks at what the contestant has.
    """

    seconds: float = float(os.environ.get("DUEL_SECONDS", "100"))
    seeds: int = int(os.environ.get("DUEL_SEEDS", "5"))
    steps: int = int(os.environ.get("DUEL_STEPS", "300"))
    members: int = int(os.environ.get("DUEL_MEMBERS", "8"))
    every: float = float(os.environ.get("DUEL_EVERY", "5"))


def data() -> Prepared:
    return prepare(DataConfig("mnist5k", holdout=HOLDOUT), SIZE)


def as_floats(pixels: np.ndarray) -> Tensor:
    """Return images, uint8 N×C×H×W, as floats in [−1, 1]."""
    return torch.from_numpy(np.array(pixels)).float() / 127.5 - 1
