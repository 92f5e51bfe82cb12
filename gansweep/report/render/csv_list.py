"""Render a report as CSV for spreadsheets and data frames, with one line per run."""

from __future__ import annotations

from typing import Any

from gansweep.report.render.files import Files
from gansweep.report.table.collect import Results
from gansweep.report.table.columns import RESULTS, find_column, param_names
from gansweep.report.table.outcome import Outcome


def render(results: Results, files: Files) -> str:
    """Return CSV text with one line per run and picture column.

    A row without runs in a picture column has one line there, with the reason.
    """
    import pandas as pd

    rows = results.rows
    facts = [fact for row in rows for fact in row.facts]
    names = dict.fromkeys(["row", "sweep", *facts, *param_names(rows)])
    metrics = sorted({metric for row in rows for run in row.runs() for metric in run.score})
    params = [find_column(name, rows) for name in names if name not in metrics]
    records = []
    for row in rows:
        shared = {_safe(column.name): _safe(column.value(row)) for column in params}
        for heading, cell in row.cells.items():
            place = {**shared, "column": _safe(heading)}
            records += [place | _run_fields(run, files) for run in cell.runs]
            if not cell.runs:
                records.append({**place, "status": "not trained", "note": _safe(cell.why)})
    frame = pd.DataFrame(records)
    if "seed" in frame:
        frame["seed"] = frame["seed"].astype("Int64")  # integers, although some rows have no seed
    return frame.to_csv(index=False, lineterminator="\n")


def _run_fields(run: Outcome, files: Files) -> dict[str, Any]:
    found = {entry.name: _safe(entry.build(run)) for entry in RESULTS}
    scores = {n: v for n, v in run.score.items() if isinstance(v, int | float | bool)}
    return {
        "run": run.run_id,
        "seed": run.seed,
        **found,
        "metric": run.primary or None,
        **scores,
        "note": _safe(run.note),
        "picture": files.images.get(run.run_id),
    }


def _safe(value: Any) -> Any:
    """Return text in a form that no spreadsheet reads as a formula, with `\\n` as line end.

    Before 3.13, Python's csv does not quote a single carriage return.
    """
    if not isinstance(value, str):
        return value
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\n") else text
