"""Finds the devices of this machine without torch: GPUs by nvidia-smi, or the CPU."""

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

# A process on a GPU holds this much memory in addition to what torch counts: the CUDA context and
# libraries.
CUDA_CONTEXT_MIB = 600
MAX_JOBS_PER_GPU = 8  # more processes on one GPU wait for each other
DEFAULT_CPU_MIB = 1024  # assumed for a run on the CPU until one of equal cost was measured
HEADROOM = 0.9  # the share of the free memory that jobs may take
UNUSABLE = "PyTorch can use none (it is built for CPUs, or the driver is too old)"


@dataclass(frozen=True)
class Device:
    """A device that trains runs.

    kind: `cpu` or `cuda`; id: the device's name in CUDA_VISIBLE_DEVICES; label: its name in slots,
    such as `gpu0`; name: the model; cores: the CPU cores for its jobs; free_mib: free memory, or 0
    if it is unknown, in which case the device takes one job at a time.
    """

    kind: str
    id: str
    label: str
    name: str
    cores: int
    free_mib: int

    def most_jobs(self, threads: int) -> int:
        """Return how many jobs run at a time if memory suffices. threads: those of each job.

        On a CPU each thread has a core; a GPU takes one job a core, up to MAX_JOBS_PER_GPU.
        """
        if self.kind == "cpu":
            return max(1, self.cores // threads)
        return max(1, min(MAX_JOBS_PER_GPU, self.cores))

    def need(self, measured: int | None) -> int | None:
        """Return the MiB that a job needs, or None if they are unknown and the job runs alone.

        measured: the peak MiB of a run of equal cost, as torch counted them.
        """
        if self.kind == "cpu":
            return measured or DEFAULT_CPU_MIB
        return measured + CUDA_CONTEXT_MIB if measured else None

    def environment(self) -> dict[str, str]:
        """Return the environment variables of a job on this device."""
        return {} if self.kind == "cpu" else {"CUDA_VISIBLE_DEVICES": self.id}


def find_devices(wanted: str = "auto") -> list[Device]:
    """Return all GPUs that this process may use, or else the CPU.

    wanted: `auto`, `cpu` or `cuda`. Raises UserError for `cuda` if there is no GPU that PyTorch can
    use.
    """
    gpus = [] if wanted == "cpu" else _gpus()
    if wanted == "cuda" and not gpus:
        raise UserError("device=cuda, but nvidia-smi lists no GPU; use device=cpu or auto")
    if gpus and not torch_sees_gpus():
        if wanted == "cuda":
            raise UserError(f"device=cuda, but {UNUSABLE}; use device=cpu or auto")
        _report_unusable(len(gpus))
        gpus = []
    return gpus or [Device("cpu", "", "cpu", "CPU", cpu_cores(), _free_memory())]


@functools.cache
def torch_sees_gpus() -> bool:
    """Return whether PyTorch can use a GPU, since nvidia-smi does not know how PyTorch was built.

    A separate process tests this, as this module does not import torch and the fork server must not
    initialize CUDA. The process and the server import torch at the same time.
    """
    code = "import sys, torch; sys.exit(not torch.cuda.is_available())"
    return subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


@functools.cache
def _report_unusable(count: int) -> None:
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
    # The id is the UUID, because CUDA may number GPUs in another order than nvidia-smi.
    gpus = {
        index: Device("cuda", uuid, f"gpu{index}", name, cores, int(free) if free.isdigit() else 0)
        for index, uuid, name, free in (line for line in lines if len(line) == 4)
    }
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return list(gpus.values())
    devices = []
    for i, wanted in enumerate(v.strip() for v in visible.split(",") if v.strip()):
        listed_gpu = gpus.get(wanted) or next(
            (g for g in gpus.values() if g.id.startswith(wanted)), None
        )
        # nvidia-smi lists neither parts of a GPU (MIG) nor a scheduler's own names for GPUs.
        devices.append(listed_gpu or Device("cuda", wanted, f"gpu{i}", "GPU", cores, 0))
    return devices if "-1" not in visible else []


def cpu_cores() -> int:
    """Return how many cores this process may use.

    The affinity, the container's quota, a Slurm job and $GANSWEEP_CORES limit them.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for limit in ("SLURM_CPUS_ON_NODE", "GANSWEEP_CORES"):
        with suppress(ValueError):
            cores = max(1, min(cores or 1, int(os.environ.get(limit, ""))))
    with suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(cores or 1, int(quota) // int(period)))
    return cores or 1


def _free_memory() -> int:
    """Return the MiB that processes can take without swapping, or 1 TiB if they are unknown."""
    free = 1 << 20
    with suppress(OSError, ValueError, IndexError):
        free = int(Path("/proc/meminfo").read_text().split("MemAvailable:")[1].split()[0]) >> 10
    with suppress(ValueError):
        free = min(free, int(os.environ.get("SLURM_MEM_PER_NODE", "")))
    with suppress(OSError, ValueError, IndexError):
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
        stat = (group / "memory.stat").read_text()
        cached = int(stat.split("inactive_file ")[1].split()[0])  # the kernel frees it on demand
        free = min(free, (limit - used + cached) >> 20)
    return free
