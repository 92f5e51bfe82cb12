"""Measure the memory of a job while it trains, without and with shared memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.contestants import GRIDS, contestants
from benchmarks.measure import Series, write

ROUNDS = 2
STEPS = 100
INTERVAL = 0.1  # seconds between two measurements
A_JOB = 32  # MiB of private memory; the parent of a process of this size is not the job
MEASURED = ("gansweep", "unjudged", "plain", "joblib", "ray", "bare2")


@dataclass
class Peaks:
    """The peaks in MiB: `own` and `resident` of each process, and `together` of all processes."""

    own: dict[int, int] = field(default_factory=dict)
    resident: dict[int, int] = field(default_factory=dict)
    together: int = 0

    def measure(self, root: int, parents: dict[int, int]) -> None:
        """Measure all processes under `root`, and record the parent of each in `parents`."""
        together = 0
        for pid in _family(root, parents):
            sizes = _sizes(pid)
            self.own[pid] = max(self.own.get(pid, 0), sizes.get("Private_Dirty", 0))
            self.resident[pid] = max(self.resident.get(pid, 0), sizes.get("Rss", 0))
            together += sizes.get("Pss_Anon", 0) + sizes.get("Pss_Shmem", 0)
        self.together = max(self.together, together)


def _family(root: int, parents: dict[int, int]) -> list[int]:
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = [root]
    for pid in found:  # The loop appends to this list.
        found += children.get(pid, [])
        parents |= dict.fromkeys(children.get(pid, []), pid)
    return found


def _sizes(pid: int) -> dict[str, int]:
    """Return the memory of a process in MiB by kind, or {} if the process has ended."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        pairs = (text.partition(":") for text in lines)
        return {name: int(size.split()[0]) >> 10 for name, _, size in pairs}
    return {}


def watch(command: list[str]) -> tuple[int, int, int]:
    """Return the peaks, in MiB, of a job's private memory, its resident memory, and all processes.

    The job is the process with the most private memory among those without a large child.
    """
    variables = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    peaks, parents = Peaks(), {}
    quiet = subprocess.DEVNULL
    with tempfile.TemporaryDirectory() as folder:
        sweep = subprocess.Popen(
            [sys.executable, *command], cwd=folder, env=variables, stdout=quiet, stderr=quiet
        )
        while sweep.poll() is None:
            peaks.measure(sweep.pid, parents)
            time.sleep(INTERVAL)
    if sweep.returncode:
        raise RuntimeError(f"{command} ended with {sweep.returncode}")
    sizeable = {parents[pid] for pid, size in peaks.own.items() if size >= A_JOB and pid in parents}
    job = max(peaks.own.keys() - sizeable, key=lambda pid: peaks.own[pid])
    return peaks.own[job], peaks.resident[job], peaks.together


def job_memory(steps: int = STEPS, rounds: int = ROUNDS) -> None:
    """Measure a short sweep of two rows for each contestant."""
    if not Path("/proc/self/smaps_rollup").exists():
        print("memory: only Linux reports the private memory of a process")
        return
    found: dict[str, list[Series]] = {}
    with tempfile.TemporaryDirectory() as folder:
        chosen = contestants(GRIDS["memory"], steps, Path(folder))
        for _ in range(rounds):
            for key in MEASURED:
                sizes = watch(chosen[key].command)
                series = found.setdefault(key, [Series("own"), Series("resident"), Series("all")])
                for one, size in zip(series, sizes, strict=True):
                    one.values.append(size)
                print(f"{chosen[key].name}: {sizes} MiB", flush=True)
    write(
        "memory",
        "The memory of a job",
        [
            f"MiB at the highest, {rounds} rounds; min–median–max. Two rows of {steps} steps on "
            f"digits, at the demo profile's widths; measured every {INTERVAL} s. own: the memory "
            "that no other process shares, which is what one more job costs; resident: with "
            "its libraries and what was imported before the fork; together: what the whole sweep "
            "has written, launcher included, shared pages counted once, without the files that the "
            "system keeps in memory. The basic launcher's job is its only process.",
        ],
        ["sweep by", "precision", "a job's own", "a job, resident", "together"],
        [
            [chosen[key].name, chosen[key].precision, *(one.spread(0) for one in series)]
            for key, series in found.items()
        ],
    )
