"""The machine's devices: GPUs as the driver tells them, or the CPU's cores. No torch."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gansweep.errors import UserError

# A process on a GPU holds this much beside what torch counts: the CUDA context and libraries.
CONTEXT_MIB = 600
# More processes than this on one GPU wait for each other.
MOST_PER_GPU = 8
# What a run on the CPU is taken to need until one like it was measured.
ASSUMED_MIB = 1024
HEADROOM = 0.9  # the share of the free memory that is given away


@dataclass(frozen=True)
class Device:
    """kind: `cpu` or `cuda`; id: what CUDA_VISIBLE_DEVICES calls it; cores: its CPU cores."""

    kind: str
    id: str
    name: str
    cores: int
    free_mib: int

    @property
    def label(self) -> str:
        return "cpu" if self.kind == "cpu" else f"gpu{self.id}"

    def most_jobs(self, threads: int) -> int:
        """Jobs at a time if memory is no matter: a CPU core a thread, a few on a GPU."""
        if self.kind == "cpu":
            return max(1, self.cores // threads)
        return max(1, min(MOST_PER_GPU, self.cores))

    def need(self, measured: int | None) -> int | None:
        """Memory that a job takes, from its kind's peak; None: unknown, it gets the device."""
        if self.kind == "cpu":
            return measured or ASSUMED_MIB
        return measured + CONTEXT_MIB if measured else None

    def environment(self) -> dict[str, str]:
        return {} if self.kind == "cpu" else {"CUDA_VISIBLE_DEVICES": self.id}


def find_devices(wanted: str = "auto") -> list[Device]:
    """All GPUs that may be used here, or the CPU. wanted: `auto`, `cpu` or `cuda`.

    Raises UserError if GPUs are wanted and there are none.
    """
    gpus = [] if wanted == "cpu" else _gpus()
    if wanted == "cuda" and not gpus:
        raise UserError("device=cuda, but nvidia-smi tells of no GPU; use device=cpu or auto")
    return gpus or [Device("cpu", "", "CPU", cpu_cores(), _free_memory())]


def _gpus() -> list[Device]:
    query = "--query-gpu=index,uuid,name,memory.free"
    try:
        listed = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader,nounits"],
            capture_output=True, text=True, timeout=30, check=True,
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return []
    found = []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    allowed = None if visible is None else [v.strip() for v in visible.split(",")]
    lines = [[part.strip() for part in line.split(",")] for line in listed.splitlines() if line]
    lines = [line for line in lines if len(line) == 4 and line[3].isdigit()]
    for index, uuid, name, free in lines:
        # Within a scheduler's share of a node, ids are what it says; MIG slices are not packed.
        chosen = allowed is None or any(a and (a == index or uuid.startswith(a)) for a in allowed)
        if chosen:
            cores = max(1, cpu_cores() // len(lines))
            found.append(Device("cuda", index, name, cores, int(free)))
    return found


def cpu_cores() -> int:
    """Cores that this process may use: affinity and a container's quota counted."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(cores or 1, int(quota) // int(period)))
    return cores or 1


def _free_memory() -> int:
    """MiB that processes can have without swapping; a generous guess where nobody tells."""
    free = 1 << 20
    with suppress(OSError, ValueError, IndexError):
        free = int(Path("/proc/meminfo").read_text().split("MemAvailable:")[1].split()[0]) >> 10
    with suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text())
        free = min(free, (limit - int((group / "memory.current").read_text())) >> 20)
    return free
