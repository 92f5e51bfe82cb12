"""`python -m gansweep.training.precision [cpu|cuda]`: seconds of a step in fp32 and in bf16."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch

from gansweep.config import Config
from gansweep.training.train import build_gan

ROUNDS = 5  # of each precision in turn; the best one counts
STEPS = 6  # of a round


def measure(kind: str) -> dict[str, float]:
    """Seconds of a training step in each precision, the least of several interleaved rounds."""
    if kind == "cpu":
        torch.set_num_threads(1)  # as a sweep's jobs have
    steps = {precision: _stepper(kind, precision) for precision in ("fp32", "bf16")}
    best = dict.fromkeys(steps, float("inf"))
    for _ in range(ROUNDS):
        for name, step in steps.items():
            started = time.perf_counter()
            for _ in range(STEPS):
                step()
            if kind == "cuda":
                torch.cuda.synchronize()
            best[name] = min(best[name], (time.perf_counter() - started) / STEPS)
    return best


def _stepper(kind: str, precision: str) -> Any:
    """A function that does one step of the default networks on made-up images."""
    gpu = kind == "cuda"
    config = Config(
        precision=precision, width=1.0 if gpu else None, batch_size=128 if gpu else 32
    )  # fmt: skip
    gan = build_gan(config, channels=1).to(kind)
    optimizers = gan.configure_optimizers()
    batch = torch.randint(0, 256, (config.batch_size, 1, 28, 28), dtype=torch.uint8, device=kind)

    def step() -> None:
        with torch.autocast(kind, torch.bfloat16, enabled=precision == "bf16"):
            gan.step(batch, *optimizers)

    step()  # the first one allocates
    return step


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1] if len(sys.argv) > 1 else "cpu")))
