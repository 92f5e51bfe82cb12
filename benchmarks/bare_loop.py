"""Train gansweep's networks with gansweep's step in a bare loop.

`python -m benchmarks.bare_loop PROCESSES LR,… BETA1,… DATA,… STEPS CONFIG ARRAYS` trains every
combination. With PROCESSES = 1, one run follows the other on all threads; otherwise PROCESSES runs
train at a time on one thread each. The loop has no Lightning, logs, pictures, checkpoints or judge,
and the images are bytes on the device. CONFIG is the config.json of a gansweep run, which gives all
other parameters.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import multiprocessing

from gansweep.config import Config, from_record
from gansweep.training.bare_step import step_of
from gansweep.training.data.batches import Batch, Batches
from gansweep.training.gan import GAN
from gansweep.training.train import build_gan


def bare_step(config: Config, channels: int, device: str) -> tuple[GAN, Callable[[Batch], None]]:
    """Return a GAN and its training step, a function of a batch."""
    # Lightning sets this variable, which costs time; a loop without Lightning does not have it.
    os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)
    gan = build_gan(config, channels).to(device).train()
    return gan, step_of(gan, config, device)


def train(job: tuple[Config, str, int | None]) -> dict[str, float]:
    """Train one run.

    `job` has the configuration, the file of the images and the number of threads (None for all).
    """
    config, images, threads = job
    if threads is not None:
        torch.set_num_threads(threads)
    torch.manual_seed(config.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    pixels = torch.from_numpy(np.load(images)).to(device)
    gan, step = bare_step(config, pixels.shape[1], device)
    assert config.steps is not None
    for batch in Batches(
        pixels, config.batch_size, config.steps, shuffle=config.shuffle, seed=config.seed
    ):
        step(batch)
    return {name: loss.item() for name, loss in gan.losses.items()}


def read_config(path: str) -> Config:
    params = json.loads(Path(path).read_text())["params"]
    return from_record(params)


def main(
    processes: str, lrs: str, beta1s: str, data: str, steps: str, config: str, arrays: str
) -> None:
    base = dataclasses.replace(read_config(config), steps=int(steps))
    count = int(processes)
    threads = None if count == 1 else 1
    jobs = []
    for lr, beta1, name in itertools.product(*(text.split(",") for text in (lrs, beta1s, data))):
        own = dataclasses.replace(base, lr=float(lr), beta1=float(beta1))
        jobs.append((own, f"{arrays}/{name}.npy", threads))
    if count == 1:
        for job in jobs:
            print(train(job), flush=True)
        return
    # The first optimizer imports modules, which is done once before the fork.
    torch.optim.Adam([torch.zeros(1, requires_grad=True)], fused=True)
    with multiprocessing.get_context("fork").Pool(count) as pool:
        for losses in pool.imap(train, jobs):
            print(losses, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
