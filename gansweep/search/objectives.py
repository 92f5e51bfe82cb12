"""What a search optimizes: the metric that ranks the runs and, if two are asked for, another value.

Whether less or more of a metric is better is known to the registry of metrics alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from gansweep.config import Config
from gansweep.plugins import METRICS, Direction
from gansweep.report.table.judged import distance
from gansweep.store.check import number
from gansweep.store.errors import UserError
from gansweep.store.records import Result
from gansweep.training.metrics.registered import PUBLISHED, metrics_of, primary_and_second


@dataclass(frozen=True)
class Objective:
    """label: its heading in tables; value: that of a trial from the results of its runs, None if
    one of them has none; text: a value as a table shows it."""

    label: str
    direction: Direction
    value: Callable[[Sequence[Result]], float | None]
    text: Callable[[float], str] = "{:,.0f}".format


def _seconds(results: Sequence[Result]) -> float:
    return fmean(result["training_seconds"] for result in results)


def _parameters(results: Sequence[Result]) -> float | None:
    sizes = results[0].get("parameters")
    return float(sizes["generator"] + sizes["discriminator"]) if sizes else None


SECOND = {
    "time": Objective("training seconds", "minimize", _seconds),
    "size": Objective("parameters", "minimize", _parameters),
}


def second_objective(objective: str) -> Objective | None:
    """That of `quality+time`, `quality+size` or `quality+METRIC`; None if there is but one."""
    _, _, what = objective.partition("+")
    if not what or what in SECOND:
        return SECOND.get(what)
    metric = METRICS[what]

    def mean(results: Sequence[Result]) -> float | None:
        judges = [judge for result in results if (judge := result.get("judge"))]
        known = [v for judge in judges if (v := number(judge["score"], what)) is not None]
        return fmean(known) if len(known) == len(results) else None

    return Objective(metric.label, metric.direction, mean, lambda value: distance(what, value))


def quality(bases: Sequence[Config]) -> tuple[str, Direction]:
    """The label and the direction of the metric that ranks the runs, on these data sets together.

    Raises UserError if more of one and less of another would be better.
    """
    metrics = [METRICS[primary_and_second(base.data.name)[0]] for base in bases]
    labels = [metric.label for metric in metrics]
    if len({metric.direction for metric in metrics}) > 1:
        raise UserError(
            f"{' and '.join(labels)} have no mean, as more of one and less of the other is better; "
            "search on one data set"
        )
    label = labels[0] if len(labels) == 1 else "mean of " + " and ".join(labels)
    return label, metrics[0].direction


def check_objective(objective: str, bases: Sequence[Config]) -> None:
    """Raises UserError if the scores of a data set do not have the metric of `quality+METRIC`."""
    _, _, what = objective.partition("+")
    for base in bases if what in METRICS else ():
        valid = [m.name for m in metrics_of(base.data.name, base.judge)]
        if what not in valid:
            features = METRICS[what].features
            remedy = f"valid: {', '.join(f'quality+{name}' for name in valid)}"
            if features in PUBLISHED:
                remedy = f"judge={features} measures it"
            raise UserError(f"objective={objective}: no {what} on {base.data.name}; {remedy}")
