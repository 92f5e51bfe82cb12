"""The machine's devices: GPUs as the driver tells them, or the CPU's cores. No torch."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gansweep.store.errors import UserError
from gansweep.terminal.console import console

# A process on a GPU holds this much beside what torch counts: the CUDA context and libraries.
CONTEXT_MIB = 600
# More processes than this on one GPU wait for each other.
MOST_PER_GPU = 8
# What a run on the CPU is taken to need until one like it was measured.
ASSUMED_MIB = 1024
HEADROOM = 0.9  # the share of the free memory that is given away
UNUSABLE = "PyTorch can use none (it is built for CPUs, or the driver is too old)"


@dataclass(frozen=True)
class Device:
    """kind: `cpu` or `cuda`; id: what CUDA_VISIBLE_DEVICES calls it; cores: its CPU cores.

    free_mib: 0 if nobody tells: then it takes one job at a time.
    """

    kind: str
    id: str
    label: str
    name: str
    cores: int
    free_mib: int

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

    Raises UserError if GPUs are wanted and there are none, or PyTorch cannot use them.
    """
    gpus = [] if wanted == "cpu" else _gpus()
    if wanted == "cuda" and not gpus:
        raise UserError("device=cuda, but nvidia-smi tells of no GPU; use device=cpu or auto")
    if gpus and not torch_sees_gpus():
        if wanted == "cuda":
            raise UserError(f"device=cuda, but {UNUSABLE}; use device=cpu or auto")
        _say_unusable(len(gpus))
        gpus = []
    return gpus or [Device("cpu", "", "cpu", "CPU", cpu_cores(), _free_memory())]


@functools.cache
def torch_sees_gpus() -> bool:
    """Can PyTorch use a GPU here? The driver's tool does not know how PyTorch was built.

    It is asked in a process of its own: nothing here imports torch, and the fork server must not
    touch CUDA. That process imports while the server does.
    """
    code = "import sys, torch; sys.exit(not torch.cuda.is_available())"
    return subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


@functools.cache
def _say_unusable(count: int) -> None:
    gpus = "a GPU" if count == 1 else f"{count} GPUs"
    console.print(f"nvidia-smi lists {gpus}, but {UNUSABLE}: training on the CPU")


def _gpus() -> list[Device]:
    query = "--query-gpu=index,uuid,name,memory.free"
    try:
        listed = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader,nounits"],
            capture_output=True, text=True, timeout=30, check=True,
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return []
    lines = [[part.strip() for part in line.split(",")] for line in listed.splitlines() if line]
    cores = max(1, cpu_cores() // max(1, len(lines)))
    # By UUID: CUDA may count in another order than the driver's tool.
    gpus = {
        index: Device("cuda", uuid, f"gpu{index}", name, cores, int(free) if free.isdigit() else 0)
        for index, uuid, name, free in (line for line in lines if len(line) == 4)
    }
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return list(gpus.values())
    found = []
    for i, wanted in enumerate(v.strip() for v in visible.split(",") if v.strip()):
        known = gpus.get(wanted) or next(
            (g for g in gpus.values() if g.id.startswith(wanted)), None
        )
        # A part of a GPU (MIG), or one that only the scheduler knows.
        found.append(known or Device("cuda", wanted, f"gpu{i}", "GPU", cores, 0))
    return found if "-1" not in visible else []


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
    with suppress(OSError, ValueError, IndexError):
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
        stat = (group / "memory.stat").read_text()
        cached = int(stat.split("inactive_file ")[1].split()[0])  # given back when it is needed
        free = min(free, (limit - used + cached) >> 20)
    return free
