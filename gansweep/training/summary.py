"""Describe a run in a line: its score, its time and its losses."""

from __future__ import annotations

import math
from contextlib import suppress

from gansweep.notation import format_measured
from gansweep.plugins import METRICS
from gansweep.store.check import number
from gansweep.store.errors import UserError
from gansweep.store.records import JudgeRecord, Result
from gansweep.store.run import Run
from gansweep.training.metrics.equilibrium import flag_of
from gansweep.training.metrics.registered import primary_and_second


def summary(result: Result | None) -> str:
    """Return the line that is printed for a finished run, without its title.

    An example is `FD (LeNet) 93.1, best at step 540 of 600  12.5 s  1,634 images/s  loss D 1.08
    G 0.82`.
    """
    if result is None:
        return "done"
    values = {n: number(result, n) for n in ("seconds", "images_per_second", "loss_d", "loss_g")}
    known = {name: value for name, value in values.items() if value is not None}
    judge = result.get("judge")
    parts = [quality(judge, result.get("steps"))] if judge else []
    parts += [f"{known.get('seconds', math.nan):.1f} s"]
    parts += [f"{known[n]:,.0f} images/s" for n in ("images_per_second",) if n in known]
    losses = [f"{k} {known[n]:.2f}" for n, k in (("loss_d", "D"), ("loss_g", "G")) if n in known]
    return "  ".join([*parts, *([f"loss {' '.join(losses)}"] if losses else [])])


def quality(judge: JudgeRecord, steps: int | None) -> str:
    """Return the score of a run of `steps` steps, its best step if it is not the last, its flags.

    An example is `FD (LeNet) 93.1, best at step 540 of 600, collapsed`.
    """
    metric, score = METRICS.entry(judge["primary"]), judge["score"]
    value = number(score, metric.name)
    error = number(score, f"{metric.name}_error")
    text = "–" if value is None else format_measured(value, metric.digits, error)
    parts = [f"{metric.label} {text}"]
    found = judge.get("equilibrium")
    best = found["step"] if found else 0
    if best and steps and best < steps:
        parts.append(f"best at step {best} of {steps}")
    return ", ".join([*parts, *(flag_of(flag).word for flag in judge["flags"])])


def latest_score(run: Run, data_set: str, best_by: str | None = None) -> tuple[str, str]:
    """Return the label of the metric that ranks the runs of a data set, and its latest value.

    `best_by` is the run's parameter.

    The value is that of the run's last evaluation. Both are empty if there is none, or if the data
    set belongs to a plugin that is not loaded.
    """
    name = ""
    with suppress(UserError, ValueError):
        name = primary_and_second(data_set, best_by)[0]
    for line in reversed(run.read_evaluations(last=3) if name else []):
        value = number(line, name)
        if value is not None:
            metric = METRICS.entry(name)
            return metric.label, format_measured(value, metric.digits)
    return "", ""
