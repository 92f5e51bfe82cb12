"""Write the table, the chart and the values of the head-to-head."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from statistics import median

import numpy as np

from benchmarks import charts, measure
from benchmarks.duel.curves import (
    Record,
    at,
    final,
    hindsight,
    middle_final,
    middle_reached,
    reached,
)
from benchmarks.duel.scores import IMAGES
from benchmarks.duel.terms import BATCH, SLOTS, Terms

NAME = "duel"
OURS = "gansweep"

DIFFERENCES = """\
Equal for all: the networks of Ray's example, batches of {batch}, its losses without label
smoothing, 4,000 digits of mnist5k at 32×32 in [−1, 1], fp32, {slots} processes of one thread,
and the ranges of G's rate and D's rate (1e-5 to 1e-2) and of beta1 (0 to 0.9). The digits,
gansweep's LeNet and the classifier of Ray's example are there before the clock starts; start-up
counts. When the time is over, the contestant is stopped, and what lies on its disk is what it
has, also of trials that still run. The model that the contestant's own criterion takes for the
best is scored by {images:,} images against 500 digits that it did not choose by; LeNet was
trained on neither.

gansweep: `search=gen_lr,disc_lr,beta1` with all defaults (TPE, ASHA). Its first trial has its
default rates, which lie well in these ranges; Optuna begins at random. Latents are uniform, those
of the others are normal. Its criterion is its own best step: a median of three evaluations, of
runs without a severe flag.

Optuna and Lightning: TPE with `constant_liar`, the median pruner, two processes on one journal,
manual optimization. Trials are as long as gansweep's ({steps} steps) and are measured as often
and by as many images, with gansweep's judge, which a user would have to write; ModelCheckpoint
keeps the best of each trial. The images are tensors in memory, without workers.

Ray's example: `pbt_dcgan_mnist_trainable.py` of the installed package, with its networks,
training function, inception score of a batch, schedule, and choice (`get_best_result`: the best
last score). Changed: the data come from the file of the others, in memory and without its two
worker processes, which would share the two cores; they are scaled to [−1, 1], as the example's
scale (up to 2.8) is beyond its generator's tanh; the classifier of its score is trained on the
same 4,000 digits, as the example downloads it; `beta1` is searched, too, from 0.5; the
optimizers get the rates of the configuration (the example trains all members with 0.01, and a
copied member overwrites its new rates); a population of {members}; checkpoints every 5
iterations; 2 CPUs, a smaller object store, and workers without their niceness of 15. Kept: a
process that is reused for a member without a checkpoint goes on with the weights of the member
before it. Its first rates remain one of 1e-4, 2e-4 and 5e-4, which the other two contestants do
not know.

Ray's example with the distance: the same with gansweep's distance as its metric, measured before
each perturbation: what the schedule does with a better criterion."""


def write_report(records: Mapping[str, Sequence[Record]], terms: Terms) -> None:
    """Write `duel.md`, `.csv` and `.png` of the reports, and `duel_curves.csv`."""
    ours = records.get(OURS, [])
    rows = [line(name, found, ours) for name, found in records.items()]
    text = DIFFERENCES.format(
        batch=BATCH, slots=SLOTS, images=IMAGES, steps=terms.steps, members=terms.members
    )
    paragraphs = [" ".join(part.split("\n")) for part in text.split("\n\n")]
    measure.write(
        NAME,
        f"gansweep's search against others: {terms.seconds:.0f} s each, {terms.seeds} seeds",
        [
            "distance: FD (LeNet) at the end, minimum–median–maximum over the seeds; best ever: "
            "the median over the seeds of the best model that was ever its choice. The target of a "
            "line is the rival's median distance at the end; its time and gansweep's are medians "
            "of the seconds until a choice was as good, and *sooner* is their ratio. First step "
            "and first model: median seconds from the start of the command.",
            chart(records, terms),
            *paragraphs,
        ],
        ["contestant", "distance", "best ever", "first step, s", "first model, s",
         "time to its target, s", "gansweep's time to it, s", "gansweep sooner"],
        rows,
    )  # fmt: skip
    write_curves(records)


def line(name: str, found: Sequence[Record], ours: Sequence[Record]) -> list[str]:
    target = middle_final(found)
    finals = measure.Series(name, [final(record) for record in found])
    missing = sum(map(math.isinf, finals.values))
    own = middle_reached(found, target)
    if name == OURS or not ours or not math.isfinite(target):
        times = [seconds(own), "–", "–"]
    else:
        mine = middle_reached(ours, target)
        times = [seconds(own), seconds(mine), f"{own / mine:.1f}×" if math.isfinite(mine) else "no"]
    return [
        name,
        finals.spread() if not missing else f"no model for {missing} of {len(found)} seeds",
        f"{median(map(hindsight, found)):.1f}",
        seconds(median(r["began"] if r["began"] is not None else math.inf for r in found)),
        seconds(median(r["choices"][0]["seconds"] if r["choices"] else math.inf for r in found)),
        *times,
    ]


def seconds(value: float) -> str:
    return f"{value:.0f}" if math.isfinite(value) else "never"


def chart(records: Mapping[str, Sequence[Record]], terms: Terms) -> str:
    """Draw the median distance of the choices over the time, with all seeds between the bounds."""
    figure, (ax,) = charts.panels(1, height=4.2)
    times = np.arange(terms.every, terms.seconds + 0.1, terms.every)
    for which, (name, found) in enumerate(records.items()):
        # A choice that was looked at on time is on record some hundredths of a second later.
        values = np.array([[at(r, t + 0.5) for r in found] for t in times])
        known = np.isfinite(values).all(1)
        if not known.any():
            continue
        x, y = times[known], values[known]
        charts.line(ax, list(x), list(np.median(y, 1)), name, which, dashed=name != OURS)
        ax.fill_between(x, y.min(1), y.max(1), color=charts.STYLES[which][0], alpha=0.12, lw=0)
    ax.set_yscale("log")
    ax.set_xlabel("seconds since the command")
    ax.set_ylabel("FD (LeNet) of the model chosen so far")
    ax.legend(frameon=False)
    return charts.save(figure, NAME)


def write_curves(records: Mapping[str, Sequence[Record]]) -> None:
    """Write a line for each choice: the second, the contestant's own value, the distance."""
    rows = [
        [name, str(seed), f"{c['seconds']:.2f}", f"{c['value']:.4g}", f"{c['distance']:.2f}"]
        for name, found in records.items()
        for seed, record in enumerate(found, 1)
        for c in record["choices"]
    ]
    with (measure.REPORTS / f"{NAME}_curves.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["contestant", "seed", "seconds", "value", "distance"], *rows])
    for name, found in records.items():
        print(name, [seconds(reached(record, final(record))) for record in found], flush=True)
