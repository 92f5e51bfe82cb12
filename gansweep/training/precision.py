"""Measure the seconds of a training step in fp32 and in bf16.

`python -m gansweep.training.precision [cpu|cuda]` prints the seconds as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch

from gansweep.config import Config
from gansweep.training.bare_step import step_of
from gansweep.training.train import build_gan

ROUNDS = 5  # Each precision runs in turn; its fastest round counts.
STEPS_PER_ROUND = 6


def measure(kind: str) -> dict[str, float]:
    """Return the seconds of a training step by precision ("fp32", "bf16") on the device `kind`.

    The rounds of the precisions alternate, and the fastest round of each counts.
    """
    if kind == "cpu":
        torch.set_num_threads(1)  # The jobs of a sweep have one thread too.
    steps = {precision: _stepper(kind, precision) for precision in ("fp32", "bf16")}
    fastest = dict.fromkeys(steps, float("inf"))
    for _ in range(ROUNDS):
        for name, step in steps.items():
            started = time.perf_counter()
            for _ in range(STEPS_PER_ROUND):
                step()
            if kind == "cuda":
                torch.cuda.synchronize()
            fastest[name] = min(fastest[name], (time.perf_counter() - started) / STEPS_PER_ROUND)
    return fastest


def _stepper(kind: str, precision: str) -> Any:
    """Return a function that does one step of the default networks on random images."""
    gpu = kind == "cuda"
    config = Config(
        precision=precision, width=1.0 if gpu else None, batch_size=128 if gpu else 32
    )  # fmt: skip
    gan = build_gan(config, channels=1).to(kind)
    one = step_of(gan, config, kind)
    batch = torch.randint(0, 256, (config.batch_size, 1, 28, 28), dtype=torch.uint8, device=kind)

    def step() -> None:
        one(batch)

    step()  # The first step also allocates memory, so it is not timed.
    return step


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1] if len(sys.argv) > 1 else "cpu")))
