"""The columns that a table can have: parameters, facts of its rows, results of their runs.

A new result is one registered function of a run's `Outcome`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from gansweep.config import PARAMS
from gansweep.plugins import METRICS, Registry
from gansweep.report.table.cell import Cell
from gansweep.report.table.judged import distance
from gansweep.report.table.outcome import Outcome
from gansweep.report.table.text import format_param, format_seconds, format_value, heading_of
from gansweep.store.check import number
from gansweep.store.errors import UserError, choices_hint

RESULTS = Registry("result")


@dataclass
class ReportRow:
    """One configuration. number: its place in its sweep; cells: one a picture column; singles: of
    the columns of single pictures."""

    sweep: str
    number: int
    params: dict[str, Any]
    facts: dict[str, str] = field(default_factory=dict)
    cells: dict[str, Cell] = field(default_factory=dict)
    singles: dict[str, list[Outcome]] = field(default_factory=dict)

    def runs(self) -> list[Outcome]:
        return [run for cell in self.cells.values() for run in cell.runs]


@dataclass(frozen=True)
class Column:
    """text: a row's cell; value: the same to sort and to select by, a number where it is one."""

    name: str
    heading: str
    text: Callable[[ReportRow], str]
    value: Callable[[ReportRow], Any]


def _number(value: float) -> str:
    return format_value(round(value, 1))


@RESULTS.register("epochs_trained", heading="epochs trained", text=_number)
def epochs_trained(run: Outcome) -> float | None:
    """Passes over the images"""
    return run.result["epochs"] if run.result else None


@RESULTS.register("training_time", heading="training time", text=format_seconds)
def training_time(run: Outcome) -> float | None:
    """Seconds of training, without judging"""
    return run.result["training_seconds"] if run.result else None


@RESULTS.register("images_per_second", heading="images/s", text=lambda v: f"{v:,.0f}")
def images_per_second(run: Outcome) -> float | None:
    """Images trained on in a second"""
    return run.result.get("images_per_second") if run.result else None


@RESULTS.register("equilibrium_epoch", heading="equilibrium epoch", text=lambda v: f"{v:.4g}")
def equilibrium_epoch(run: Outcome) -> float | None:
    """Where the distance was least"""
    return run.equilibrium["epoch"] if run.equilibrium else None


@RESULTS.register("equilibrium", heading="equilibrium", text=str)
def equilibrium(run: Outcome) -> str | None:
    """still improving, plateau or degraded after"""
    return run.equilibrium["label"] if run.equilibrium else None


@RESULTS.register("flags", heading="flags", text=str)
def flags(run: Outcome) -> str | None:
    """The judge's marks"""
    return ", ".join(run.marks) or None


@RESULTS.register("status", heading="status", text=str)
def status(run: Outcome) -> str | None:
    """done, running, failed, diverged, interrupted or planned"""
    return run.status


@RESULTS.register("commit", heading="commit", text=str)
def commit(run: Outcome) -> str | None:
    """Of gansweep, when it was trained"""
    return run.environment["commit"] if run.environment else None


def find_column(name: str, rows: list[ReportRow], on: str | None = None) -> Column:
    """The column `name`: a fact of the rows, a parameter, a result or a metric.

    `a / b` is two in one. on: the picture column that its value is taken from, where rows are
    trained on several data sets. Raises UserError, naming the near miss, if there is none.
    """
    if any(name in row.facts for row in rows):
        return Column(name, name, lambda row: row.facts.get(name, "–"), lambda r: _fact(r, name))
    if name == "row":
        return Column(name, name, lambda row: str(row.number), lambda row: row.number)
    if name == "sweep":
        return Column(name, name, lambda row: row.sweep, lambda row: row.sweep)
    parts = name.split(" / ")
    if all(part in PARAMS for part in parts):
        return Column(
            name,
            heading_of(name),
            lambda row: " / ".join(format_param(part, row.params) for part in parts),
            lambda row: row.params.get(parts[0]),
        )
    if name in RESULTS:
        entry = RESULTS[name]
        return _of_runs(name, entry.heading, entry.build, entry.text, on)
    if name in _metrics(rows):
        label = METRICS.entry(name).label
        return _of_runs(
            name, label, lambda run: number(run.score, name), lambda v: distance(name, v), on
        )
    raise UserError(f"no column {name!r}: {choices_hint(name, column_names(rows))}")


def column_names(rows: list[ReportRow]) -> list[str]:
    """All that these rows can be shown, sorted and selected by."""
    facts = dict.fromkeys(fact for row in rows for fact in row.facts)
    params = [name for name in PARAMS if any(name in row.params for row in rows)]
    seen = {name for row in rows for run in row.runs() for name in run.score}
    metrics = [name for name in _metrics(rows) if name in seen]
    return list(dict.fromkeys(["row", "sweep", *facts, *params, *metrics, *RESULTS.names()]))


def _metrics(rows: list[ReportRow]) -> list[str]:
    """Those that this version knows, and those that other versions have ranked these runs by."""
    primaries = dict.fromkeys(run.primary for row in rows for run in row.runs() if run.primary)
    return list(dict.fromkeys([*METRICS.names(), *primaries]))


def _fact(row: ReportRow, name: str) -> Any:
    text = row.facts.get(name)
    try:
        return float((text or "").replace(",", ""))
    except ValueError:
        return text


def _of_runs(
    name: str,
    heading: str,
    of: Callable[[Outcome], Any],
    text: Callable[[Any], str],
    on: str | None,
) -> Column:
    """A column of what runs have: a mean over the seeds a data set."""

    def means(row: ReportRow) -> dict[str, Any]:
        return {p: m for p, cell in row.cells.items() if (m := _mean(cell, of)) is not None}

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


def _mean(cell: Cell, of: Callable[[Outcome], Any]) -> Any:
    """Numbers' mean; other values once each; None if no run has one."""
    values = [value for run in cell.runs if (value := of(run)) is not None]
    if not values:
        return None
    if all(isinstance(value, int | float) for value in values):
        return fmean(values)
    return " ".join(dict.fromkeys(map(str, values)))
