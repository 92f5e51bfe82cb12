"""The columns of a table: parameters, facts of rows, and results and metrics of runs.

A new result column needs one function of a run's `Outcome`, registered in RESULTS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, cast

from gansweep.components import is_option
from gansweep.config import PARAMS, RENAMED, ordered
from gansweep.plugins import DATASETS, METRICS, Registry
from gansweep.report.table.cell import Cell
from gansweep.report.table.judged import distance, marks
from gansweep.report.table.outcome import Outcome
from gansweep.report.table.text import format_param, format_seconds, format_value, heading_of
from gansweep.store.check import number
from gansweep.store.errors import UserError, choices_hint
from gansweep.training.metrics.registered import metrics_of

RESULTS = Registry("result")


@dataclass
class ReportRow:
    """One configuration.

    number: the index in its sweep; facts: further texts by column; cells: by picture column;
    singles: the pictures of each column of single pictures; absent: the parameters that the sweep's
    file lacks, as its version did not have them: `params` has their values of that time.
    """

    sweep: str
    number: int
    params: dict[str, Any]
    facts: dict[str, str] = field(default_factory=dict)
    cells: dict[str, Cell] = field(default_factory=dict)
    singles: dict[str, list[Outcome]] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()

    def runs(self) -> list[Outcome]:
        return [run for cell in self.cells.values() for run in cell.runs]


@dataclass(frozen=True)
class Column:
    """A column. text: returns a row's text; value: returns the value for sorting and selecting."""

    name: str
    heading: str
    text: Callable[[ReportRow], str]
    value: Callable[[ReportRow], Any]


def _number(value: float) -> str:
    return format_value(round(value, 1))


@RESULTS.register("epochs_trained", heading="epochs trained", text=_number)
def epochs_trained(run: Outcome) -> float | None:
    """Passes over the training images"""
    return run.result.get("epochs") if run.result else None


@RESULTS.register("training_time", heading="training time", text=format_seconds)
def training_time(run: Outcome) -> float | None:
    """Seconds of training, without evaluations"""
    return run.result["training_seconds"] if run.result else None


@RESULTS.register("seconds", heading="time with judging", text=format_seconds)
def seconds(run: Outcome) -> float | None:
    """Seconds of the whole run, with its evaluations"""
    return run.result.get("seconds") if run.result else None


@RESULTS.register("parameters", heading="parameters", text=lambda v: f"{v:,.0f}")
def parameters(run: Outcome) -> int | None:
    """Trained parameters of both networks, or of a user's module"""
    sizes = run.result.get("parameters") if run.result else None
    return sum(cast("dict[str, int]", sizes).values()) if sizes else None


@RESULTS.register("peak_memory", heading="peak memory (MiB)", text=lambda v: f"{v:,.0f}")
def peak_memory(run: Outcome) -> int | None:
    """Most memory of the run's process, in MiB; of the GPU if it trained on one"""
    return run.result.get("peak_memory_mib") if run.result else None


@RESULTS.register("images_per_second", heading="images/s", text=lambda v: f"{v:,.0f}")
def images_per_second(run: Outcome) -> float | None:
    """Training images per second"""
    return run.result.get("images_per_second") if run.result else None


@RESULTS.register("equilibrium_epoch", heading="equilibrium epoch", text=lambda v: f"{v:.4g}")
def equilibrium_epoch(run: Outcome) -> float | None:
    """Epoch with the best value of the primary metric"""
    return run.equilibrium.get("epoch") if run.equilibrium else None


@RESULTS.register("equilibrium", heading="equilibrium", text=str)
def equilibrium(run: Outcome) -> str | None:
    """Course of the metric: still improving, plateau or degraded after"""
    return run.equilibrium["label"] if run.equilibrium else None


@RESULTS.register("flags", heading="flags", text=str)
def flags(run: Outcome) -> str | None:
    """Flags of the judge, in words"""
    return ", ".join(marks(run.judge)) or None if run.judge else None


@RESULTS.register("ema_length", heading="best EMA length", text=lambda v: f"{v:.3g}")
def ema_length(run: Outcome) -> float | None:
    """Length of the post-hoc EMA with the best value of the primary metric; 0: no EMA is better"""
    return run.best_average["length"] if run.best_average else None


@RESULTS.register("ema_distance", heading="with best EMA length", text=lambda v: f"{v:.4g}")
def ema_distance(run: Outcome) -> float | None:
    """Primary metric of the last weights, averaged with this length"""
    return run.best_average["value"] if run.best_average else None


@RESULTS.register("status", heading="status", text=str)
def status(run: Outcome) -> str | None:
    """Status: done, running, failed, diverged, pruned, interrupted, planned or damaged"""
    return run.status


@RESULTS.register("commit", heading="commit", text=str)
def commit(run: Outcome) -> str | None:
    """Commit of gansweep that trained the run"""
    return run.environment["commit"] if run.environment else None


def find_column(name: str, rows: list[ReportRow], on: str | None = None) -> Column:
    """Return the column `name`: a fact of the rows, a parameter, a result or a metric.

    `a / b` merges two parameters. on: the picture column that gives the values if rows are trained
    on several data sets. Raises UserError, with the most similar name, if there is no such column.
    """
    if any(name in row.facts for row in rows):
        return Column(name, name, lambda row: row.facts.get(name, "–"), lambda r: _fact(r, name))
    if name == "row":
        return Column(name, name, lambda row: str(row.number), lambda row: row.number)
    if name == "sweep":
        return Column(name, name, lambda row: row.sweep, lambda row: row.sweep)
    parts = name.split(" / ")
    if all(
        part in PARAMS or is_option(part) or any(part in row.params for row in rows)
        for part in parts
    ):
        return Column(
            name,
            heading_of(name),
            lambda row: " / ".join(format_param(part, row.params) for part in parts),
            lambda row: row.params.get(parts[0]),
        )
    if name in RESULTS:
        entry = RESULTS[name]
        return _of_runs(name, entry.heading, entry.build, entry.text, on)
    scored = name in METRICS and any(name in run.score for row in rows for run in row.runs())
    if scored or name in _metrics(rows):
        label = METRICS.entry(name).label
        return _of_runs(
            name, label, lambda run: number(run.score, name), lambda v: distance(name, v), on
        )
    raise UserError(f"no column {name!r}: {choices_hint(name, column_names(rows))}")


def column_names(rows: list[ReportRow]) -> list[str]:
    """Return the names of all columns that these rows can be shown, sorted and selected by."""
    facts = dict.fromkeys(fact for row in rows for fact in row.facts)
    params = _in_order(name for row in rows for name in row.params)
    return list(dict.fromkeys(["row", "sweep", *facts, *params, *_metrics(rows), *RESULTS.names()]))


def param_names(rows: list[ReportRow]) -> list[str]:
    """Return the names of the parameters in the files of these rows' sweeps, in their order."""
    return _in_order(name for row in rows for name in row.params if name not in row.absent)


def _in_order(names: Iterable[str]) -> list[str]:
    """Return parameters in their order; those of a newer version, which are unknown, come last."""
    given = dict.fromkeys(names)
    known = ordered(given)
    return [*known, *(name for name in given if name not in {*known, *RENAMED})]


def _metrics(rows: list[ReportRow]) -> list[str]:
    """Return the metrics of these runs, also if the runs are not scored yet.

    They are those of the runs' data sets and judge=, all others that a run has, and the metrics of
    other versions that rank a run.
    """
    runs = [run for row in rows for run in row.runs()]
    found: set[str] = set().union(*(run.score for run in runs))
    configs = [run.config for run in runs if run.config]
    judges = {
        (c["data"]["name"], str(params.get("judge")), bool(params.get("labels")))
        for c in configs
        for params in [c.get("params", {})]
    }
    for data_set, judge, labelled in judges:
        if data_set in DATASETS and judge != "false":
            found |= {m.name for m in metrics_of(data_set, judge, labelled=labelled)}
    primaries = [run.primary for run in runs if run.primary]
    return list(dict.fromkeys([*(n for n in METRICS.names() if n in found), *primaries]))


def _fact(row: ReportRow, name: str) -> Any:
    """Return a fact of a row, as a number if it is one; None if the row has no such fact."""
    text = row.facts.get(name)
    try:
        return float((text or "").replace(",", ""))
    except ValueError:
        return text


def _of_runs(
    name: str,
    heading: str,
    value_of: Callable[[Outcome], Any],
    text: Callable[[Any], str],
    on: str | None,
) -> Column:
    """Return a column of the mean over the seeds, for each data set."""

    def means(row: ReportRow) -> dict[str, Any]:
        return {p: m for p, cell in row.cells.items() if (m := _mean(cell, value_of)) is not None}

    def value(row: ReportRow) -> Any:
        found = means(row)
        if on is not None:
            return found.get(on)
        primary = [p for p in found if row.cells[p].metric == name]
        return found[primary[0]] if primary else next(iter(found.values()), None)

    def shown(row: ReportRow) -> str:
        texts = [text(mean) for mean in means(row).values()]
        return " / ".join(dict.fromkeys(texts)) or "–"

    return Column(name, heading, shown, value)


def _mean(cell: Cell, value_of: Callable[[Outcome], Any]) -> Any:
    """Return the mean of numbers, or the distinct other values; None if no run has a value."""
    values = [value for run in cell.runs if (value := value_of(run)) is not None]
    if not values:
        return None
    if all(isinstance(value, int | float) for value in values):
        return fmean(values)
    return " ".join(dict.fromkeys(map(str, values)))
