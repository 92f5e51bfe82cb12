"""From a command line to a manifest: rows, their configurations, their runs."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from gansweep.config import (
    DEFAULTS,
    HYPERPARAMETERS,
    PARAMS,
    SEARCH_SETTINGS,
    SHARED,
    Config,
    check,
    effective,
)
from gansweep.launch.names import SEARCH
from gansweep.launch.task import PlannedRun
from gansweep.params import DataConfig
from gansweep.planning.compose import Compose
from gansweep.planning.identity import check_root, fault_of, plan_run
from gansweep.planning.overrides import Axis, as_arguments
from gansweep.planning.resources import packaged_choices
from gansweep.planning.row_list import ROLES, Recipe, read_recipe, select_rows
from gansweep.planning.search_path import Choices
from gansweep.plugins import DATASETS, GENERATORS
from gansweep.store.errors import UserError
from gansweep.store.manifest import Manifest, Row, Table
from gansweep.store.run import Run, read_json
from gansweep.terminal.console import console
from gansweep.training.data import Prepared, at_hand, find_source, prepare
from gansweep.training.metrics.registered import PUBLISHED


@dataclass
class _Cell:
    """One run of a row. column: its data set; shown: what tells it from its neighbours."""

    config: Config
    column: dict[str, Any]
    shown: dict[str, Any]


@dataclass
class Plan:
    """A manifest, its chosen rows, and their jobs: each run once, in the order of the rows.

    records: what the run folders are to say, in the order of the jobs; doubles: how often a
    chosen row asks for a run that an earlier one has.
    """

    manifest: Manifest
    chosen: list[int]
    jobs: list[PlannedRun]
    records: list[dict[str, Any]]
    settings: Config
    doubles: int = 0

    def write(self) -> None:
        """Write the manifest and every run's configuration."""
        for job, record in zip(self.jobs, self.records, strict=True):
            keep_record(job.run, record)
        self.manifest.write(self.settings.out)


def keep_record(run: Run, record: dict[str, Any]) -> None:
    """Write a run's configuration; what a finished or a running one says of itself stays."""
    known = read_json(run.config)
    if known is None or (known != record and run.status() not in ("done", "running")):
        run.plan(record)


def make_config(composed: dict[str, Any], values: dict[str, Any] | None = None) -> Config:
    """The typed configuration: what Hydra composed, then `values` (`data.root` and such too).

    Raises UserError for a value that is not valid, whichever file it came from.
    """
    merged = {name: check(name, composed[name]) for name in PARAMS}
    if composed["data"]["name"] == MISSING:
        raise UserError(
            "the file of data= names no data set: add the line name: images, or another of "
            + ", ".join(DATASETS.names())
        )
    data = {key: check(f"data.{key}", value) for key, value in composed["data"].items()}
    config = Config(**merged, data=DataConfig(**data))
    return with_values(config, values) if values else config


def with_values(config: Config, values: dict[str, Any]) -> Config:
    """`config` with some typed values replaced."""
    nested = {k[5:]: v for k, v in values.items() if k.startswith("data.")}
    flat = {k: v for k, v in values.items() if k in PARAMS}
    if nested:
        flat["data"] = dataclasses.replace(config.data, **nested)
    return dataclasses.replace(config, **flat)


class Preparer:
    """Prepares each data set once for all runs that share it, and sees to the judge's weights."""

    def __init__(self) -> None:
        self._ready: dict[Any, Prepared] = {}
        self._labels: dict[Any, str] = {}
        self._weights: set[tuple[str, str | None]] = set()

    def __call__(self, config: Config) -> Prepared:
        wanted = (config.judge, config.judge_weights)
        if config.judge in PUBLISHED and wanted not in self._weights:
            from gansweep.training.metrics.published import published_features

            published_features(*wanted)  # now, not after training
            self._weights.add(wanted)
        size = GENERATORS[config.gen].image_size
        key = (dataclasses.astuple(config.data), size, config.limit)
        if key not in self._ready:
            self._ready[key] = prepare(config.data, size, config.limit)
        return self._ready[key]

    def label(self, config: Config) -> str:
        """The heading of the data set's pictures, without preparing it."""
        key = dataclasses.astuple(config.data)
        if key not in self._labels:
            size = GENERATORS[config.gen].image_size
            self._labels[key] = find_source(config.data, size).label
        return self._labels[key]


def make_plan(
    axes: list[Axis],
    compose: Compose,
    profile: str,
    command_line: str,
    choices: Choices = packaged_choices,
) -> Plan:
    """Expand the axes (over a row list, if there is one) into runs; writes nothing but the cache.

    compose: group choices → the composed parameters; choices: of the groups. Raises UserError if no
    chosen row can be trained; rows that cannot are in the manifest, with the reason.
    """
    settings = settings_of(axes)
    for name in SEARCH_SETTINGS:
        if settings.get(name, DEFAULTS[name]) != DEFAULTS[name]:
            raise UserError(f"{name}={settings[name]} is for searches: add search=lr,beta1 or such")
    recipe = read_recipe(settings["sweep"], choices) if settings.get("sweep") else None
    if recipe is not None and recipe.search:
        raise UserError(f"sweep={recipe.name} is a search: add hydra/sweeper={SEARCH}")
    if settings.get("rows") is not None and recipe is None:
        raise UserError("rows=… chooses from a row list: name it with sweep=…")
    chosen = select_rows(settings.get("rows"), len(recipe.rows)) if recipe else None
    profile = profile_of(axes, recipe, profile)
    expander = Expander(axes, recipe, compose, profile)
    prepared = Preparer()
    expanded = list(expander.rows())
    check_root(cell.config for _, _, cells in expanded for cell in cells)

    rows: list[Row] = []
    sources: list[int] = []  # of each row, its place in the row list
    jobs: dict[str, PlannedRun] = {}
    records: dict[str, dict[str, Any]] = {}
    doubles = 0
    refused: list[UserError] = []
    for source, values, cells in expanded:
        row = Row(
            shown_params(cells[0].config), facts=dict(recipe.quotes[source]) if recipe else {}
        )
        for cell, label in zip(cells, _labels(cells, prepared), strict=True):
            fault = fault_of(cell.config)
            if fault is None:
                data = prepared(cell.config)  # whatever is wrong with the files ends the sweep
                fault = fault_of(cell.config, data)
            if fault is not None:
                row.invalid[label] = str(fault)
                if chosen is None or source in chosen:
                    refused.append(fault)
                continue
            run, record = plan_run(cell.config, data)
            row.runs.setdefault(label, []).append(run.id)
            if chosen is None or source in chosen:
                if run.id in jobs:
                    doubles += 1
                    continue
                records[run.id] = record
                parts = as_arguments({**values, **cell.shown})
                jobs[run.id] = PlannedRun(run, " ".join(parts))
        rows.append(row)
        sources.append(source)
    if not jobs and refused:
        raise refused[0]

    common = take_common(rows)
    title = recipe.title if recipe else "Grid over " + ", ".join(expander.varying() or ["one row"])
    manifest = Manifest(
        name=settings.get("name") or _name(recipe, expander, rows),
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
        doubles,
    )


def _labels(cells: list[_Cell], prepared: Preparer) -> list[str]:
    """The picture column of each cell; what two data sets share is told apart."""
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
    """The profile of a sweep: the one typed, else its row list's, else the default."""
    typed = any(axis.name == "profile" for axis in axes)
    return default if typed or recipe is None else recipe.profile or default


def settings_of(axes: list[Axis]) -> dict[str, Any]:
    values = {}
    for axis in axes:
        if axis.name in SHARED:
            if len(axis.values) > 1:
                raise UserError(f"{axis.name} is one for the whole sweep: give it one value")
            values[axis.name] = axis.values[0]
    name = values.get("name")
    if name is not None and (not name.strip(". ") or set(name) & set('/\\:*?"<>|')):
        raise UserError(f"name={name} cannot name a folder; use letters, digits, - and _")
    return values


class Expander:
    """The product of the axes, split into rows, picture columns (data) and replicates (seed)."""

    def __init__(
        self,
        axes: list[Axis],
        recipe: Recipe | None,
        compose: Compose,
        profile: str,
        roles: Sequence[str] = ROLES,
    ) -> None:
        self.recipe = recipe
        self.roles = recipe.data if recipe else roles
        self.profile = profile
        free = [a for a in axes if a.name not in SHARED or a.name in ROLES]
        self.data_axes = [a for a in free if a.name == "data" or a.name.startswith("data.")]
        self.seed_axes = [a for a in free if a.name == "seed"]
        self.row_axes = [a for a in free if a not in self.data_axes and a not in self.seed_axes]
        self._out = {a.name: a.values[0] for a in axes if a.name == "out"}
        self._stand_ins = next((a.values[0] for a in axes if a.name == "stand_ins"), None)
        self._compose = compose
        self._composed: dict[tuple[str, str | None], Config] = {}
        self._stood_in: set[str] = set()

    def overridden(self) -> bool:
        """Does the command line say anything that can change a run's numbers?"""
        axes = (*self.data_axes, *self.seed_axes, *self.row_axes)
        names = {a.name for a in axes}
        return any(n not in PARAMS or n in ROLES or n in HYPERPARAMETERS for n in names)

    def varying(self) -> list[str]:
        return [a.name for a in self.row_axes if len(a.values) > 1]

    def rows(self) -> Iterator[tuple[int, dict[str, Any], list[_Cell]]]:
        """(place in the row list, what varies, the row's runs) of each row."""
        listed = self.recipe.rows if self.recipe else [{}]
        for source, row in enumerate(listed):
            for values in _product(self.row_axes):
                given = {k: v for k, v in self._given(row, values).items() if k in row}
                shown = {k: v for k, v in {**given, **values}.items() if self._differs(k)}
                yield source, shown, list(self._cells(row, values))

    def _differs(self, name: str) -> bool:
        listed = self.recipe is not None and any(name in row for row in self.recipe.rows)
        return listed or name in self.varying()

    def _given(self, row: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
        """What the row list says of a row; what it says of the profile comes last."""
        if self.recipe is None:
            return {}
        of_profile = self.recipe.profiles.get(values.get("profile", self.profile), {})
        return {**self.recipe.common, **row, **of_profile}

    def _cells(self, row: dict[str, Any], values: dict[str, Any]) -> Iterator[_Cell]:
        profile = values.get("profile", self.profile)
        given = self._given(row, values)
        several = [a.name for a in (*self.data_axes, *self.seed_axes) if len(a.values) > 1]
        for column in self._columns(profile, values):
            base = self._base(profile, column.get("data"))
            for seed in _product(self.seed_axes):
                config = with_values(base, {**given, **values, **column, **seed, **self._out})
                told = {k: v for k, v in {**column, **seed}.items() if k in several}
                yield _Cell(config, column, {"data": column["data"], **told})

    def _columns(self, profile: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        """The data sets: those of the command line, else the profile's digits and faces."""
        axes = list(self.data_axes)
        if not any(axis.name == "data" for axis in axes):
            names = dict.fromkeys(
                values.get(role) or self._data_of(role, profile) for role in self.roles
            )
            axes.insert(0, Axis("data", tuple(names)))
        return list(_product(axes))

    def _data_of(self, role: str, profile: str) -> str:
        """The profile's digits or faces, or what stands in for them."""
        base = self._base(profile, None)
        wanted: str = getattr(base, role)
        if not (base.stand_ins if self._stand_ins is None else self._stand_ins):
            return wanted
        roots = [axis.values[0] for axis in self.data_axes if axis.name == "data.root"]
        spec = self._base(profile, wanted).data
        name = at_hand(dataclasses.replace(spec, root=roots[0]) if roots else spec)
        if name == spec.name:
            return wanted
        if wanted not in self._stood_in:
            self._stood_in.add(wanted)
            console.print(f"data: {wanted} is not at hand (data.root=FOLDER): {name} stands in")
        return name

    def _base(self, profile: str, data: str | None) -> Config:
        key = (profile, data)
        if key not in self._composed:
            groups = {"profile": profile} | ({"data": data} if data else {})
            self._composed[key] = make_config(self._compose(groups))
        return self._composed[key]


def _product(axes: list[Axis]) -> Iterator[dict[str, Any]]:
    names = [axis.name for axis in axes]
    for values in itertools.product(*(axis.values for axis in axes)):
        yield dict(zip(names, values, strict=True))


def shown_params(config: Config) -> dict[str, Any]:
    """The parameters that a table may show."""
    hidden = {*SHARED, "seed"}
    return {name: value for name, value in effective(config).items() if name not in hidden}


def take_common(rows: list[Row]) -> dict[str, Any]:
    """What all rows share, taken out of them."""
    first = rows[0].params
    common = {k: v for k, v in first.items() if all(row.params.get(k) == v for row in rows)}
    for row in rows:
        row.params = {k: v for k, v in row.params.items() if k not in common}
    return common


def _tables(recipe: Recipe | None, expander: Expander, sources: list[int]) -> list[Table]:
    """The recipe's tables with the rows expanded, or one table of what varies."""
    varying = [name for name in PARAMS if name in expander.varying()]
    if "profile" in expander.varying():
        varying.insert(0, "width")
    if recipe is None:
        return [Table(varying or ["lr", "beta1"], list(range(len(sources))))]
    tables = []
    for table in recipe.tables:
        of_table = set(table.rows)
        shown = {name for column in table.columns for name in column.split(" / ")}
        columns = [*table.columns, *(name for name in varying if name not in shown)]
        rows = [i for i, source in enumerate(sources) if source in of_table]
        tables.append(dataclasses.replace(table, columns=columns, rows=rows))
    return tables


def _name(recipe: Recipe | None, expander: Expander, rows: list[Row]) -> str:
    """The row list's own name if nothing of it is overridden, else one with a digest."""
    if recipe is not None and not expander.overridden():
        return recipe.name
    ids = ",".join(run for row in rows for runs in row.runs.values() for run in runs)
    digest = hashlib.sha256(ids.encode()).hexdigest()[:6]
    names = [recipe.name] if recipe else expander.varying()[:4] or ["row"]
    return "-".join([*names, digest])
