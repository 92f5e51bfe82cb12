"""`precision=auto`: the faster arithmetic of this machine, measured once and recorded.

The choice is resolved before a run gets its id: a run is always fp32 or bf16, and its command says
which.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock

from gansweep.config import Config
from gansweep.launch.devices import find_devices
from gansweep.store.errors import UserError
from gansweep.store.run import read_json, write_json
from gansweep.terminal.console import console
from gansweep.training.data.cache import cache_folder

WORTH = 1.15  # times as fast as the reference: less is noise, and bf16 is coarser


def resolve(config: Config) -> Config:
    """`config` with the precision that `auto` means on this machine."""
    if config.precision != "auto":
        return config
    return dataclasses.replace(config, precision=choice(config.device))


def choice(wanted: str = "auto") -> str:
    """The recorded choice for a device (`auto`, `cpu` or `cuda`), measured if there is none."""
    return _choice(wanted, cache_folder() / "precision.json")


@functools.cache  # thousands of rows ask
def _choice(wanted: str, path: Path) -> str:
    device = find_devices(wanted)[0]
    key = f"{device.kind}, {processor() if device.kind == 'cpu' else device.name}, {_torch()}"
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
    command = [sys.executable, "-m", "gansweep.training.precision", kind]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise UserError(f"precision=auto could not be measured ({said}); write precision=fp32")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    faster = found["fp32"] / found["bf16"] >= WORTH
    return {**found, "choice": "bf16" if faster else "fp32"}
