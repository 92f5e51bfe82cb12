"""One D and G step: its rate, its share of the machine's, and what a run adds to it."""

from __future__ import annotations

import functools
import tempfile
import time
from dataclasses import dataclass, field
from fractions import Fraction
from statistics import median
from typing import Any
from unittest.mock import patch

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.bare_loop import bare_step
from benchmarks.measure import Series
from benchmarks.roofline import Place, ceilings, places
from benchmarks.step_report import report
from gansweep.config import Config
from gansweep.params import DataConfig
from gansweep.store.run import Run
from gansweep.training.data import Prepared, prepare
from gansweep.training.data.batches import Batches
from gansweep.training.gan import GAN
from gansweep.training.train import train

PAIRS = (("1", "1"), ("5", "4"))
WIDTHS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
PRECISIONS = ("fp32", "bf16")
BATCH = {"cpu": 64, "cuda": 128}
ROUNDS = 6  # fewer where steps take seconds, but two
SECONDS = {"cpu": 0.4, "cuda": 1.0}  # of steps in a round, but so many of them:
LEAST_STEPS, MOST_STEPS = 3, 500
WARM_UP = {"cpu": 3, "cuda": 10}  # steps before those that count
LONG = 12.0  # seconds after which a case gets no more rounds, if it has two
APART = 60  # steps between two pictures with their checkpoints, in a run of the demo profile


@dataclass
class Case:
    """A pair of networks, a width and a precision, and the seconds a step measured for it."""

    config: Config
    flop: float
    bare: Series = field(default_factory=lambda: Series("step alone"))
    fit: Series = field(default_factory=lambda: Series("with Lightning and callbacks"))
    outside: Series = field(default_factory=lambda: Series("of that, outside the step"))
    written: Series = field(default_factory=lambda: Series("a picture and a checkpoint"))

    @property
    def pair(self) -> str:
        return f"G{self.config.gen}/D{self.config.disc}"

    def images(self, series: Series) -> Series:
        return Series("images/s", [self.config.batch_size / s for s in series.values])

    def added(self) -> Series:
        """ms a step that the trainer, the callbacks and a share of what they write take.

        By the clock between steps: differences of two loops' times are noise on busy machines.
        """
        each = zip(self.outside.values, self.written.values, strict=True)
        return Series("ms", [1000 * (outside + written / APART) for outside, written in each])


def step(
    pairs: tuple[tuple[str, str], ...] = PAIRS,
    widths: tuple[float, ...] = WIDTHS,
    rounds: int = ROUNDS,
) -> None:
    """Every pair, width and precision, on all threads or the GPU; alone and in `train` in turns."""
    place = places()[-1]
    data = prepare(DataConfig(), 28)
    rates = {p: [ceilings(place, p)] for p in PRECISIONS}
    cases = []
    for gen, disc in pairs:
        for width in widths:
            flop = 0.0  # of the first precision's step: another may be computed in other forms
            for precision in PRECISIONS:
                config = Config(
                    gen=gen, disc=disc, width=width, precision=precision, shuffle=True,
                    batch_size=BATCH[place.device], device=place.device, threads=place.threads,
                    judge="false", sample_every=10**9,
                )  # fmt: skip
                case = Case(config, flop)
                measure_case(case, place, data, rounds)
                flop = case.flop
                cases.append(case)
                rate = f"{median(case.images(case.bare).values):,.1f} images/s"
                print(
                    case.pair, Fraction(width), precision, rate, case.added().spread(), flush=True
                )
        for precision, values in rates.items():  # between the pairs and at the end
            values.append(ceilings(place, precision))
    best = {p: tuple(map(max, zip(*values, strict=True))) for p, values in rates.items()}
    report(cases, best, place, rounds)


def measure_case(case: Case, place: Place, data: Prepared, rounds: int) -> None:
    """Fill the case's series. The step that counts the FLOPs is also the one that warms up."""
    config = case.config
    images = torch.from_numpy(data.array().copy()).to(place.device)
    with place.taken():
        torch.manual_seed(config.seed)
        _, one = bare_step(config, data.channels, place.device)
        endless = iter(Batches(images, config.batch_size, 10**9, shuffle=True, seed=1))
        with FlopCounterMode(display=False) as counter:
            one(next(endless))
        case.flop = case.flop or counter.get_total_flops()
        seconds = steps_alone(one, endless, place, 1)
        count = min(MOST_STEPS, max(LEAST_STEPS, int(SECONDS[place.device] / seconds)))
        began = time.perf_counter()
        for done in range(rounds):
            if done >= 2 and time.perf_counter() - began > LONG:
                break
            case.bare.values.append(steps_alone(one, endless, place, count))
            for series, value in zip(
                (case.fit, case.outside, case.written),
                steps_in_train(config, data, place, count),
                strict=True,
            ):
                series.values.append(value)


def steps_alone(one: Any, batches: Any, place: Place, count: int) -> float:
    """Seconds a step of a loop of nothing else."""
    place.wait()
    started = time.perf_counter()
    for _ in range(count):
        one(next(batches))
    place.wait()
    return (time.perf_counter() - started) / count


def steps_in_train(config: Config, data: Prepared, place: Place, count: int) -> list[float]:
    """Seconds a step in gansweep's `train`; of these, outside the step; of the last one's files.

    From the start of a step to the start of a later one: everything between them is counted. The
    first steps warm up; at the last one everything is written, whence it is told apart.
    """
    first = WARM_UP[place.device]
    starts: list[float] = []
    ends: list[float] = []
    original = GAN.step

    @functools.wraps(original)
    def watched(*arguments: Any, **options: Any) -> Any:
        if len(starts) in (first, first + count):
            place.wait()
        starts.append(time.perf_counter())
        result = original(*arguments, **options)
        ends.append(time.perf_counter())
        return result

    config = Config(**{**vars(config), "steps": first + count + 1})
    with tempfile.TemporaryDirectory() as folder, patch.object(GAN, "step", watched):
        result = train(Run(folder, "bench"), config, data)
    counted = range(first, first + count)
    each = (starts[first + count] - starts[first]) / count
    outside = sum(starts[i + 1] - ends[i] for i in counted) / count
    last = result["training_seconds"] - (starts[-1] - starts[0])
    return [each, outside, max(0.0, last - each)]
