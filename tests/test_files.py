"""Tests that docs/files.md, the types of the records and the files of a run agree."""

from __future__ import annotations

import ast
import csv
import dataclasses
import functools
import json
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import run
from conftest import Cli

from gansweep.config import DATA_PARAMS, HYPERPARAMETERS, PARAMS
from gansweep.plugins import METRICS
from gansweep.store import answers, manifest, records, report_records, sweep_records, work
from gansweep.store.check import fault
from gansweep.store.manifest import Manifest, read_manifest
from gansweep.store.records import (
    RUN_FILES,
    DataRecord,
    EvaluationLine,
    Identity,
    MetricsLine,
    RunConfig,
    Score,
    Spread,
    fault_of,
)  # fmt: skip
from gansweep.store.report_records import CsvLine, Page, PageDetails
from gansweep.store.run import read_json
from gansweep.store.sweep_records import StudyRecord, TrialRecord

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/files.md").read_text(encoding="utf-8")
TYPES = {
    name: kind
    for module in (records, sweep_records, report_records, manifest, answers, work)
    for name, kind in vars(module).items()
    if (typing.is_typeddict(kind) or dataclasses.is_dataclass(kind)) and not name.startswith("_")
    if kind.__module__ == module.__name__
}
WORDS: dict[Any, str] = {int: "whole number", float: "number", str: "text", bool: "true/false"}
WORDS |= {types.NoneType: "null", Any: "any"}


def word(kind: Any) -> str:
    """Return the name that the page gives to a type."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(word, parts))
    if origin in (list, dict):
        return f"{'list' if origin is list else 'object'} of {word(parts[-1])}"
    return WORDS.get(kind) or f"`{kind.__name__}`"


def declared(kind: Any) -> dict[str, str]:
    hints = {name: word(hint) for name, hint in typing.get_type_hints(kind).items()}
    if kind in (EvaluationLine, Score):  # The page describes the inherited fields once.
        hints = {n: h for n, h in hints.items() if n not in typing.get_type_hints(Spread)}
    return hints


def needed(kind: Any) -> set[str]:
    if typing.is_typeddict(kind):
        return set(kind.__required_keys__)
    absent = dataclasses.MISSING
    return {
        field.name
        for field in dataclasses.fields(kind)
        if field.default is absent and field.default_factory is absent
    }


def documented(name: str) -> list[list[str]]:
    """Return the cells of the table under the heading of a type."""
    (section,) = re.findall(rf"^### `{name}`.*?(?=^##|\Z)", PAGE, re.M | re.S)
    rows = [line.strip("|").split("|") for line in section.split("\n") if line.startswith("|")]
    assert [cell.strip() for cell in rows[0]] == ["field", "type", "unit", "meaning"]
    return [[cell.strip() for cell in row] for row in rows[2:]]


@pytest.mark.parametrize("name", TYPES)
def test_the_page_and_the_types_have_the_same_fields(name: str) -> None:
    rows = documented(name)
    fields = {row[0].rstrip("*"): row[1] for row in rows}
    assert fields == declared(TYPES[name])
    assert all(len(row) == 4 and row[3] for row in rows), "each field has a meaning"
    # The page does not mark needed fields of reports.
    if TYPES[name].__module__ != report_records.__name__:
        assert {row[0][:-1] for row in rows if row[0][-1] == "*"} == needed(TYPES[name])


def test_the_page_has_no_other_types() -> None:
    assert set(re.findall(r"^### `(\w+)`", PAGE, re.M)) == TYPES.keys()
    for file, kind in RUN_FILES.items():
        assert f"| {file} | `{kind.__name__}`" in PAGE


def test_the_page_names_every_file_of_a_run() -> None:
    tree = ast.parse((ROOT / "gansweep/store/run.py").read_text(encoding="utf-8"))
    (init,) = (
        node for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == "__init__"
    )  # fmt: skip
    names = [n.value for n in ast.walk(init) if isinstance(n, ast.Constant) and n.value]
    names.remove("runs")
    assert len(names) > 15
    first_column = re.findall(r"^\| ([^|]+) \|", PAGE, re.M)
    known = {file for cell in first_column for file in cell.split(", ")}
    assert {name for name in names if name not in known} == {"samples", "averages"}
    assert "`samples/step_NNNNNN.png`" in PAGE
    assert "averages/step_NNNNNN.ckpt" in known


def test_readme_and_reports_link_the_page() -> None:
    assert "(docs/files.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "(files.md)" in (ROOT / "docs/reports.md").read_text(encoding="utf-8")


# A trained run --------------------------------------------------------------------------------


def undocumented(value: Any, kind: Any, place: str = "") -> Iterator[str]:
    """Return the fields of a record that its type does not have."""
    parts = typing.get_args(kind)
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        kinds = [part for part in parts if part is not types.NoneType]
        yield from undocumented(value, kinds[0], place) if value is not None else ()
    elif isinstance(value, dict) and (typing.is_typeddict(kind) or dataclasses.is_dataclass(kind)):
        hints = typing.get_type_hints(kind)
        for name, inner in value.items():
            if name in hints:
                yield from undocumented(inner, hints[name], f"{place}.{name}")
            elif not goes_by_its_name(name, kind):
                yield f"{place}.{name}"
    elif isinstance(value, dict) and parts:
        for name, inner in value.items():
            yield from undocumented(inner, parts[1], f"{place}.{name}")
    elif isinstance(value, list) and parts:
        for inner in value:
            yield from undocumented(inner, parts[0], f"{place}[]")


def goes_by_its_name(name: str, kind: Any) -> bool:
    """Return whether a field is a hyperparameter, a metric or an error, which the page groups."""
    if kind is Identity:
        return name in HYPERPARAMETERS or name == "reuse_fake"
    return kind in (EvaluationLine, Score) and name.removesuffix("_error") in METRICS


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:

    folder = tmp_path_factory.mktemp("trained")
    cli: Cli = functools.partial(run, folder)
    done = cli(
        "-m", "search=lr", "trials=1", "sampler=random", "pruner=none", "name=s", "data=mnist5k",
        "steps=8", "width=0.0625", "threads=1", "log_every=4", "ema_decay=0.9", "logger=csv",
        "post_hoc_ema=true",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    done = cli("report", "s", "--format", "markdown,html,csv,latex", "--plots")
    assert done.returncode == 0, done.stderr
    return folder


def test_a_trained_run_has_only_documented_fields(trained: Path) -> None:
    folders = sorted((trained / "outputs/runs").iterdir())
    assert len(folders) == 1
    seen: dict[str, set[str]] = {file: set() for file in RUN_FILES}
    for folder in folders:
        for file, kind in RUN_FILES.items():
            path = folder / file
            if not path.exists():
                assert file in ("failure.json", "parent.json")
                continue
            text = path.read_text(encoding="utf-8")
            assert "NaN" not in text
            assert "Infinity" not in text
            lines = text.splitlines() if file.endswith("l") else [text]
            for line in lines:
                record = json.loads(line)
                assert list(undocumented(record, kind)) == []
                assert fault_of(file, record) == ""
                seen[file] |= record.keys()
        config = json.loads((folder / "config.json").read_text())
        names = {*config["params"], *(f"data.{name}" for name in config["params"]["data"])}
        assert names - {"data", "options"} <= {*PARAMS, *DATA_PARAMS}
        known = {path.split("/")[0] for path in re.findall(r"[\w.]+", PAGE)}
        assert {path.name for path in folder.iterdir()} <= known
    # Every required field of the types is written.
    of_other_losses = {"penalty", "output_real", "output_fake"}
    for file, kind in (("config.json", RunConfig), ("metrics.jsonl", MetricsLine)):
        assert seen[file] == typing.get_type_hints(kind).keys() - of_other_losses
    data = json.loads((folders[0] / "config.json").read_text())["data"]
    of_labels = {"classes", "labels_sha256"}
    assert data.keys() == typing.get_type_hints(DataRecord).keys() - of_labels
    left_out = {
        "failure.json": set(),
        "judge.jsonl": {"variety"},
        "history.jsonl": {"device", "why"},
    }
    for file in ("environment.json", "judge.jsonl", "history.jsonl", "result.json"):
        missing = typing.get_type_hints(RUN_FILES[file]).keys() - seen[file]
        assert missing <= left_out.get(file, set()), file


def test_a_search_has_only_documented_fields(trained: Path) -> None:
    folder = trained / "outputs/sweeps/s"
    record = read_json(folder / "manifest.json")
    assert record is not None
    assert list(undocumented(record, Manifest)) == [".format"]
    assert fault(record, Manifest) == ""
    read_manifest(trained / "outputs", "s")
    assert {path.name for path in folder.iterdir()} <= {
        "manifest.json", "study.journal", "artifacts", "searchers"
    }  # fmt: skip
    operations = [json.loads(line) for line in (folder / "study.journal").open()]
    attributes = [op["user_attr"] for op in operations if "user_attr" in op]
    for found in attributes:
        kind = StudyRecord if "meant" in found else TrialRecord
        assert list(undocumented(found, kind)) == []
        assert fault(found, kind) == ""
    assert {name for found in attributes for name in found} >= {"meant", "runs", "command"}


def test_a_report_has_only_documented_fields(trained: Path) -> None:
    folder = trained / "reports/s"
    html = (folder / "index.html").read_text(encoding="utf-8")
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)
    page = json.loads(text)
    assert list(undocumented(page, Page)) == []
    assert fault(page, Page) == ""
    assert page.keys() == typing.get_type_hints(Page).keys()
    calls = (folder / "runs/details-0.js").read_text(encoding="utf-8").splitlines()
    for call in calls:
        details = json.loads(call.partition(", ")[2].removesuffix(");"))
        assert list(undocumented(details, PageDetails)) == []
        assert fault(details, PageDetails) == ""
    assert len(calls) == 1
    with (folder / "runs.csv").open(newline="") as stream:
        names = csv.DictReader(stream).fieldnames or []
    numbers = {*METRICS.names(), *(f"{name}_error" for name in METRICS.names())}
    others = {*typing.get_type_hints(Score), *numbers, *PARAMS, "trial"}
    fixed = [name for name in names if name not in others]
    assert [name for name in fixed if name not in typing.get_type_hints(CsvLine)] == [
        "FD (LeNet)"  # This column comes from the facts of the rows.
    ]
    assert set(typing.get_type_hints(CsvLine)) <= set(names)
    known = set(re.findall(r"[\w.-]+", PAGE))
    for path in folder.rglob("*"):
        generic = re.sub(r"row\d+", "rowN", path.name)
        assert (
            path.is_dir()
            or generic in known
            or re.match(r"rowN-|plot-|real-|details-\d+|step_\d+|samples|best|nearest", generic)
        ), path


@pytest.mark.parametrize("kind", [RunConfig, Manifest, Score])
def test_an_undocumented_field_is_found(kind: Any) -> None:
    assert list(undocumented({"surprise": 1}, kind)) == [".surprise"]
