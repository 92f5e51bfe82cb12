"""Reading sweeps' runs into tables: one row a configuration, one column a parameter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gansweep.config import PARAMS
from gansweep.report.table.cell import Cell, mark_best
from gansweep.report.table.columns import Column, ReportRow, find_column
from gansweep.report.table.outcome import Outcome, read_outcome, single
from gansweep.report.table.text import format_param
from gansweep.store.manifest import SINGLES, Manifest, Row, Table
from gansweep.store.run import Run


@dataclass
class ReportTable:
    """Rows under one heading line; `remark` stands before it.

    singles: headings of single pictures; pictures: of sample grids, the keys of a row's cells.
    """

    remark: str
    columns: list[Column]
    rows: list[ReportRow]
    singles: list[str]
    pictures: list[str]


@dataclass
class Results:
    """What a report shows, before it is rendered. commands: what trained it."""

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
        """Every run once."""
        return list({run.run_id: run for row in self.rows for run in row.runs()}.values())


@dataclass
class Reader:
    """Reads run folders, each once, however many rows and sweeps show it.

    thumbnail: see `read_outcome`; grouped: are several seeds of a row shown as one?
    """

    out: str | Path
    thumbnail: str = "equilibrium"
    grouped: bool = True
    _seen: dict[str, Outcome] = field(default_factory=dict)

    def outcome(self, run_id: str) -> Outcome:
        if run_id not in self._seen:
            self._seen[run_id] = read_outcome(Run(self.out, run_id), self.thumbnail)
        return self._seen[run_id]

    def row(self, manifest: Manifest, index: int, singles: Sequence[str] = ()) -> ReportRow:
        """A manifest's row with what the run folders say now; singles: see `Table`."""
        planned: Row = manifest.rows[index]
        found = ReportRow(manifest.name, index, manifest.params(index), dict(planned.facts))
        for picture in manifest.pictures:
            runs = [self.outcome(run_id) for run_id in planned.runs.get(picture, [])]
            for run in runs:
                if run.run_id in manifest.pruned and run.status != "done":
                    run.note = manifest.pruned[run.run_id]
            why = "" if runs else planned.invalid.get(picture, "not part of this row")
            found.cells[picture] = Cell(runs, why, self.grouped)
        for name in singles:
            found.singles[SINGLES[name]] = [
                single(Run(self.out, run.run_id), run, name) for run in found.runs()
            ]
        return found


def collect(manifests: Sequence[Manifest], reader: Reader) -> Results:
    """The tables of a sweep as it planned them, or of several sweeps as one."""
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
    """One table of all rows, each once, with what varies over all of them as columns."""
    rows: dict[frozenset[str], ReportRow] = {}
    pictures = list(dict.fromkeys(p for manifest in manifests for p in manifest.pictures))
    for manifest in manifests:
        for index in range(len(manifest.rows)):
            row = reader.row(manifest, index)
            of_row = frozenset(run.run_id for run in row.runs())
            if of_row and of_row in rows:
                rows[of_row].sweep += f", {manifest.name}"
                continue
            row.number = len(rows)
            row.cells = {p: row.cells.get(p, Cell(why="not part of this row")) for p in pictures}
            rows[of_row or frozenset({f"{manifest.name}/{index}"})] = row
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


def varying(rows: list[ReportRow]) -> list[str]:
    """The parameters that differ between these rows."""
    names = [name for name in PARAMS if any(name in row.params for row in rows)]
    return [n for n in names if len({format_param(n, row.params) for row in rows}) > 1]


def mark_results(results: Results) -> None:
    """Mark the best of each picture column among the rows that are shown."""
    for picture in results.pictures:
        mark_best(row.cells[picture] for row in results.rows if picture in row.cells)
