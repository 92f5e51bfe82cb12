"""Print the answer of a command as JSON, for programs; docs/files.md describes the fields."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from gansweep.report.table.cell import Cell
from gansweep.report.table.columns import ReportRow
from gansweep.report.table.outcome import Outcome
from gansweep.report.write import Report
from gansweep.store.answers import (
    ReportAnswer,
    ReportCell,
    ReportRowAnswer,
    RunAnswer,
    StatusAnswer,
    StatusRun,
)
from gansweep.store.extension import read_parent
from gansweep.store.manifest import Manifest
from gansweep.store.run import Run
from gansweep.store.weights import all_runs, size_of, weight_files
from gansweep.terminal.console import console


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option --json."""
    parser.add_argument(
        "--json", action="store_true", help="print the answer as JSON, and all else on stderr"
    )


def only_json(asked: bool) -> None:
    """Let messages go to standard error if JSON is asked for, which is alone on standard output."""
    console.stderr = asked


def run_answer(run: Run, outcome: Outcome) -> RunAnswer:
    """Return a run as `show --json` prints it."""
    config: Mapping[str, Any] = outcome.config or {}
    return {
        "id": run.id,
        "status": outcome.status,
        "note": outcome.note,
        "folder": str(run.folder),
        "picture": None if outcome.picture is None else str(outcome.picture),
        "command": config.get("command", ""),
        "params": dict(config.get("params", {})),
        "data": dict(config.get("data", {})),
        "result": outcome.result,
        "environment": outcome.environment,
        "parent": read_parent(run),
    }


def report_answer(report: Report) -> ReportAnswer:
    """Return a report as `report --json` prints it."""
    return {
        "name": report.results.name,
        "folder": str(report.folder),
        "files": [str(path) for path in report.paths],
        "pictures": report.results.pictures,
        "rows": [_row(row) for row in report.results.rows],
    }


def _row(row: ReportRow) -> ReportRowAnswer:
    return {
        "sweep": row.sweep,
        "row": row.number,
        "params": row.params,
        "facts": row.facts,
        "cells": {picture: _cell(cell) for picture, cell in row.cells.items()},
    }


def _cell(cell: Cell) -> ReportCell:
    values = cell.values
    return {
        "runs": [run.run_id for run in cell.runs],
        "metric": cell.metric or None,
        "value": sum(values) / len(values) if values else None,
        "error": cell.error,
        "mark": cell.mark,
        "flags": list(dict.fromkeys(flag for run in cell.judged for flag in run.flags)),
        "statuses": [run.status for run in cell.runs],
        "notes": [note for _, note in cell.notes()],
        "why": cell.why,
    }


def status_answer(
    manifest: Manifest, out: str, seconds_left: float | None, runs: list[StatusRun]
) -> StatusAnswer:
    """Return a sweep as `status --json` prints it."""
    counts: dict[str, int] = {}
    for run in runs:
        counts[run["status"]] = counts.get(run["status"], 0) + 1
    files = [path for run_id in all_runs(manifest) for path in weight_files(Run(out, run_id))]
    return {
        "name": manifest.name,
        "counts": counts,
        "seconds_left": seconds_left,
        "weights_bytes": size_of(files),
        "runs": runs,
    }
