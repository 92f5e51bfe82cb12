"""Read the runs of sweeps into tables with a row per configuration and a column per parameter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gansweep.report.table.cell import Cell, mark_best
from gansweep.report.table.columns import Column, ReportRow, find_column, param_names
from gansweep.report.table.older import completed
from gansweep.report.table.outcome import Outcome, read_outcome, single
from gansweep.report.table.text import UNKNOWN, format_param
from gansweep.store.manifest import NOT_APPLICABLE, SINGLES, Manifest, Row, Table
from gansweep.store.records import ends_by_steps
from gansweep.store.run import Run

PRUNED = "pruned"  # the status of a run that its search has ended early


@dataclass
class ReportTable:
    """Rows with common headings.

    remark: text before the table; singles: headings of columns with single pictures; pictures:
    headings of columns with sample grids, which are the keys of `ReportRow.cells`.
    """

    remark: str
    columns: list[Column]
    rows: list[ReportRow]
    singles: list[str]
    pictures: list[str]


@dataclass
class Results:
    """The contents of a report before rendering.

    commands: the command line of each sweep; search: the manifest, if the sweep is a search.
    """

    name: str
    title: str
    commands: list[str]
    tables: list[ReportTable]
    search: Manifest | None = None

    @property
    def rows(self) -> list[ReportRow]:
        return [row for table in self.tables for row in table.rows]

    @property
    def pictures(self) -> list[str]:
        return list(dict.fromkeys(p for table in self.tables for p in table.pictures))

    def outcomes(self) -> list[Outcome]:
        """Return every run once."""
        return list({run.run_id: run for row in self.rows for run in row.runs()}.values())


@dataclass
class Reader:
    """Reads run folders; each folder is read once, even if several rows contain the run.

    out: the output folder; thumbnail: see `read_outcome`; grouped: whether tables summarise the
    seeds of a row.
    """

    out: str | Path
    thumbnail: str = "equilibrium"
    grouped: bool = True
    _outcomes: dict[str, Outcome] = field(default_factory=dict)

    def outcome(self, run_id: str) -> Outcome:
        if run_id not in self._outcomes:
            self._outcomes[run_id] = read_outcome(Run(self.out, run_id), self.thumbnail)
        return self._outcomes[run_id]

    def row(self, manifest: Manifest, index: int, singles: Sequence[str] = ()) -> ReportRow:
        """Return a row of a manifest with the outcomes of its runs; singles: see `Table`."""
        planned: Row = manifest.rows[index]
        params = manifest.params(index)
        found = ReportRow(manifest.name, index, completed(params), dict(planned.facts))
        found.absent = frozenset(found.params) - params.keys()
        outside = manifest.search.get("outside", {})
        for picture in manifest.pictures:
            runs = [self.outcome(run_id) for run_id in planned.runs.get(picture, [])]
            # A copy: the same run in another sweep is not under this search's constraint.
            runs = [
                replace(r, outside=outside[r.run_id]) if r.run_id in outside else r for r in runs
            ]
            for run in runs:
                if run.run_id in manifest.pruned and run.status != "done":
                    run.status, run.note = PRUNED, manifest.pruned[run.run_id]
            why = "" if runs else planned.invalid.get(picture, "not part of this row")
            found.cells[picture] = Cell(runs, why, self.grouped)
        for name in singles:
            found.singles[SINGLES[name]] = [
                single(Run(self.out, run.run_id), run, name) for run in found.runs()
            ]
        return found


def collect(manifests: Sequence[Manifest], reader: Reader) -> Results:
    """Return the planned tables of a sweep, or one joint table of several sweeps."""
    if len(manifests) > 1:
        return _joined(manifests, reader)
    (manifest,) = manifests
    tables = []
    for table in manifest.tables:
        rows = [reader.row(manifest, index, table.singles) for index in table.rows]
        columns = _columns(table, rows)
        singles = [SINGLES[name] for name in table.singles]
        tables.append(ReportTable(table.remark, columns, rows, singles, manifest.pictures))
    search = manifest if manifest.search else None
    return Results(manifest.name, manifest.title, [manifest.command], tables, search)


def _columns(table: Table, rows: list[ReportRow]) -> list[Column]:
    found = []
    for name in (*table.facts, *table.columns, *table.results, *table.quoted):
        column = find_column(name, rows)
        found.append(replace(column, heading=table.headings.get(name, column.heading)))
    return found


def _joined(manifests: Sequence[Manifest], reader: Reader) -> Results:
    """Return one table of the rows of all sweeps.

    A row whose runs another sweep has too appears once. Columns show the sweep, the rows' facts and
    the parameters that vary.
    """
    rows: dict[frozenset[str], ReportRow] = {}
    pictures = list(dict.fromkeys(p for manifest in manifests for p in manifest.pictures))
    for manifest in manifests:
        for index in range(len(manifest.rows)):
            row = reader.row(manifest, index)
            run_ids = frozenset(run.run_id for run in row.runs())
            if run_ids and run_ids in rows:
                rows[run_ids].sweep += f", {manifest.name}"
                continue
            row.number = len(rows)
            row.cells = {p: row.cells.get(p, Cell(why="not part of this row")) for p in pictures}
            rows[run_ids or frozenset({f"{manifest.name}/{index}"})] = row
    found = list(rows.values())
    facts = dict.fromkeys(fact for row in found for fact in row.facts)
    names = ["sweep", *facts, *varying(found)]
    table = ReportTable("", [find_column(name, found) for name in names], found, [], pictures)
    return Results(
        "+".join(manifest.name for manifest in manifests),
        "; ".join(dict.fromkeys(manifest.title for manifest in manifests)),
        list(dict.fromkeys(manifest.command for manifest in manifests)),
        [table],
    )


def varying(rows: list[ReportRow], *, has: int = 1) -> list[str]:
    """Return the names of the parameters that differ between these rows.

    has: the least number of values apart from n/a. A parameter with one value and n/a says no more
    than the parameter on which it depends. Epochs do not count where the steps end every run.
    """
    shown = {
        n: {format_param(n, row.params) for row in rows} - {UNKNOWN} for n in param_names(rows)
    }
    configs = [run.config for row in rows for run in row.runs()]
    if all(config and ends_by_steps(config.get("params", {})) for config in configs):
        shown.pop("epochs", None)
    return [
        name
        for name, texts in shown.items()
        if len(texts) > 1 and len(texts - {NOT_APPLICABLE}) >= has
    ]


def mark_results(results: Results) -> None:
    """Mark the best cell of each picture column, and the cells that tie with the best.

    A trial that failed is never the best of its search.
    """
    failed = failed_trials(results)
    rows = [row for row in results.rows if not (failed and row.facts.get("trial") in failed)]
    for picture in results.pictures:
        mark_best(row.cells[picture] for row in rows if picture in row.cells)


def failed_trials(results: Results) -> dict[str, str]:
    """Return why each failed trial of a search failed, by its number."""
    return results.search.search.get("failed", {}) if results.search else {}
