"""`precision=auto`: choose fp32 or bf16 by a measurement on this machine, and record the choice.

The choice is made before a run gets its id, so that a run's id and command contain fp32 or bf16.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gansweep.config import Config
from gansweep.launch.devices import find_devices
from gansweep.machine import cache_folder, measured_once, processor
from gansweep.store.errors import UserError
from gansweep.terminal.console import console

MIN_SPEEDUP = 1.15  # of bf16 over fp32: a smaller one may be noise, and bf16 is less precise


def resolve(config: Config) -> Config:
    """Return `config` with `precision=auto` replaced by the choice for this machine."""
    if config.precision != "auto":
        return config
    return dataclasses.replace(config, precision=choice(config.device))


def choice(wanted: str = "auto") -> str:
    """Return the recorded choice for a device (`auto`, `cpu` or `cuda`), or measure one."""
    return _choice(wanted, cache_folder() / "precision.json")


@functools.cache  # a sweep calls this for each of thousands of rows
def _choice(wanted: str, path: Path) -> str:
    device = find_devices(wanted)[0]
    key = f"{device.kind}, {processor() if device.kind == 'cpu' else device.name}, {_torch()}"

    def measure() -> dict[str, Any]:
        found = _run_benchmark(device.kind)
        console.print(
            f"precision=auto: bf16 steps are {found['fp32'] / found['bf16']:.2f} times as fast as "
            f"fp32 steps on this machine: {found['choice']} is used (recorded in {path})"
        )
        return found

    return str(measured_once(path, key, measure)["choice"])


def _torch() -> str:
    return f"torch {version('torch')}"


def _run_benchmark(kind: str) -> dict[str, Any]:
    """Measure in a separate process, as planning imports no torch.

    Returns the time of a step by precision, and the choice. Raises UserError if measuring failed.
    """
    command = [sys.executable, "-m", "gansweep.training.precision", kind]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no error message"])[-1]
        raise UserError(f"precision=auto could not be measured ({reason}); write precision=fp32")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    faster = found["fp32"] / found["bf16"] >= MIN_SPEEDUP
    return {**found, "choice": "bf16" if faster else "fp32"}
