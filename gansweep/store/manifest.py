"""A sweep's manifest: its title, its tables and rows in order, and each row's run ids.

The same runs can stand in many manifests. `OUT/sweeps/NAME/manifest.json`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from gansweep.store.check import fault, is_number
from gansweep.store.errors import UserError, choices_hint
from gansweep.store.run import damaged, read_json, write_json
from gansweep.store.sweep_records import SearchRecord

T = TypeVar("T")

FORMAT = 1
RUN_NAME = re.compile(r"\w+-s\d+", re.ASCII)  # no path, and with a seed
NOT_APPLICABLE = "n/a"  # a parameter without effect, in row lists and in tables
# Pictures of a run that a row list may ask for beside its samples.
SINGLES = {"clean": "clean", "dirty": "dirty"}


@dataclass
class Row:
    """One configuration over data sets and seeds.

    runs: for each picture column the ids of its runs, one a seed. invalid: for a column that
    cannot be trained with these parameters, why. facts: texts of columns of their own.
    """

    params: dict[str, Any]
    runs: dict[str, list[str]] = field(default_factory=dict)
    invalid: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)


@dataclass
class Table:
    """Some of the rows under one heading line; `remark` stands before it.

    columns: parameter names; `a / b` shows two in one column. headings: a column's heading where
    it is not the parameter's label. results: columns from the runs' results; singles: of pictures;
    facts: the rows' own, before all others; quoted: likewise, after the results.
    """

    columns: list[str]
    rows: list[int]
    remark: str = ""
    headings: dict[str, str] = field(default_factory=dict)
    results: list[str] = field(default_factory=list)
    singles: list[str] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    quoted: list[str] = field(default_factory=list)


@dataclass
class Manifest:
    """A sweep. pictures: the headings of the picture columns, in order; titles: what the screen
    calls the runs that were chosen, in the order of training; pruned: why runs were ended early;
    search: of a search, its study's storage and its objective's label and metric."""

    name: str
    title: str
    command: str
    pictures: list[str]
    common: dict[str, Any]
    tables: list[Table]
    rows: list[Row]
    titles: dict[str, str] = field(default_factory=dict)
    pruned: dict[str, str] = field(default_factory=dict)
    search: SearchRecord = field(default_factory=SearchRecord)

    def params(self, row: int) -> dict[str, Any]:
        """All parameters of a row, what it shares with the others included."""
        return {**self.common, **self.rows[row].params}

    def write(self, out: str | Path) -> Path:
        path = manifest_path(out, self.name)
        write_json(path, {"format": FORMAT, **dataclasses.asdict(self)})
        return path


def manifest_path(out: str | Path, name: str) -> Path:
    return Path(out) / "sweeps" / name / "manifest.json"


def read_manifest(out: str | Path, name: str) -> Manifest:
    """Raises UserError if there is no such sweep or its manifest is damaged."""
    path = manifest_path(out, name)
    is_name = Path(name).name == name  # a sweep's folder is where all other files go
    record = read_json(path) if is_name else None
    if record is None:
        if is_name and damaged(path):
            raise UserError(
                f"{path} is damaged; run the sweep's command again: it trains nothing twice"
            )
        known = sorted(p.parent.name for p in (Path(out) / "sweeps").glob("*/manifest.json"))
        hint = choices_hint(name, known) if known else "there is none yet"
        raise UserError(f"no sweep {name!r} in {Path(out) / 'sweeps'}: {hint}")
    if is_number(record.get("format"), int) and record["format"] > FORMAT:
        raise UserError(f"{path} was written by a newer version of gansweep, which can read it")
    if found := fault(record, Manifest):
        raise UserError(
            f"{path} is damaged ({found}); run the sweep's command again: it trains nothing twice"
        )
    tables = [_known(Table, table) for table in record["tables"]]
    rows = [_known(Row, row) for row in record["rows"]]
    # The folder may have been renamed, and everything else is written beside or under its name.
    manifest = _known(Manifest, {**record, "name": name, "tables": tables, "rows": rows})
    if found := next(_faults(manifest), ""):
        raise UserError(
            f"{path} is damaged ({found}); run the sweep's command again: it trains nothing twice"
        )
    return manifest


def _faults(manifest: Manifest) -> Iterator[str]:
    """What its types do not say: rows, runs and pictures that there cannot be."""
    for number, table in enumerate(manifest.tables):
        for row in table.rows:
            if row not in range(len(manifest.rows)):
                yield f"tables[{number}].rows: there is no row {row}"
        for single in table.singles:
            if single not in SINGLES:
                yield f"tables[{number}].singles: {single!r} is not known"
    runs = [run for row in manifest.rows for found in row.runs.values() for run in found]
    for run in (*runs, *manifest.titles):
        if not RUN_NAME.fullmatch(run):
            yield f"{run!r} is no run's id"
    for params in (manifest.common, *(row.params for row in manifest.rows)):
        for name, value in params.items():
            if isinstance(value, list | dict):
                yield f"{name} has more than one value"
    if manifest.search and "label" not in manifest.search:
        yield "search.label is missing"


def _known(kind: Callable[..., T], record: dict[str, Any]) -> T:
    """A dataclass of the fields that it knows; a newer version may have written others."""
    names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in record.items() if name in names})


def numbered(titles: dict[str, str]) -> dict[str, str]:
    """`[ 3/12] lr=0.0001 data=mnist5k` for each run."""
    width = len(str(len(titles)))
    return {
        run_id: f"[{number:>{width}}/{len(titles)}] {title}"
        for number, (run_id, title) in enumerate(titles.items(), 1)
    }
