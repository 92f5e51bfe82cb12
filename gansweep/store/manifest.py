"""The manifest of a sweep, `OUT/sweeps/NAME/manifest.json`: its tables, rows and run ids.

Several manifests can have the same runs.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from gansweep.store.check import fault, is_number
from gansweep.store.errors import UserError, choices_hint
from gansweep.store.run import damaged, read_json, write_json, write_text
from gansweep.store.sweep_records import SearchRecord

T = TypeVar("T")

FORMAT = 1
# This environment variable names a file for the path of the manifest that a command writes, so that
# the program that runs the command knows its sweep.
NOTE = "GANSWEEP_MANIFEST_NOTE"
RUN_NAME = re.compile(r"\w+-s\d+", re.ASCII)  # a name without a path, and with a seed
NOT_APPLICABLE = "n/a"  # the value of a parameter without effect, in row lists and tables
# Pictures of a run that a row list may request in addition to its samples.
SINGLES = {"clean": "clean", "dirty": "dirty"}


@dataclass
class Row:
    """One configuration with several data sets and seeds.

    runs: the run ids of each picture column, one id for each seed; invalid: for each picture column
    that cannot be trained with these parameters, the reason; facts: the texts of further columns.
    """

    params: dict[str, Any]
    runs: dict[str, list[str]] = field(default_factory=dict)
    invalid: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)


@dataclass
class Table:
    """Some rows of a sweep under one line of headings.

    columns: parameter names, where `a / b` shows two parameters in one column; remark: a text
    before the table; headings: the heading of a column, if it is not the parameter's label;
    results: columns of the runs' results; singles: columns of single pictures (see SINGLES); facts:
    columns of the rows' facts that come first; quoted: columns of facts after the results.
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
    """The manifest of a sweep.

    pictures: the headings of the picture columns, in order; common: the parameters that all rows
    share; titles: the name of each chosen run on the screen, in the order of training; pruned: the
    reason for each run that was ended early; search: the storage of a search's study, and the label
    and metric of its objective.
    """

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
        """Return all parameters of a row, including those that all rows share."""
        return {**self.common, **self.rows[row].params}

    def write(self, out: str | Path) -> Path:
        """Write the manifest below the folder `out`. Returns its path."""
        path = manifest_path(out, self.name)
        write_json(path, {"format": FORMAT, **dataclasses.asdict(self)})
        if note := os.environ.get(NOTE):
            write_text(Path(note), str(path.resolve()))
        return path


def manifest_path(out: str | Path, name: str) -> Path:
    """Return the path of a sweep's manifest."""
    return Path(out) / "sweeps" / name / "manifest.json"


def votes_path(out: str | Path, name: str) -> Path:
    """Return the path of the votes on a sweep's pictures."""
    return Path(out) / "sweeps" / name / "votes.jsonl"


def read_manifest(out: str | Path, name: str) -> Manifest:
    """Return the manifest of a sweep.

    Raises UserError if there is no such sweep, or if its manifest is damaged or of a newer version.
    """
    path = manifest_path(out, name)
    is_name = Path(name).name == name  # a path would name a folder outside OUT/sweeps
    record = read_json(path) if is_name else None
    if record is None:
        if is_name and damaged(path):
            raise UserError(
                f"{path} is damaged; run the sweep's command again: it trains nothing twice"
            )
        known = sorted(p.parent.name for p in (Path(out) / "sweeps").glob("*/manifest.json"))
        hint = choices_hint(name, known) if known else "there is no sweep yet"
        raise UserError(f"no sweep {name!r} in {Path(out) / 'sweeps'}: {hint}")
    if is_number(record.get("format"), int) and record["format"] > FORMAT:
        raise UserError(f"{path} was written by a newer version of gansweep and needs that version")
    if found := fault(record, Manifest):
        raise UserError(
            f"{path} is damaged ({found}); run the sweep's command again: it trains nothing twice"
        )
    tables = [_known(Table, table) for table in record["tables"]]
    rows = [_known(Row, row) for row in record["rows"]]
    # The folder may have been renamed, and all other files are named after the folder.
    manifest = _known(Manifest, {**record, "name": name, "tables": tables, "rows": rows})
    if found := next(_faults(manifest), ""):
        raise UserError(
            f"{path} is damaged ({found}); run the sweep's command again: it trains nothing twice"
        )
    return manifest


def _faults(manifest: Manifest) -> Iterator[str]:
    """Yield the faults that types do not exclude, such as unknown rows and invalid run ids."""
    if not manifest.pictures or not manifest.tables:
        yield "it has no pictures or no tables"
    for number, table in enumerate(manifest.tables):
        for row in table.rows:
            if row not in range(len(manifest.rows)):
                yield f"tables[{number}].rows: there is no row {row}"
        for single in table.singles:
            if single not in SINGLES:
                yield f"tables[{number}].singles: {single!r} is unknown"
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
    """Return a dataclass of the known fields, as a newer version may have written others."""
    names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in record.items() if name in names})
