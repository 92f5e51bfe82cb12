"""Measure the images/s of several processes that train the same run on one device.

`python -m gansweep.training.packing OUT RUN_ID cpu|cuda MOST THREADS` measures 1, 2, 4, … processes
up to MOST with the networks and the images of a planned run. It prints a JSON object of images/s by
number of processes, which ends before the first number that does not fit in the memory.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch

from gansweep.config import Config
from gansweep.store.errors import UserError
from gansweep.store.run import Run
from gansweep.training.bare_step import step_of
from gansweep.training.data import Prepared
from gansweep.training.data.batches import Batches
from gansweep.training.train import build_gan

WARM_UP = 10  # steps
SECONDS = 3.0  # of the measured part
PATIENCE = 120.0  # seconds to wait for the other processes, if one of them was killed


def counts(most: int) -> list[int]:
    """Return the numbers of processes to measure: powers of two, and `most`."""
    powers = [1 << i for i in range(most.bit_length())]
    return sorted({*powers, most})


def images_per_second(
    config: Config, data: Prepared, count: int, device: str, threads: int, seconds: float = SECONDS
) -> float:
    """Return the images/s of `count` processes together, each with `threads` threads on a CPU.

    Raises RuntimeError if one of them fails, as it does where the memory is too small.
    """
    context = torch.multiprocessing.get_context("spawn")
    together, rates = context.Barrier(count), context.SimpleQueue()
    arguments = (config, data, device, threads, seconds, together, rates)
    processes = [context.Process(target=_train, args=arguments, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            together.abort()
    if any(process.exitcode for process in processes):
        raise RuntimeError(f"one of {count} processes failed")
    return sum(rates.get() for _ in processes)


def _train(
    config: Config,
    data: Prepared,
    device: str,
    threads: int,
    seconds: float,
    together: Any,
    rates: Any,
) -> None:
    """Train in one process, and put its images/s into `rates`."""
    try:
        if device == "cpu":
            torch.set_num_threads(threads)
        gan = build_gan(config, data.channels, classes=data.classes).to(device).train()
        step = step_of(gan, config, device)
        images = torch.from_numpy(data.array().copy()).to(device)
        labels = torch.from_numpy(data.labels()).to(device) if data.classes else None
        batches = iter(
            Batches(images, config.batch_size, 10**9, shuffle=True, seed=1, labels=labels)
        )
        for _ in range(WARM_UP):
            step(next(batches))
        _finish(device)
        together.wait(PATIENCE)
        steps, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds:
            step(next(batches))
            steps += 1
            if steps % 10 == 0:  # The CPU must not run ahead of the GPU.
                _finish(device)
        _finish(device)
        rates.put(steps * config.batch_size / (time.perf_counter() - started))
    except BaseException:
        together.abort()  # so that the other processes end too
        raise


def _finish(device: str) -> None:
    """Wait until a GPU has computed everything."""
    if device == "cuda":
        torch.cuda.synchronize()


def measure(run: Run, device: str, most: int, threads: int) -> dict[int, float]:
    """Return the images/s by number of processes, of a planned run.

    Raises UserError for a run that gansweep's own step does not train, and RuntimeError if not even
    one process trains.
    """
    from gansweep.training.job import load_plan

    config, data = load_plan(run)
    if config.command is not None or config.model is not None:
        name = "command" if config.command is not None else "model"
        raise UserError(f"packing=speed measures gansweep's own step, and not that of {name}=")
    found: dict[int, float] = {}
    for count in counts(most):
        try:
            found[count] = images_per_second(config, data, count, device, threads)
        except RuntimeError:
            if not found:
                raise
            break
    return found


def main() -> None:
    out, run_id, device, most, threads = sys.argv[1:]
    try:
        print(json.dumps(measure(Run(out, run_id), device, int(most), int(threads))))
    except (UserError, RuntimeError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
