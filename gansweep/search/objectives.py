"""Defines what a search optimizes: the metric that ranks the runs and, optionally, a second value.

Only the registry of metrics knows whether less or more of a metric is better.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import cast

from gansweep.config import Config
from gansweep.plugins import METRICS, Direction
from gansweep.report.table.judged import distance
from gansweep.store.check import number
from gansweep.store.errors import UserError
from gansweep.store.records import EvaluationLine, Result
from gansweep.store.run import Run, read_json
from gansweep.training.metrics.registered import PUBLISHED, metrics_of, primary_and_second

EYE = "eye"  # votes on pairs of pictures: see by_eye.py


@dataclass(frozen=True)
class Objective:
    """One objective of a search.

    label: the heading in tables; direction: `minimize` or `maximize`; value: computes the objective
    from the results of a trial's runs, or None if a result does not have it; text: formats a value
    for a table; early: computes it from a run that is being trained and its best evaluation so far,
    or None if that is not known, and is itself None if only the end of a run shows it.
    """

    label: str
    direction: Direction
    value: Callable[[Sequence[Result]], float | None]
    text: Callable[[float], str] = "{:,.0f}".format
    early: Callable[[Run, EvaluationLine], float | None] | None = None


def _seconds(results: Sequence[Result]) -> float:
    return fmean(result["training_seconds"] for result in results)


def _parameters(results: Sequence[Result]) -> float | None:
    sizes = results[0].get("parameters")
    return float(sum(cast("dict[str, int]", sizes).values())) if sizes else None


def _expected_seconds(run: Run, _: EvaluationLine) -> float | None:
    """Return the training seconds of the whole run at its speed so far, without evaluations."""
    lines, record = run.read_metrics(last=1), run.read_config()
    steps = record["identity"]["steps"] if record else None
    if not lines or not steps or not lines[-1]["step"]:
        return None
    step, seconds = lines[-1]["step"], number(lines[-1], "seconds")
    judging = sum(
        number(line, "judging_seconds") or 0.0
        for line in run.read_evaluations()
        if line["step"] < step
    )
    return None if seconds is None else max(0.0, seconds - judging) / step * steps


def _planned_parameters(run: Run, _: EvaluationLine) -> float | None:
    sizes = (read_json(run.environment) or {}).get("parameters")
    return float(sum(sizes.values())) if sizes else None


SECOND_OBJECTIVES = {
    "time": Objective("training seconds", "minimize", _seconds, early=_expected_seconds),
    "size": Objective("parameters", "minimize", _parameters, early=_planned_parameters),
}
EVALUATED = {"diversity", "density", "coverage"}  # the metrics that evaluations have, see `Judge`


def second_objective(objective: str) -> Objective | None:
    """Return the second objective of `quality+time`, `quality+size` or `quality+METRIC`.

    Returns None for `quality`, which is the only objective.
    """
    _, _, name = objective.partition("+")
    if not name or name in SECOND_OBJECTIVES:
        return SECOND_OBJECTIVES.get(name)
    metric = METRICS[name]

    def mean(results: Sequence[Result]) -> float | None:
        judges = [judge for result in results if (judge := result.get("judge"))]
        known = [v for judge in judges if (v := number(judge["score"], name)) is not None]
        return fmean(known) if len(known) == len(results) else None

    def early(_: Run, best: EvaluationLine) -> float | None:
        return number(best, name)

    return Objective(
        metric.label,
        metric.direction,
        mean,
        lambda value: distance(name, value),
        early if name in EVALUATED else None,
    )


def quality(bases: Sequence[Config]) -> tuple[str, Direction]:
    """Return the label and the direction of the first objective over all data sets.

    Raises UserError if more is better for the metric of one data set and less for another metric.
    """
    metrics = [METRICS[primary_and_second(base.data.name, base.best_by)[0]] for base in bases]
    labels = [metric.label for metric in metrics]
    if len({metric.direction for metric in metrics}) > 1:
        raise UserError(
            f"{' and '.join(labels)} have no mean, as more of one and less of the other is better; "
            "search on one data set"
        )
    label = labels[0] if len(labels) == 1 else "mean of " + " and ".join(labels)
    return label, metrics[0].direction


def check_eye(settings: Config, data_sets: int, *, pruner_typed: bool) -> None:
    """Raise UserError for settings that a search by eye cannot have, and let it prune nothing."""
    if settings.pruner != "none" and pruner_typed:
        raise UserError("objective=eye compares finished trials: leave out pruner=")
    settings.pruner = "none"
    if settings.sampler not in ("tpe", "gp"):
        raise UserError(f"sampler={settings.sampler} learns nothing from votes; use tpe or gp")
    for name, value in (("data", data_sets), ("seeds_per_trial", settings.seeds_per_trial)):
        if value > 1:
            raise UserError(f"{name}: objective=eye compares one picture of each trial; choose one")
    if settings.storage is not None:
        raise UserError("storage=…: objective=eye keeps its votes in the folder of the sweep")


def check_objective(objective: str, bases: Sequence[Config]) -> None:
    """Raise UserError if the scores of a data set do not have the metric of `quality+METRIC`."""
    _, _, name = objective.partition("+")
    for base in bases if name in METRICS else ():
        valid = [m.name for m in metrics_of(base.data.name, base.judge, labelled=base.labels)]
        if name not in valid:
            features = METRICS[name].features
            remedy = f"valid: {', '.join(f'quality+{metric}' for metric in valid)}"
            if features in PUBLISHED:
                remedy = f"judge={features} measures it"
            raise UserError(f"objective={objective}: no {name} on {base.data.name}; {remedy}")
