"""Measure the images/s of several processes that train the same run on one device.

`python -m gansweep.training.packing cpu|cuda MOST THREADS` reads the record of a run (the contents
of config.json) from standard input, and measures 1, 2, 4, … processes up to MOST with its networks
and images. It prints a JSON object of images/s by number of processes, which ends before the first
number that does not fit in the memory.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from multiprocessing.connection import Connection
from typing import Any

import torch

from gansweep.config import from_record
from gansweep.store.errors import UserError, out_of_memory
from gansweep.store.records import RunConfig
from gansweep.training.bare_step import step_of
from gansweep.training.data import Prepared
from gansweep.training.data.batches import Batches
from gansweep.training.job import one_line
from gansweep.training.train import build_gan

WARM_UP = 10  # steps
SECONDS = 3.0  # of the measured part
PATIENCE = 120.0  # seconds to wait for the other processes


class NoRoom(Exception):
    """The memory is too small for this number of processes."""


def counts(most: int) -> list[int]:
    """Return the numbers of processes to measure: powers of two, and `most`."""
    powers = [1 << i for i in range(most.bit_length())]
    return sorted({*powers, most})


def images_per_second(
    record: RunConfig, count: int, device: str, threads: int, seconds: float = SECONDS
) -> float:
    """Return the images/s of `count` processes together, each with `threads` CPU threads.

    record: the run that each of them trains. Raises NoRoom if the memory is too small, and
    UserError if a process fails for another reason.
    """
    context = torch.multiprocessing.get_context("spawn")
    together = context.Barrier(count)
    pipes = [context.Pipe(duplex=False) for _ in range(count)]
    processes = [
        context.Process(
            target=_train, args=(record, device, threads, seconds, together, pipe), daemon=True
        )
        for _, pipe in pipes
    ]
    for process, (_, pipe) in zip(processes, pipes, strict=True):
        process.start()
        pipe.close()  # so that a killed process ends the pipe
    answers: list[Any] = []
    for process, (answer, _) in zip(processes, pipes, strict=True):
        try:
            answers.append(answer.recv())
        except EOFError:
            process.join()
            killed = process.exitcode == -signal.SIGKILL  # as the kernel does without memory
            answers.append(NoRoom() if killed else UserError("a process died"))
            together.abort()
    for process in processes:
        process.join()
    errors = [answer for answer in answers if isinstance(answer, Exception)]
    # The other processes find a broken barrier, which is not the reason.
    for kind in (NoRoom, UserError, Exception):
        for error in errors:
            if isinstance(error, kind):
                raise error
    return sum(answers)


def _train(
    record: RunConfig, device: str, threads: int, seconds: float, together: Any, answer: Connection
) -> None:
    """Train in one process, and send its images/s, or its error."""
    try:
        answer.send(_rate(record, device, threads, seconds, together))
    except Exception as error:
        together.abort()  # so that the other processes end too
        if out_of_memory(error):
            answer.send(NoRoom())
        elif isinstance(error, (UserError, RuntimeError)) and str(error):
            answer.send(UserError(one_line(error)))
        else:
            answer.send(Exception(type(error).__name__))


def _rate(record: RunConfig, device: str, threads: int, seconds: float, together: Any) -> float:
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = False  # as in training
    config = from_record(dict(record["params"]))
    data = Prepared.from_description(record["data"])
    gan = build_gan(config, data.channels, classes=data.classes).to(device).train()
    step = step_of(gan, config, device)
    images = torch.from_numpy(data.array()).to(device)
    labels = torch.from_numpy(data.labels()).to(device) if data.classes else None
    batches = iter(Batches(images, config.batch_size, 10**9, shuffle=True, seed=1, labels=labels))
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
    return steps * config.batch_size / (time.perf_counter() - started)


def _finish(device: str) -> None:
    """Wait until a GPU has computed everything."""
    if device == "cuda":
        torch.cuda.synchronize()


def measure(record: RunConfig, device: str, most: int, threads: int) -> dict[int, float]:
    """Return the images/s by number of processes. Raises NoRoom if not even one has room."""
    found: dict[int, float] = {}
    for count in counts(most):
        try:
            found[count] = images_per_second(record, count, device, threads)
        except NoRoom:
            if not found:
                raise
            break
    return found


def main() -> None:
    device, most, threads = sys.argv[1:]
    try:
        print(json.dumps(measure(json.load(sys.stdin), device, int(most), int(threads))))
    except NoRoom:
        sys.exit("the memory is too small for one run")
    except UserError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
