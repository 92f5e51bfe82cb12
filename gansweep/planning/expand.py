"""Expand the values of a command line into rows, data sets and seeds."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gansweep.components import is_option, options_of
from gansweep.config import SHARED, Config, with_values
from gansweep.planning.compose import Compose, make_config
from gansweep.planning.overrides import Axis
from gansweep.planning.row_list import ROLES, Recipe
from gansweep.planning.sweep_name import changes_results
from gansweep.store.records import ends_by_steps
from gansweep.terminal.console import console
from gansweep.training.data import at_hand


@dataclass
class Cell:
    """One run of a row.

    column: the values that define its data set; shown: the values that distinguish the run from the
    other runs of the row.
    """

    config: Config
    column: dict[str, Any]
    shown: dict[str, Any]


class Expander:
    """The product of the axes, split into rows, picture columns (data) and replicates (seed).

    roles: the data sets of the profile, `digits` and `faces`, that a sweep without data= trains on.
    """

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
        self._substituted: set[str] = set()

    def overridden(self) -> bool:
        """Return whether the command line sets anything that can change a run's results."""
        axes = (*self.data_axes, *self.seed_axes, *self.row_axes)
        return any(changes_results(axis.name) for axis in axes)

    def varying(self) -> list[str]:
        """Return the names of the row parameters that have several values."""
        return [a.name for a in self.row_axes if len(a.values) > 1]

    def count(self) -> int:
        """Return the number of rows."""
        listed = self.recipe.rows if self.recipe else [{}]
        return len(listed) * math.prod(len(axis.values) for axis in self.row_axes)

    def rows(self) -> Iterator[tuple[int, dict[str, Any], list[Cell]]]:
        """Yield each row as (position in the row list, values that differ by row, runs)."""
        listed = self.recipe.rows if self.recipe else [{}]
        for source, row in enumerate(listed):
            for values in _product(self.row_axes):
                given = self._given(row, values)
                shown = {**{k: given[k] for k in row}, **values}
                shown = {k: v for k, v in shown.items() if self._differs(k)}
                cells = list(self._cells(row, values))
                if all(ends_by_steps(vars(cell.config)) for cell in cells):
                    shown.pop("epochs", None)
                yield source, shown, cells

    def _differs(self, name: str) -> bool:
        listed = self.recipe is not None and any(name in row for row in self.recipe.rows)
        return listed or name in self.varying()

    def _given(self, row: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
        """Return the row list's values for a row; values for the profile take precedence."""
        if self.recipe is None:
            return {}
        for_profile = self.recipe.profiles.get(values.get("profile", self.profile), {})
        return {**self.recipe.common, **row, **for_profile}

    def _cells(self, row: dict[str, Any], values: dict[str, Any]) -> Iterator[Cell]:
        profile = values.get("profile", self.profile)
        given = self._given(row, values)
        several = [a.name for a in (*self.data_axes, *self.seed_axes) if len(a.values) > 1]
        for column in self._columns(profile, values):
            base = self._base(profile, column.get("data"))
            for seed in _product(self.seed_axes):
                config = with_values(base, {**given, **values, **column, **seed, **self._out})
                distinct = {k: v for k, v in {**column, **seed}.items() if k in several}
                yield Cell(config, column, {"data": column["data"], **distinct})

    def _columns(self, profile: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the data sets of the command line, or else the profile's digits and faces.

        Each is there once for all values of the options that it has.
        """
        axes = list(self.data_axes)
        if not any(axis.name == "data" for axis in axes):
            names = dict.fromkeys(
                values.get(role) or self._data_of(role, profile) for role in self.roles
            )
            axes.insert(0, Axis("data", tuple(names)))
        columns: list[dict[str, Any]] = []
        for column in _product(axes):
            known = options_of("data", self._base(profile, column["data"]).data.name)
            own = {n: v for n, v in column.items() if not is_option(n) or n in known}
            if own not in columns:
                columns.append(own)
        return columns

    def _data_of(self, role: str, profile: str) -> str:
        """Return the profile's digits or faces, or the substitute if its files are missing."""
        base = self._base(profile, None)
        wanted: str = getattr(base, role)
        if not (base.stand_ins if self._stand_ins is None else self._stand_ins):
            return wanted
        roots = [axis.values[0] for axis in self.data_axes if axis.name == "data.root"]
        spec = self._base(profile, wanted).data
        name = at_hand(dataclasses.replace(spec, root=roots[0]) if roots else spec)
        if name == spec.name:
            return wanted
        if wanted not in self._substituted:
            self._substituted.add(wanted)
            console.print(
                f"data: the files of {wanted} were not found, so {name} takes their place "
                "(data.root=FOLDER names the folder with the files)"
            )
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
