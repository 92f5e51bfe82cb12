"""Gathers what the gallery's page shows from the rows of a report and from the run folders."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gansweep.plugins import METRICS
from gansweep.report.gallery.copies import write_copies
from gansweep.report.gallery.page import Details, write_page
from gansweep.report.gallery.run_data import (
    UNFINISHED,
    RunReader,
    real_against_real,
    untrained,
)
from gansweep.report.gallery.words import legend, short, words_of
from gansweep.report.render.real_images import RUNS, write_real_images
from gansweep.report.table.caption import caption
from gansweep.report.table.cell import Cell
from gansweep.report.table.collect import ReportTable
from gansweep.report.table.columns import (
    Column,
    ReportRow,
    column_names,
    find_column,
    param_names,
)
from gansweep.report.table.eye import agreement, by_eye
from gansweep.report.table.picture_column import PictureColumn, picture_columns
from gansweep.report.table.votes import Votes
from gansweep.store.report_records import (
    Page,
    PageBest,
    PageCell,
    PageColumn,
    PageDetails,
    PagePicture,
    PageRow,
    PageRun,
)

if TYPE_CHECKING:
    from gansweep.report.write import Report


def write_gallery(report: Report) -> Path:
    """Write `index.html`, and the curves and pictures of the runs. Returns the path of the page."""
    page, found = gather(report)
    details = Details(report.folder / RUNS)
    for run_id, about in found.items():
        page["runs"][run_id]["details"] = f"{RUNS}/{details.add(run_id, about)}"
    details.write()
    copies = write_copies(report.folder, page)
    return write_page(report.folder, page, {"copies": copies} if copies else None)


def gather(report: Report) -> tuple[Page, dict[str, PageDetails]]:
    """Link the pictures into the report's folder. Returns the page's data, and details by run."""
    results, folder = report.results, report.folder
    columns = _columns(results.tables)
    ranked = picture_columns(results, report.out)
    reader = RunReader(report.out, folder)
    entries: dict[str, PageRun] = {}
    details: dict[str, PageDetails] = {}
    params = param_names(results.rows)
    for row in results.rows:
        for place, heading in enumerate(results.pictures):
            for run in row.cells[heading].runs:
                if run.run_id not in entries:
                    title = f"row {row.number}, {heading}, seed {run.seed}"
                    entries[run.run_id] = reader.entry(_key(row), title, place, run)
                    details[run.run_id] = reader.details(run, row, params)
    _remove_others(folder / RUNS, entries)
    names, common, others = _fields(results.rows)
    votes = {c.heading: Votes.of(report.out, results.name, c.heading) for c in ranked}
    eyes = {c.heading: by_eye(c, votes[c.heading]) for c in ranked}
    page: Page = {
        "name": results.name,
        "title": results.title,
        "command": "\n".join(results.commands),
        "best": _best(ranked),
        "found": report.best,
        "columns": [_heading(column, results.rows) for column in columns],
        "pictures": [_picture(report, column) for column in ranked],
        "tables": [
            {
                "remark": table.remark,
                "rows": [
                    _row(report, columns, row, ranked, entries, others[id(row)], eyes)
                    for row in table.rows
                ],
            }
            for table in results.tables
        ],
        "names": names,
        "common": common,
        "runs": entries,
        "caption": [
            *caption(results),
            *(f"{agreement(c, votes[c.heading])}." for c in ranked if eyes[c.heading]),
        ],
        "legend": legend(
            [cell for row in results.rows for cell in row.cells.values()], rated=any(eyes.values())
        ),
        "plots": [list(plot) for plot in report.plots],
    }
    return page, details


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
        "setting": all(
            any(name in row.params for row in rows) for name in column.name.split(" / ")
        ),
    }


def _numeric(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _fields(
    rows: list[ReportRow],
) -> tuple[dict[str, str], dict[str, Any], dict[int, dict[str, Any]]]:
    """Return what the filter knows: the values that `--where` knows, under the same names.

    Returns the heading of each name, the values that all rows share, and for each row, by its
    `id()`, its other values. A text is a number if all texts of its name are, as for `--where`.
    """
    names: dict[str, str] = {}
    common: dict[str, Any] = {}
    others: dict[int, dict[str, Any]] = {id(row): {} for row in rows}
    for name in column_names(rows):
        column = find_column(name, rows)
        names[name] = column.heading
        values = _as_numbers([_value(column.value(row)) for row in rows])
        if all(type(v) is type(values[0]) and v == values[0] for v in values):
            common[name] = values[0]
            continue
        for row, value in zip(rows, values, strict=True):
            others[id(row)][name] = value
    return names, common, others


def _as_numbers(values: list[Any]) -> list[Any]:
    if not any(isinstance(value, str) for value in values):
        return values
    try:
        numbers = [None if value is None else float(value) for value in values]
    except ValueError:
        return values
    return [int(n) if n is not None and n.is_integer() else n for n in numbers]


def _best(columns: list[PictureColumn]) -> list[PageBest]:
    """Return the best row of each picture column that has one, with the command of its run."""
    found: list[PageBest] = []
    for place, column in enumerate(columns):
        for row in column.ranked[:1]:
            if column.is_best(row):
                run = column.shown(row)
                command = run.config.get("command", "") if run.config else ""
                found.append(
                    {"picture": place, "row": _key(row), "run": run.run_id, "command": command}
                )
    return found


def _picture(report: Report, column: PictureColumn) -> PagePicture:
    metric = METRICS.entry(column.metric) if column.metric else None
    runs = [run for row in column.rows for run in column.cell(row).runs]
    data = [run.config["data"]["name"] for run in runs if run.config]
    judged = [run for run in runs if run.primary == column.metric and run.value is not None]
    real_value, real_n = real_against_real(judged)
    return {
        "heading": column.heading,
        "metric": metric.label if metric else "",
        "short": short(metric.label) if metric else "",
        "direction": metric.direction if metric else "minimize",
        "better": column.better,
        "untrained": untrained(report.out, judged) if metric else None,
        "real_value": real_value,
        "real_n": real_n,
        "real": write_real_images(report.results, column.heading, report.folder),
        "real_label": " and ".join(dict.fromkeys(data)),
    }


def _row(
    report: Report,
    columns: list[Column],
    row: ReportRow,
    ranked: list[PictureColumn],
    entries: dict[str, PageRun],
    also: dict[str, Any],
    eyes: dict[str, dict[str, int]],
) -> PageRow:
    return {
        "key": _key(row),
        "label": str(row.number),
        "values": [_value(column.value(row)) for column in columns],
        "texts": [column.text(row) for column in columns],
        "also": also,
        "cells": [_cell(report, column, row, entries, eyes[column.heading]) for column in ranked],
    }


def _key(row: ReportRow) -> str:
    return f"{row.sweep}/{row.number}"


def _value(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, int | float | str) else str(value)


def _cell(
    report: Report,
    column: PictureColumn,
    row: ReportRow,
    entries: dict[str, PageRun],
    eye: dict[str, int],
) -> PageCell:
    cell = column.cell(row)
    if cell.why:
        return {"why": cell.why}
    return {
        "runs": [run.run_id for run in cell.runs],
        "thumbs": [
            {
                "run": run.run_id,
                "src": report.files.images.get(run.run_id) or _latest(entries[run.run_id]),
                "label": label,
            }
            for run, label in cell.pictures()
        ],
        "value": sum(cell.values) / len(cell.values) if cell.values else None,
        "text": cell.headline(),
        "words": _words(cell, entries),
        "rank": column.place(row) + 1 if column.judged(row) and column.alive(row) else None,
        "eye": next((eye[run.run_id] for run in cell.runs if run.run_id in eye), None),
        "mark": cell.mark,
        # The words and the bar of a running run say more than its note.
        "notes": [note for run, note in cell.notes() if run.status != "running"],
    }


def _latest(run: PageRun) -> str | None:
    """Return the last picture of a run that is not done, which has no other."""
    steps = run["steps"]
    return steps[-1][1] if steps and run["status"] in UNFINISHED else None


def _words(cell: Cell, entries: dict[str, PageRun]) -> list[str]:
    """Return what the page says of a cell after its value: of one run all, of several the flags."""
    if len(cell.runs) == 1:
        run = cell.runs[0]
        return words_of(run) or entries[run.run_id]["words"]
    return list(dict.fromkeys(mark for run in cell.judged for mark in run.marks))


def _remove_others(folder: Path, kept: Collection[str]) -> None:
    """Remove the pictures of runs that only an earlier gallery showed."""
    for path in folder.glob("*-s[0-9]*/"):
        if path.name not in kept:
            with suppress(OSError):
                for picture in path.glob("*.png"):
                    picture.unlink()
                path.rmdir()
