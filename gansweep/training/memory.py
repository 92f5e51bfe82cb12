"""Measure the peak memory of a run, for its result and for packing several runs on a device."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import torch


def reset_peak_memory(device: torch.device) -> None:
    """Start a new measurement of `peak_memory`, where the system allows this."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with suppress(OSError):  # On Linux, 5 resets this process' high-water mark VmHWM.
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory(device: torch.device) -> int:
    """Return the peak memory in MiB since the last reset; 0 if it is unknown.

    On a GPU this is the device memory that PyTorch reserved, on a CPU that of the whole process.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device) >> 20
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) >> 10
    return _peak_rss("RUSAGE_SELF")


def peak_of_children() -> int:
    """Return the peak memory of the largest process that this one has started, in MiB.

    Only processes that have ended count. The result is 0 if it is unknown.
    """
    return _peak_rss("RUSAGE_CHILDREN")


def _peak_rss(whose: str) -> int:
    try:
        import resource
    except ImportError:  # Windows does not have this module.
        return 0
    peak = resource.getrusage(getattr(resource, whose)).ru_maxrss
    return peak >> (20 if os.uname().sysname == "Darwin" else 10)
