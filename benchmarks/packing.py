"""Measure how fast 1 to 8 runs together train on one device, by several ways of sharing it.

The runs are processes that take turns on a GPU, processes that share NVIDIA's Multi-Process Service
(MPS), or streams of one process. With MPS or streams, kernels of several runs can run at the same
time. On a CPU each process has one thread, and the runs of one process take turns.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import torch

from benchmarks.bare_loop import bare_step
from benchmarks.measure import write
from benchmarks.roofline import Place, places, suffix
from gansweep.config import Config
from gansweep.params import DataConfig
from gansweep.planning.identity import plan_run
from gansweep.training.data import Prepared, prepare
from gansweep.training.data.batches import Batches
from gansweep.training.packing import WARM_UP, images_per_second

CONTROL = "nvidia-cuda-mps-control"
WIDTHS = (1 / 16, 1 / 4, 1.0)
COUNTS = (1, 2, 4, 8)  # runs at a time
SECONDS = 4.0  # of the measured part of a case


def packing(
    widths: tuple[float, ...] = WIDTHS,
    counts: tuple[int, ...] = COUNTS,
    seconds: float = SECONDS,
) -> None:
    """Measure each width, way of sharing and number of runs in bf16."""
    place = places()[0]
    data = prepare(DataConfig("mnist5k"), 28)
    rows: list[list[str]] = []
    for width in widths:
        alone = 0.0
        for way, measure in _ways(_config(width, place.device), data, place, seconds).items():
            for count in counts:
                if way.startswith("one process") and count == 1:
                    continue
                together = measure(count)
                alone = alone or together
                rows.append([
                    str(Fraction(width)), way, str(count), f"{together:,.0f}",
                    f"{together / count:,.0f}", f"{together / alone:.2f}",
                ])  # fmt: skip
                print(*rows[-1], sep="; ", flush=True)
        _report(rows, place, seconds)  # after each width, in case the time runs out


def _report(rows: list[list[str]], place: Place, seconds: float) -> None:
    missing = "" if _has_mps(place) else f" MPS was not measured: there is no GPU or no {CONTROL}."
    write(
        "packing" + suffix(),
        "Several runs at a time on one device",
        [
            f"Networks G1/D1, batch {_config(1.0, place.device).batch_size}, bf16; each run trains "
            f"in a loop for {seconds:g} s after {WARM_UP} steps that warm up. All runs start this "
            "part together. The ratio is to one process alone, without MPS." + missing
        ],
        ["width", "way", "runs", "images/s together", "images/s each", "ratio"],
        rows,
    )


def _has_mps(place: Place) -> bool:
    return place.device == "cuda" and shutil.which(CONTROL) is not None


def _ways(
    config: Config, data: Prepared, place: Place, seconds: float
) -> dict[str, Callable[[int], float]]:
    """Return functions from the number of runs to their images/s, by the way of sharing."""

    record = plan_run(config, data)[1]

    def processes(mps: bool, count: int) -> float:
        with service() if mps else contextlib.nullcontext():
            return images_per_second(record, count, place.device, place.threads, seconds)

    in_turn = "with streams" if place.device == "cuda" else "in turn"
    ways = {"processes": partial(processes, False)}
    if _has_mps(place):
        ways["processes with MPS"] = partial(processes, True)
    ways[f"one process, {in_turn}"] = partial(in_one_process, config, data, place, seconds)
    return ways


def in_one_process(
    config: Config, data: Prepared, place: Place, seconds: float, count: int
) -> float:
    """Return the images/s of `count` runs in this process, each with a CUDA stream on a GPU."""
    gpu = place.device == "cuda"
    streams = [torch.cuda.Stream() if gpu else None for _ in range(count)]
    images = torch.from_numpy(data.array().copy()).to(place.device)
    steps = [bare_step(config, data.channels, place.device)[1] for _ in streams]
    batches = [
        iter(Batches(images, config.batch_size, 10**9, shuffle=True, seed=seed))
        for seed, _ in enumerate(streams)
    ]

    def step_all() -> None:
        for stream, step, own in zip(streams, steps, batches, strict=True):
            with torch.cuda.stream(stream) if stream is not None else contextlib.nullcontext():
                step(next(own))

    with place.taken():
        for _ in range(WARM_UP):
            step_all()
        place.wait()
        rounds, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds:
            step_all()
            rounds += 1
            if rounds % 10 == 0:  # The CPU must not run ahead of the GPU.
                place.wait()
        place.wait()
        return rounds * count * config.batch_size / (time.perf_counter() - started)


@contextlib.contextmanager
def service() -> Iterator[None]:
    """Run MPS with its pipe and log in private folders; new processes use it meanwhile.

    Raises RuntimeError if it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="mps", ignore_cleanup_errors=True) as folder:
        own = {
            f"CUDA_MPS_{kind}_DIRECTORY": str(Path(folder) / kind.lower())
            for kind in ("PIPE", "LOG")
        }
        for path in own.values():
            Path(path).mkdir()
        variables = os.environ | own
        # The service keeps the files open that it inherits, so a pipe would never end.
        said = Path(folder) / "said"
        with said.open("w") as file:
            done = subprocess.run(
                [CONTROL, "-d"], env=variables, stdin=subprocess.DEVNULL, stdout=file, stderr=file
            )
        if done.returncode:
            raise RuntimeError(f"{CONTROL}: {said.read_text().strip()}")
        os.environ.update(own)
        try:
            yield
        finally:
            for name in own:
                del os.environ[name]
            subprocess.run([CONTROL], env=variables, input="quit\n", text=True, timeout=30)


def _config(width: float, device: str) -> Config:
    return Config(
        gen="1",
        disc="1",
        width=width,
        precision="bf16",
        batch_size=64,
        device=device,
        steps=1,
        judge="false",
    )
