"""`precision=auto`: the faster arithmetic of this machine, measured once and recorded.

The choice is resolved before a run gets its id: a run is always fp32 or bf16, and its command says
which. As a program, `python -m gansweep.precision [cpu|cuda]`, it measures.
"""

from __future__ import annotations

import dataclasses
import json
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock

from gansweep.config import Config
from gansweep.console import console
from gansweep.data.cache import cache_folder
from gansweep.errors import UserError
from gansweep.launch.devices import find_devices
from gansweep.run import read_json, write_json

WORTH = 1.15  # times as fast as the reference: less is noise, and bf16 is coarser
ROUNDS = 5  # of each precision in turn; the best one counts
STEPS = 6  # of a round


def resolve(config: Config) -> Config:
    """`config` with the precision that `auto` means on this machine."""
    if config.precision != "auto":
        return config
    return dataclasses.replace(config, precision=choice(config.device))


def choice(wanted: str = "auto") -> str:
    """The recorded choice for a device (`auto`, `cpu` or `cuda`), measured if there is none."""
    device = find_devices(wanted)[0]
    key = f"{device.kind}, {processor() if device.kind == 'cpu' else device.name}, {_torch()}"
    path = cache_folder() / "precision.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        known = read_json(path) or {}
        if key not in known:
            known[key] = _measure_apart(device.kind)
            write_json(path, known)
            gain = known[key]["fp32"] / known[key]["bf16"]
            console.print(
                f"precision=auto: a step in bf16 takes 1/{gain:.2f} of the time in fp32 here: "
                f"{known[key]['choice']} (recorded in {path})"
            )
        return str(known[key]["choice"])


def _torch() -> str:
    return f"torch {version('torch')}"


def processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _measure_apart(kind: str) -> dict[str, Any]:
    """In a process of its own: planning imports no torch."""
    command = [sys.executable, "-m", "gansweep.precision", kind]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise UserError(f"precision=auto could not be measured ({said}); write precision=fp32")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    faster = found["fp32"] / found["bf16"] >= WORTH
    return {**found, "choice": "bf16" if faster else "fp32"}


def measure(kind: str) -> dict[str, float]:
    """Seconds of a training step in each precision, the least of several interleaved rounds."""
    import torch

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
    import torch

    from gansweep.train import build_gan

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
