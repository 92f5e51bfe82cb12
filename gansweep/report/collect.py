"""Reading a sweep's runs into pandas tables: one row a configuration, one column a parameter."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gansweep.config import PARAMS
from gansweep.report.judged import verdict
from gansweep.run import Run, damaged, read_json
from gansweep.sweep.manifest import NOT_APPLICABLE, RESULTS, SINGLES, Manifest, Table

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class Outcome:
    """What became of one run.

    picture: its sample grid, if there is one, of the equilibrium or the last; note: what went
    wrong; judged: what the judge says.
    """

    run_id: str
    status: str
    picture: Path | None
    note: str
    config: dict[str, Any]
    result: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    judged: str = ""

    @property
    def seed(self) -> int:
        return int(self.run_id.rpartition("-s")[2])


@dataclass
class ReportTable:
    """A table ready to be rendered.

    frame: indexed by row number; parameter and result columns hold text, picture columns a list
    of Outcomes, or text where the row cannot be trained on that data set.
    """

    remark: str
    frame: pd.DataFrame
    pictures: list[str]


def collect(
    manifest: Manifest, out: str | Path, thumbnail: str = "equilibrium"
) -> list[ReportTable]:
    """The manifest's tables with what the run folders say now.

    thumbnail: the picture of the `equilibrium` (where there is one) or of the `last` step.
    """
    outcomes = {
        run_id: read_outcome(Run(out, run_id), thumbnail)
        for row in manifest.rows
        for runs in row.runs.values()
        for run_id in runs
    }
    for run_id, why in manifest.pruned.items():
        if run_id in outcomes and outcomes[run_id].status != "done":
            outcomes[run_id].note = why
    return [_table(manifest, table, outcomes, out) for table in manifest.tables]


def read_outcome(run: Run, thumbnail: str = "equilibrium") -> Outcome:
    """What the folder of one run tells; a file that cannot be read is named in the note."""
    status = run.status()
    result = read_json(run.result) or {}
    note = {
        "done": "" if run.picture.exists() else "picture missing: run the sweep again to draw it",
        "running": "running",
        "failed": run.why_failed(),
        "diverged": run.why_failed(),
        "interrupted": "interrupted: run the sweep again",
        "planned": "not trained yet",
    }[status]
    if status in ("running", "interrupted"):
        lines = run.read_metrics()
        note += f" (step {lines[-1].get('step')})" if lines else ""
    failure = read_json(run.failure) or {}
    if status == "failed" and failure.get("cause") in ("killed", "crashed") and failure.get("log"):
        note += f"; its last words: {failure['log'][-1]}"
    broken = [p.name for p in (run.config, run.result, run.failure) if damaged(p)]
    if broken:
        note = f"{', '.join(broken)} damaged: run the sweep again"
    return Outcome(
        run.id,
        status,
        _picture(run, thumbnail),
        note,
        read_json(run.config) or {},
        result,
        read_json(run.environment) or {},
        verdict(result) if status == "done" else "",
    )


def _picture(run: Run, thumbnail: str) -> Path | None:
    chosen = [run.best_picture] if thumbnail == "equilibrium" else []
    return next((path for path in (*chosen, run.picture) if path.exists()), None)


def _table(
    manifest: Manifest, table: Table, outcomes: dict[str, Outcome], out: str | Path
) -> ReportTable:
    import pandas as pd

    records = []
    for index in table.rows:
        row, params = manifest.rows[index], manifest.params(index)
        cells: dict[str, Any] = {fact: row.facts.get(fact, "–") for fact in table.facts}
        for column in table.columns:
            heading = table.headings.get(column) or _heading(column)
            cells[heading] = " / ".join(format_param(name, params) for name in column.split(" / "))
        found = {
            picture: [outcomes[run_id] for run_id in row.runs.get(picture, [])]
            for picture in manifest.pictures
        }
        for result in table.results:
            cells[RESULTS[result]] = _result(result, found)
        for single in table.singles:
            cells[SINGLES[single]] = [
                _single(Run(out, o.run_id), o, single) for of in found.values() for o in of
            ]
        for picture, outcome in found.items():
            cells[picture] = outcome or row.invalid.get(picture, "not part of this row")
        records.append(cells)
    frame = pd.DataFrame(records, index=table.rows)
    singles = [SINGLES[single] for single in table.singles]
    return ReportTable(table.remark, frame, [*singles, *manifest.pictures])


def _single(run: Run, outcome: Outcome, name: str) -> Outcome:
    """One picture of a run, to stand in a column of its own."""
    path: Path = getattr(run, name)
    return replace(
        outcome,
        run_id=f"{name}-{run.id}",
        picture=path if path.exists() else None,
        note="" if path.exists() else "–",
        judged="",
    )


def _heading(column: str) -> str:
    """`gen/disc drop` for `gen_drop / disc_drop`, as the documents merge it."""
    labels = [PARAMS[name].label for name in column.split(" / ")]
    if len(labels) == 1:
        return labels[0]
    words = [label.split() for label in labels]
    if len({tuple(w[1:]) for w in words}) == 1:
        return " ".join(["/".join(w[0] for w in words), *words[0][1:]])
    return " / ".join(labels)


def format_param(name: str, params: dict[str, Any]) -> str:
    """A parameter as the documents write it: 0.00005, n/a where it has no effect."""
    value = params.get(name)
    if value is None:
        return PARAMS[name].null_label or NOT_APPLICABLE
    return format_value(value)


def format_value(value: Any) -> str:
    """Numbers without exponent, yes and no, text as it is."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        text = format(Decimal(repr(value)), "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)


def _result(name: str, found: dict[str, list[Outcome]]) -> str:
    """One result of a row's finished runs, a value a data set; `–` where there is none."""
    done = [o.result for outcomes in found.values() for o in outcomes if o.status == "done"]
    if name == "epochs_trained":
        values = [format_value(round(result["epochs"], 1)) for result in done]
    elif name == "equilibrium_epoch":
        judged = [(result.get("judge") or {}).get("equilibrium") for result in done]
        values = [f"{e['epoch']:.4g} ({e['label']})" if e else "–" for e in judged]
    else:
        values = [format_seconds(result["training_seconds"]) for result in done]
    return " / ".join(dict.fromkeys(values)) or "–"


def format_seconds(seconds: float) -> str:
    """14 s, 3 min 5 s, 18 h 4 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
