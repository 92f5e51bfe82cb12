"""Measure how fast 1 to 8 runs together train on one device, with and without MPS.

MPS is NVIDIA's Multi-Process Service. With it, the kernels of several processes run on a GPU at the
same time; without it, the processes take turns. `packing` starts a service of its own, with private
folders, and ends it. On a CPU each process has one thread.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch

from benchmarks.bare_loop import bare_step
from benchmarks.measure import write
from benchmarks.roofline import Place, places, suffix
from gansweep.config import Config
from gansweep.params import DataConfig
from gansweep.training.data import prepare
from gansweep.training.data.batches import Batches

CONTROL = "nvidia-cuda-mps-control"
WIDTHS = (1 / 16, 1 / 4, 1.0)
COUNTS = (1, 2, 4, 8)  # processes at a time
WARM_UP = 10  # steps
SECONDS = 4.0  # of the measured part of a case


def packing(
    widths: tuple[float, ...] = WIDTHS,
    counts: tuple[int, ...] = COUNTS,
    seconds: float = SECONDS,
) -> None:
    """Measure each width and number of processes in bf16, with MPS too if the machine has it."""
    place = places()[0]
    services = [False]
    if place.device == "cuda" and shutil.which(CONTROL):
        services.append(True)
    rows = []
    for width in widths:
        alone = 0.0
        for mps in services:
            for count in counts:
                with service() if mps else contextlib.nullcontext():
                    together = images_per_second(width, count, place, seconds)
                alone = alone or together
                rows.append([
                    str(Fraction(width)), str(count), "yes" if mps else "no",
                    f"{together:,.0f}", f"{together / count:,.0f}", f"{together / alone:.2f}",
                ])  # fmt: skip
                print(*rows[-1], sep=", ", flush=True)
    missing = (
        "" if len(services) > 1 else f" MPS was not measured: there is no GPU or no {CONTROL}."
    )
    write(
        "packing" + suffix(),
        "Several runs at a time on one device",
        [
            f"Networks G1/D1, batch {_config(1.0, place.device).batch_size}, bf16; each process "
            f"trains in a loop for {seconds:g} s after {WARM_UP} steps that warm up. All processes "
            "start this part together. The ratio is to one process without MPS." + missing
        ],
        ["width", "processes", "MPS", "images/s together", "images/s each", "ratio"],
        rows,
    )


def images_per_second(width: float, count: int, place: Place, seconds: float) -> float:
    """Return the images/s of `count` processes together. Raises RuntimeError if one fails."""
    context = torch.multiprocessing.get_context("spawn")
    together, rates = context.Barrier(count), context.SimpleQueue()
    processes = [
        context.Process(target=_train, args=(width, place, seconds, together, rates))
        for _ in range(count)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            together.abort()
    if any(process.exitcode for process in processes):
        raise RuntimeError(f"{count} processes of width {Fraction(width)}: one failed, see above")
    return sum(rates.get() for _ in processes)


def _train(width: float, place: Place, seconds: float, together: Any, rates: Any) -> None:
    """Train one run, and put its images/s into `rates`."""
    try:
        if place.device == "cpu":
            torch.set_num_threads(place.threads)
        config = _config(width, place.device)
        data = prepare(DataConfig("mnist5k"), 28)
        images = torch.from_numpy(data.array().copy()).to(place.device)
        _, step = bare_step(config, data.channels, place.device)
        batches = iter(Batches(images, config.batch_size, 10**9, shuffle=True, seed=1))
        for _ in range(WARM_UP):
            step(next(batches))
        place.wait()
        together.wait()
        steps, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds:
            step(next(batches))
            steps += 1
            if steps % 10 == 0:  # The CPU must not run ahead of the GPU.
                place.wait()
        place.wait()
        rates.put(steps * config.batch_size / (time.perf_counter() - started))
    except BaseException:
        together.abort()  # so that the other processes end too
        raise


def _config(width: float, device: str) -> Config:
    return Config(
        gen="1",
        disc="1",
        width=width,
        precision="bf16",
        batch_size=64,
        device=device,
        judge="false",
    )


@contextlib.contextmanager
def service() -> Iterator[None]:
    """Run MPS with its pipe and log in private folders; new processes use it meanwhile."""
    with tempfile.TemporaryDirectory(prefix="mps") as folder:
        own = {
            f"CUDA_MPS_{kind}_DIRECTORY": str(Path(folder) / kind.lower())
            for kind in ("PIPE", "LOG")
        }
        for path in own.values():
            Path(path).mkdir()
        environment = {**os.environ, **own}
        subprocess.run([CONTROL, "-d"], env=environment, check=True)
        os.environ.update(own)
        try:
            yield
        finally:
            for name in own:
                del os.environ[name]
            subprocess.run([CONTROL], env=environment, input="quit\n", text=True, check=True)
