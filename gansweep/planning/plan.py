"""Plan a sweep: turn the overrides of a command line into a manifest and its runs."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from gansweep.components import check_options, is_option, own_values, recorded_values
from gansweep.config import DEFAULTS, SEARCH_SETTINGS, SHARED, Config, effective, ordered
from gansweep.declare import items
from gansweep.launch.names import SEARCH
from gansweep.launch.task import PlannedRun
from gansweep.planning.compose import Compose, make_config
from gansweep.planning.data_choice import of_list, of_table
from gansweep.planning.expand import Cell, Expander
from gansweep.planning.identity import check_root, fault_of, plan_run
from gansweep.planning.overrides import Axis, as_arguments
from gansweep.planning.resources import packaged_choices
from gansweep.planning.row_list import ROLES, Recipe, read_recipe, select_rows
from gansweep.planning.search_path import Choices
from gansweep.planning.sweep_name import sweep_name
from gansweep.store.errors import UserError
from gansweep.store.manifest import Manifest, Row, Table
from gansweep.store.records import RunConfig
from gansweep.store.run import Run, was_edited
from gansweep.terminal.console import console
from gansweep.training.data import Prepared, heading, prepare
from gansweep.training.dry_run import image_size
from gansweep.training.loggers.base import check_installed
from gansweep.training.metrics.registered import PUBLISHED, primary_and_second
from gansweep.training.sample_sizes import common_size, score_size

MANY_ROWS = 2_000  # planning more rows takes seconds, and a message announces it
MAX_ROWS = 1_000_000


@dataclass
class Plan:
    """A manifest, the indices of its chosen rows, and their jobs.

    jobs: each run once, in the order of the rows; records: the contents of each job's config.json,
    in the same order; duplicates: the number of runs in chosen rows that repeat an earlier run;
    measured: whether precision=auto was resolved by a measurement on this machine; data: a line on
    the data sets, if the command line does not choose them.
    """

    manifest: Manifest
    chosen: list[int]
    jobs: list[PlannedRun]
    records: list[RunConfig]
    settings: Config
    duplicates: int = 0
    measured: bool = False
    data: str = ""

    def write(self) -> None:
        """Write the manifest and every run's configuration."""
        for job, record in zip(self.jobs, self.records, strict=True):
            keep_record(job.run, record)
        self.manifest.write(self.settings.out)


def keep_record(run: Run, record: RunConfig) -> None:
    """Write a run's configuration, except that of a finished or running run.

    If `record` asks for the judge and a finished run was not judged, the run's own configuration is
    kept and only the judge's parameters are replaced, so that the run can be judged now.
    """
    known = run.read_config()
    if known == record:
        return
    status = run.status()
    if known is None or was_edited(run.id, known) or status not in ("done", "running"):
        run.plan(record)
    elif status == "done" and record["params"]["judge"] != "false" and not run.judged():
        asked = {name: record["params"][name] for name in ("judge", "judge_weights")}
        run.plan({**known, "params": {**known["params"], **asked}})


class Preparer:
    """Prepares each data set once for all runs that share it, and checks what runs will import.

    These are the judge's weights and the packages of the loggers.
    """

    def __init__(self) -> None:
        self._ready: dict[Any, Prepared] = {}
        self._labels: dict[Any, str] = {}
        self._weights: set[tuple[str, str | None]] = set()

    def __call__(self, config: Config) -> Prepared:
        check_installed(items(config.logger))
        if config.best_by is not None:
            primary_and_second(config.data.name, config.best_by)  # raises the reason
        wanted = (config.judge, config.judge_weights)
        if config.judge in PUBLISHED and wanted not in self._weights:
            from gansweep.training.metrics.published import published_features

            published_features(*wanted)  # missing weights must fail now, not after training
            self._weights.add(wanted)
        size = image_size(config)
        options = own_values(config, "data")
        asked = (size, config.limit, config.labels, *options.items())
        key = (dataclasses.astuple(config.data), *asked)
        if key not in self._ready:
            self._ready[key] = prepare(config.data, size, config.limit, options, config.labels)
        return self._ready[key]

    def label(self, config: Config) -> str:
        """Return the heading of the data set's pictures, without preparing the data set."""
        options = own_values(config, "data")
        key = (dataclasses.astuple(config.data), *options.items())
        if key not in self._labels:
            self._labels[key] = heading(config.data, lambda: image_size(config), options)
        return self._labels[key]


def make_plan(
    axes: list[Axis],
    compose: Compose,
    profile: str,
    command_line: str,
    choices: Choices = packaged_choices,
) -> Plan:
    """Expand the axes, and the row list if `sweep` names one, into a plan.

    Only the data cache is written. compose: maps group choices to composed parameters; profile: the
    default; command_line: recorded in the manifest; choices: lists the choices of a group. Raises
    UserError if no chosen row can be trained. The manifest has the reason for each row that cannot
    be trained.
    """
    settings = settings_of(axes)
    for name in SEARCH_SETTINGS:
        if settings.get(name, DEFAULTS[name]) != DEFAULTS[name]:
            raise UserError(f"{name}={settings[name]} is for searches: add search=lr,beta1")
    listed = settings.get("sweep")
    recipe = None if listed is None else read_recipe(listed, choices)
    if recipe is not None and recipe.search:
        raise UserError(f"sweep={recipe.name} is a search: add hydra/sweeper={SEARCH}")
    if settings.get("rows") is not None and recipe is None:
        raise UserError("rows=… chooses from a row list: name it with sweep=…")
    chosen = select_rows(settings.get("rows"), len(recipe.rows)) if recipe else None
    profile = profile_of(axes, recipe, profile)
    expander = Expander(axes, recipe, compose, profile)
    prepared = Preparer()
    _announce_size(expander.count())
    expanded = list(expander.rows())
    check_root(cell.config for _, _, cells in expanded for cell in cells)
    options = [axis.name for axis in axes if is_option(axis.name)]
    check_options(options, (cell.config for _, _, cells in expanded for cell in cells))

    rows: list[Row] = []
    sources: list[int] = []  # each row's position in the row list
    jobs: dict[str, PlannedRun] = {}
    records: dict[str, RunConfig] = {}
    duplicates = 0
    refused: list[UserError] = []
    planned: dict[str, dict[str, tuple[Config, Prepared]]] = {}  # by picture column and run
    for source, values, cells in expanded:
        row = Row(
            shown_params(cells[0].config), facts=dict(recipe.quotes[source]) if recipe else {}
        )
        for cell, label in zip(cells, _labels(cells, prepared), strict=True):
            fault = fault_of(cell.config)
            if fault is None:
                data = prepared(cell.config)  # an error in the files ends the sweep
                fault = fault_of(cell.config, data)
            if fault is not None:
                row.invalid[label] = str(fault)
                if chosen is None or source in chosen:
                    refused.append(fault)
                continue
            run, record = plan_run(cell.config, data)
            row.runs.setdefault(label, []).append(run.id)
            planned.setdefault(label, {})[run.id] = cell.config, data
            if chosen is None or source in chosen:
                if run.id in jobs:
                    duplicates += 1
                    continue
                records[run.id] = record
                parts = as_arguments({**values, **cell.shown})
                judged = cell.config.judge != "false"
                jobs[run.id] = PlannedRun(run, " ".join(parts), judged, data.name)
        rows.append(row)
        sources.append(source)
    if not jobs and refused:
        raise refused[0]

    records |= _scored_alike(planned.values(), records)
    common = take_common(rows)
    title = recipe.title if recipe else "Grid over " + ", ".join(expander.varying() or ["one row"])
    manifest = Manifest(
        name=settings.get("name")
        or _name(recipe, expander, rows, settings.get("out", DEFAULTS["out"])),
        title=title,
        command=command_line,
        pictures=list(dict.fromkeys(p for row in rows for p in (*row.runs, *row.invalid))),
        common=common,
        tables=_tables(recipe, expander, sources),
        rows=rows,
        titles={run_id: job.title for run_id, job in jobs.items()},
    )
    picked = [i for i, source in enumerate(sources) if chosen is None or source in chosen]
    return Plan(
        manifest,
        picked,
        list(jobs.values()),
        list(records.values()),
        make_config(compose({"profile": profile}), settings),
        duplicates,
        any(cell.config.precision == "auto" for _, _, cells in expanded for cell in cells),
        _data(axes, recipe, profile, [job.data for job in jobs.values()]),
    )


def _scored_alike(
    columns: Iterable[dict[str, tuple[Config, Prepared]]], records: Collection[str]
) -> dict[str, RunConfig]:
    """Return new records of runs whose scores could not be compared with others of their column.

    All scores of a picture column then have as many images as that of the shortest run. columns:
    the runs of each; records: the ids of the runs that have a record.
    """
    found: dict[str, RunConfig] = {}
    sizes = set()
    for runs in columns:
        size = common_size(runs.values())
        if size is None:
            continue
        sizes.add(size)
        for run_id, (config, data) in runs.items():
            if run_id in records and score_size(config, data) is not None:
                found[run_id] = plan_run(dataclasses.replace(config, judge_images=size), data)[1]
    if sizes:
        numbers = " and ".join(f"{size:,}" for size in sorted(sizes))
        console.print(
            f"all scores are of {numbers} images, as the score of the shortest run "
            "(judge_images=N chooses another number)"
        )
    return found


def _data(axes: list[Axis], recipe: Recipe | None, profile: str, trained: list[str]) -> str:
    """Return the line on the data sets of a plan; empty if the command line chooses them."""
    names = list(dict.fromkeys(trained))
    if any(axis.name in ("data", *ROLES) for axis in axes):
        return ""
    own = recipe is not None and recipe.data != list(ROLES)
    return of_list(names, recipe.name) if recipe and own else of_table(names, profile)


def _announce_size(rows: int) -> None:
    """Print a message if the plan takes seconds. Raises UserError for more than MAX_ROWS rows."""
    if rows > MAX_ROWS:
        raise UserError(f"{rows:,} rows; a sweep has at most {MAX_ROWS:,}")
    if rows > MANY_ROWS:
        console.print(f"planning {rows:,} rows")


def _labels(cells: list[Cell], prepared: Preparer) -> list[str]:
    """Return the picture column of each cell; data sets with equal labels get their values too."""
    labels = [prepared.label(cell.config) for cell in cells]
    columns: dict[str, list[dict[str, Any]]] = {}
    for label, cell in zip(labels, cells, strict=True):
        if cell.column not in columns.setdefault(label, []):
            columns[label].append(cell.column)
    return [
        label
        if len(columns[label]) == 1
        else f"{label} ({', '.join(str(v) for v in cell.column.values())})"
        for label, cell in zip(labels, cells, strict=True)
    ]


def profile_of(axes: list[Axis], recipe: Recipe | None, default: str) -> str:
    """Return the row list's profile; `default` if a profile is typed or the list names none."""
    typed = any(axis.name == "profile" for axis in axes)
    return default if typed or recipe is None else recipe.profile or default


def settings_of(axes: list[Axis]) -> dict[str, Any]:
    """Return the settings of the whole sweep, by name.

    Raises UserError for several values of a setting, and for a sweep name that no folder can have.
    """
    values = {}
    for axis in axes:
        if axis.name in SHARED:
            if len(axis.values) > 1:
                raise UserError(f"{axis.name} applies to the whole sweep: give one value")
            values[axis.name] = axis.values[0]
    name = values.get("name")
    if name is not None and (
        not name.strip(". ") or not name.isprintable() or set(name) & set('/\\:*?"<>|')
    ):
        raise UserError(f"name={name} cannot name a folder; use letters, digits, - and _")
    return values


def shown_params(config: Config) -> dict[str, Any]:
    """Return the parameters that a table may show, with their effective values.

    Those of the data set are in the headings of its pictures.
    """
    hidden = {*SHARED, "seed"}
    values = {**effective(config), **recorded_values(config)}
    return {
        name: value
        for name, value in values.items()
        if name not in hidden and not name.startswith("data.")
    }


def take_common(rows: list[Row]) -> dict[str, Any]:
    """Remove the parameters that are equal in all rows from the rows, and return them."""
    first = rows[0].params
    common = {k: v for k, v in first.items() if all(row.params.get(k) == v for row in rows)}
    for row in rows:
        row.params = {k: v for k, v in row.params.items() if k not in common}
    return common


def _tables(recipe: Recipe | None, expander: Expander, sources: list[int]) -> list[Table]:
    """Return the row list's tables with expanded rows, or one table of varying parameters."""
    varying = ordered(expander.varying())
    if "profile" in expander.varying():
        varying.insert(0, "width")
    if recipe is None:
        return [Table(varying or ["lr", "beta1"], list(range(len(sources))))]
    tables = []
    for table in recipe.tables:
        listed = set(table.rows)
        shown = {name for column in table.columns for name in column.split(" / ")}
        columns = [*table.columns, *(name for name in varying if name not in shown)]
        rows = [i for i, source in enumerate(sources) if source in listed]
        tables.append(dataclasses.replace(table, columns=columns, rows=rows))
    return tables


def _name(recipe: Recipe | None, expander: Expander, rows: list[Row], out: str) -> str:
    """Return the row list's name if nothing is overridden, else a name with a digest.

    out: the output folder, whose sweeps keep the names that earlier versions gave them.
    """
    if recipe is not None and not expander.overridden():
        return recipe.name
    ids = ",".join(run for row in rows for runs in row.runs.values() for run in runs)
    digest = hashlib.sha256(ids.encode()).hexdigest()[:6]
    given = [axis.name for axis in expander.row_axes if axis.values != (None,)]
    names = [recipe.name] if recipe else (expander.varying() or given or ["row"])[:4]
    axes = (*expander.row_axes, *expander.data_axes, *expander.seed_axes)
    first = [recipe.name] if recipe else []
    return sweep_name(first, axes, digest, "-".join([*names, digest]), out)
