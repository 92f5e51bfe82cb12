"""Gathers what the gallery's page shows from the rows of a report and from the run folders."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gansweep.config import HYPERPARAMETERS, PARAMS
from gansweep.plugins import METRICS
from gansweep.report.gallery.page import Details, write_page
from gansweep.report.render.files import link_picture
from gansweep.report.render.real_images import RUNS, write_real_images
from gansweep.report.table.caption import caption
from gansweep.report.table.cell import Cell
from gansweep.report.table.collect import ReportTable
from gansweep.report.table.columns import RESULTS, Column, ReportRow, find_column, param_names
from gansweep.report.table.outcome import Outcome
from gansweep.report.table.text import format_param, heading_of
from gansweep.store.check import number
from gansweep.store.records import EvaluationLine, MetricsLine
from gansweep.store.report_records import (
    Page,
    PageCell,
    PageColumn,
    PageDetails,
    PagePicture,
    PageRow,
    PageRun,
    Series,
)
from gansweep.store.run import Run

if TYPE_CHECKING:
    from gansweep.report.write import Report

MAX_POINTS = 400  # of a curve


def write_gallery(report: Report) -> Path:
    """Write `index.html`, and the curves and pictures of the runs. Returns the path of the page."""
    results, folder = report.results, report.folder
    columns = _columns(results.tables)
    real = {p: write_real_images(results, p, folder) for p in results.pictures}
    entries: dict[str, PageRun] = {}
    details = Details(folder / RUNS)
    params = param_names(results.rows)
    for row in results.rows:
        for place, heading in enumerate(results.pictures):
            for run in row.cells[heading].runs:
                if run.run_id not in entries:
                    found = _details(Run(report.out, run.run_id), run, row, params)
                    file = details.add(run.run_id, found)
                    entry = _run(report, row, place, heading, run)
                    entries[run.run_id] = entry | {"details": f"{RUNS}/{file}"}
    details.write()
    _remove_others(folder / RUNS, entries)
    page: Page = {
        "title": results.title,
        "command": "\n".join(results.commands),
        "columns": [_heading(column, results.rows) for column in columns],
        "pictures": [_picture(report, heading, real[heading]) for heading in results.pictures],
        "tables": [
            {"remark": t.remark, "rows": [_row(report, columns, row) for row in t.rows]}
            for t in results.tables
        ],
        "runs": entries,
        "caption": caption(results),
    }
    return write_page(folder, page)


def _columns(tables: Sequence[ReportTable]) -> list[Column]:
    """Return the columns of all tables.

    If the tables differ, a column of two parameters is split into two columns.
    """
    columns = {column.name: column for table in tables for column in table.columns}
    if all(len(table.columns) == len(columns) for table in tables):
        return list(columns.values())
    rows = [row for table in tables for row in table.rows]
    names = dict.fromkeys(part for name in columns for part in name.split(" / "))
    return [columns.get(name) or find_column(name, rows) for name in names]


def _heading(column: Column, rows: list[ReportRow]) -> PageColumn:
    return {
        "name": column.name,
        "heading": column.heading,
        "numeric": all(_numeric(column.value(row)) for row in rows),
    }


def _numeric(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _picture(report: Report, heading: str, real: str | None) -> PagePicture:
    cells = [row.cells[heading] for row in report.results.rows]
    metric = next((cell.metric for cell in cells if cell.metric), "")
    data = [run.config["data"]["name"] for cell in cells for run in cell.runs if run.config]
    return {
        "heading": heading,
        "metric": METRICS.entry(metric).label if metric else "",
        "direction": METRICS.entry(metric).direction if metric else "minimize",
        "real": real,
        "real_label": " and ".join(dict.fromkeys(data)),
    }


def _row(report: Report, columns: list[Column], row: ReportRow) -> PageRow:
    return {
        "key": _key(row),
        "label": str(row.number),
        "values": [_value(column.value(row)) for column in columns],
        "texts": [column.text(row) for column in columns],
        "cells": [_cell(report, row.cells[heading]) for heading in report.results.pictures],
    }


def _key(row: ReportRow) -> str:
    return f"{row.sweep}/{row.number}"


def _value(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, int | float | str) else str(value)


def _cell(report: Report, cell: Cell) -> PageCell:
    if cell.why:
        return {"why": cell.why}
    single = len(cell.runs) == 1
    text = [cell.headline(), *cell.remainder()] if cell.values else []
    return {
        "runs": [run.run_id for run in cell.runs],
        "thumbs": [
            {"run": run.run_id, "src": report.files.images.get(run.run_id), "label": label}
            for run, label in cell.pictures()
        ],
        "value": sum(cell.values) / len(cell.values) if cell.values else None,
        "text": cell.runs[0].judged if single else " ".join(text),
        "mark": cell.mark,
        "notes": [note for _, note in cell.notes()],
    }


def _run(report: Report, row: ReportRow, place: int, heading: str, run: Outcome) -> PageRun:
    source = Run(report.out, run.run_id)
    target = report.folder / RUNS / run.run_id
    target.mkdir(parents=True, exist_ok=True)
    full = link_picture(run.picture, target / "samples.png") if run.picture else False
    steps = {
        step: f"{_url(run.run_id)}/{path.name}"
        for step, path in source.sample_pictures().items()
        if link_picture(path, target / path.name)
    }
    equilibrium = run.equilibrium["step"] if run.equilibrium else None
    if equilibrium and link_picture(source.best_picture, target / "best.png"):
        steps[equilibrium] = f"{_url(run.run_id)}/best.png"
    nearest = equilibrium and link_picture(source.nearest, target / "nearest.png")
    return {
        "title": f"row {row.number}, {heading}, seed {run.seed}",
        "row": _key(row),
        "picture": place,
        "seed": run.seed,
        "status": run.status,
        "value": run.value,
        "text": run.judged,
        "marks": run.marks,
        "note": run.note,
        "full": f"{_url(run.run_id)}/samples.png" if full else None,
        "steps": [list(step) for step in sorted(steps.items())],
        "equilibrium": equilibrium,
        "nearest": f"{_url(run.run_id)}/nearest.png" if nearest else None,
    }


def _url(run_id: str) -> str:
    return f"{RUNS}/{quote(run_id)}"


def _details(source: Run, run: Outcome, row: ReportRow, names: list[str]) -> PageDetails:
    params = [
        [heading_of(name), format_param(name, row.params)]
        for name in names
        if name in row.params and (name in HYPERPARAMETERS or name not in PARAMS)
    ]
    facts = [["run", run.run_id], ["seed", str(run.seed)]]
    for entry in RESULTS:
        value = entry.build(run)
        if value is not None:
            facts.append([entry.heading, entry.text(value)])
    facts += [[label, f"{value:.4g}"] for label, value in run.measured()]
    if run.environment:
        environment = run.environment
        facts.append(["device", f"{environment['device']} ({environment['hardware']})"])
        facts.append(["torch", environment["packages"].get("torch") or "–"])
        facts.append(["gansweep", environment["gansweep"]])
    return {
        "params": params,
        "facts": facts,
        "command": run.config.get("command", "") if run.config else "",
        "series": [*_losses(source), *_distances(source, run)],
        "log": source.log_tail(20) if run.status != "done" else [],
    }


def _losses(source: Run) -> list[Series]:
    records = _thinned(source.read_metrics())
    return [
        series
        for name, label in (("loss_d", "loss D"), ("loss_g", "loss G"))
        if (series := _series(records, name, label, "losses"))
    ]


def _distances(source: Run, run: Outcome) -> list[Series]:
    evaluations = source.read_evaluations()
    known = dict.fromkeys([*METRICS.names(), run.primary])
    names = [n for n in known if any(n in record for record in evaluations)]
    curves = []
    for name in names:
        label = METRICS.entry(name).label
        group = "distance" if name == run.primary or len(names) == 1 else label
        if series := _series(evaluations, name, label, group):
            curves.append(series)
    return curves


def _thinned(records: list[MetricsLine]) -> list[MetricsLine]:
    """Return at most MAX_POINTS records, evenly chosen. The last one is among them."""
    stride = -(-len(records) // MAX_POINTS) or 1
    return records[::-1][::stride][::-1]


def _series(
    records: Sequence[MetricsLine | EvaluationLine], name: str, label: str, group: str
) -> Series | None:
    """Return one curve for `curves.js`, or None if no record has a finite number `name`."""
    ys = [number(record, name) for record in records]
    if all(y is None for y in ys):
        return None
    return {"name": label, "group": group, "x": [record["step"] for record in records], "y": ys}


def _remove_others(folder: Path, kept: Collection[str]) -> None:
    """Remove the pictures of runs that only an earlier gallery showed."""
    for path in folder.glob("*-s[0-9]*/"):
        if path.name not in kept:
            with suppress(OSError):
                for picture in path.glob("*.png"):
                    picture.unlink()
                path.rmdir()
