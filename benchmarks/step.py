"""Measure a step of D and G: its rate, its share of the machine's peak, and the cost of a run."""

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
OTHER_BATCHES = {"cpu": (), "cuda": (64, 256)}  # at full width alone
ROUNDS = 6  # Slow steps get fewer rounds, but at least two.
SECONDS = {"cpu": 0.4, "cuda": 1.0}  # A round has LEAST_STEPS, even if this takes longer.
LEAST_STEPS, MOST_STEPS = 3, 500
WARM_UP = {"cpu": 3, "cuda": 10}  # steps to warm up, which do not count
LONG = 12.0  # A case that has two rounds gets no more after this many seconds.
APART = 60  # steps between two pictures with checkpoints in a run of the demo profile


@dataclass
class Case:
    """A pair of networks, a width and a precision, with the measured seconds per step."""

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
        """The ms per step of the trainer, the callbacks and a share of the files that they write.

        The clock between steps measures this, because the difference of two loops is noise on busy
        machines.
        """
        each = zip(self.outside.values, self.written.values, strict=True)
        return Series("ms", [1000 * (outside + written / APART) for outside, written in each])


def step(
    pairs: tuple[tuple[str, str], ...] = PAIRS,
    widths: tuple[float, ...] = WIDTHS,
    rounds: int = ROUNDS,
) -> None:
    """Measure every pair, width and precision, alone and in `train` in turns, with all threads.

    On a GPU the full width is measured with several batch sizes.
    """
    place = places()[-1]
    usual, others = BATCH[place.device], OTHER_BATCHES[place.device]
    sizes = [(width, usual) for width in widths] + [(1.0, batch) for batch in others]
    data = prepare(DataConfig(), 28)
    rates = {p: [ceilings(place, p)] for p in PRECISIONS}
    cases = []
    for gen, disc in pairs:
        for width, batch in sizes:
            # The FLOPs are those of the first precision, as others may use other operations.
            flop = 0.0
            for precision in PRECISIONS:
                config = Config(
                    gen=gen, disc=disc, width=width, precision=precision, shuffle=True,
                    batch_size=batch, device=place.device, threads=place.threads,
                    judge="false", sample_every=10**9,
                )  # fmt: skip
                case = Case(config, flop)
                measure_case(case, place, data, rounds)
                flop = case.flop
                cases.append(case)
                rate = f"{median(case.images(case.bare).values):,.1f} images/s"
                print(
                    case.pair,
                    Fraction(width),
                    batch,
                    precision,
                    rate,
                    case.added().spread(),
                    flush=True,
                )
        # The ceilings are measured again after each pair, as machines drift.
        for precision, values in rates.items():
            values.append(ceilings(place, precision))
    best = {p: tuple(map(max, zip(*values, strict=True))) for p, values in rates.items()}
    report(cases, best, place, rounds, usual)


def measure_case(case: Case, place: Place, data: Prepared, rounds: int) -> None:
    """Measure a case; the step that counts the FLOPs also warms up."""
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
    """Return the seconds per step of a loop without anything else."""
    place.wait()
    started = time.perf_counter()
    for _ in range(count):
        one(next(batches))
    place.wait()
    return (time.perf_counter() - started) / count


def steps_in_train(config: Config, data: Prepared, place: Place, count: int) -> list[float]:
    """Return the seconds per step in `train`, the part outside the step, and the part for files.

    The time runs from the start of a step to the start of a later one, so it includes everything
    between them. The first steps warm up. The files are written at the last step, which is
    therefore measured separately.
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
