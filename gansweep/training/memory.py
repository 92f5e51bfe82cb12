"""Peak memory of a run, for the result and for packing several runs on a device."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import torch


def reset_peak_memory(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with suppress(OSError):  # Linux: 5 resets the high-water mark VmHWM of this process
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory(device: torch.device) -> int:
    """MiB: of the device's memory on a GPU, of the whole process on a CPU (0 if unknown)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device) >> 20
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) >> 10
    try:
        import resource
    except ImportError:  # not on Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak >> (20 if os.uname().sysname == "Darwin" else 10)
