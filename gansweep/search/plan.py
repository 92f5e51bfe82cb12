"""Reads a search from the command line, and refuses what cannot be searched."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gansweep.components import recorded_values
from gansweep.config import DEFAULTS, HYPERPARAMETERS, SHARED, Config, with_values
from gansweep.declare import items
from gansweep.launch.names import SEARCH
from gansweep.planning.compose import command_of, composer, make_config
from gansweep.planning.expand import Expander
from gansweep.planning.identity import fault_of
from gansweep.planning.overrides import as_given, read_axes
from gansweep.planning.plan import Preparer, profile_of, settings_of, shown_params
from gansweep.planning.row_list import read_recipe
from gansweep.planning.search_path import choices_of
from gansweep.planning.sweep_name import sweep_name
from gansweep.report.stored_study import counted
from gansweep.search.budget import UNLIMITED, seconds_of
from gansweep.search.constraint import Constraint, read_constraint
from gansweep.search.objectives import EYE, check_eye, check_objective, quality
from gansweep.search.space import (
    DECIDING,
    Space,
    has_effect,
    is_searched,
    read_space,
    with_sweeper,
)
from gansweep.store.errors import UserError
from gansweep.store.manifest import manifest_path

if TYPE_CHECKING:
    import optuna
    from hydra.types import HydraContext
    from omegaconf import DictConfig


@dataclass
class SearchPlan:
    """A search as the command line describes it.

    settings: the configuration of the search; bases: one configuration for each data set, whose
    searched parameters trials replace; labels: the picture column of each; typed_data: whether the
    command line chooses the data.
    """

    name: str
    title: str
    command: str
    settings: Config
    space: Space
    bases: list[Config]
    labels: list[str]
    prepared: Preparer
    profile: str
    typed_data: bool
    constraint: Constraint | None = None
    study: optuna.Study | None = None

    @property
    def folder(self) -> Path:
        """The folder of the search's manifest, journal and locks."""
        return manifest_path(self.settings.out, self.name).parent

    def failed(self) -> bool:
        """Return whether a trial of the search has failed."""
        assert self.study is not None
        return any(
            t.state.name == "FAIL" and counted(t) for t in self.study.get_trials(deepcopy=False)
        )


def read_plan(arguments: list[str], master: DictConfig, context: HydraContext) -> SearchPlan:
    """Read the search that `arguments` describe. Raises UserError for what cannot be searched."""
    arguments = as_given(arguments)
    searched = [a for a in arguments if is_searched(a)]
    choices = choices_of(master, context)
    axes = read_axes([a for a in arguments if a not in searched], multirun=True, choices=choices)
    values = settings_of(axes)
    several = [a.name for a in axes if len(a.values) > 1 and a.name.split(".")[0] != "data"]
    if several:
        hint = "seeds_per_trial=N trains each setting several times" if "seed" in several else ""
        raise UserError(f"{', '.join(several)}: a search takes one value each; {hint}".rstrip("; "))
    listed = values.get("sweep")
    recipe = None if listed is None else read_recipe(listed, choices)
    names = items(values.get("search"))
    if recipe is not None:
        if not recipe.search:
            raise UserError(
                f"sweep={recipe.name} is a list of rows: leave out hydra/sweeper={SEARCH}"
            )
        given = {a.split("=")[0] for a in (*searched, *arguments)} | set(names)
        searched += [f"{n}={text}" for n, text in recipe.search.items() if text and n not in given]
        names += [n for n, text in recipe.search.items() if not text and n not in given]
    if both := [axis.name for axis in axes if axis.name in names]:
        raise UserError(f"search={both[0]}, and {both[0]} has one value: leave out one of them")
    compose = composer(master, context)
    profile = profile_of(axes, recipe, master.hydra.runtime.choices["profile"])
    settings = make_config(compose({"profile": profile}), values)
    if settings.budget is not None:
        seconds_of(settings.budget)  # raises UserError for a text that is no time
        if "trials" not in values:
            settings.trials = UNLIMITED
    if settings.rows is not None:
        raise UserError(
            "rows=… chooses rows of a row list, which a search does not have: leave it out"
        )
    prepared = Preparer()
    ((_, _, cells),) = Expander(axes, recipe, compose, profile, roles=("digits",)).rows()
    bases = [cell.config for cell in cells]
    if any(base.judge == "false" for base in bases):
        raise UserError("judge=false: a search needs the judge's distances")
    quality(bases)
    check_objective(settings.objective, bases)
    if settings.objective == EYE:
        check_eye(settings, len(bases), pruner_typed="pruner" in values)
    labels = [prepared.label(base) for base in bases]
    shown = [(label, shown_params(base), base) for label, base in zip(labels, bases, strict=True)]
    constraint = read_constraint(settings.constraint, shown)
    space = read_space(searched, names, bases[0])
    if not space.dimensions:
        raise UserError("nothing to search: write lr=interval(1e-5,1e-2), or search=lr,beta1")
    _check_effects(space, bases)
    _check_bounds(space, bases, prepared)
    command = command_of(arguments, master)
    sweeper = f"hydra/sweeper={SEARCH}"
    if sweeper in with_sweeper(arguments):  # the other arguments imply it
        command = command.replace(f" {sweeper}", "", 1)
    digest = hashlib.sha256(json.dumps(shared_by_trials(space, bases, prepared, settings)).encode())
    default = recipe.name if recipe else "search-" + "-".join(space.names()[:4])
    # A parameter that may change from call to call does not change the name.
    lasting = {a.split("=")[0] for a in arguments} - SHARED | {
        n
        for n in ("objective", "constraint", "seeds_per_trial")
        if values.get(n, DEFAULTS[n]) != DEFAULTS[n]
    }
    overridden = recipe is None or lasting
    fixed = [axis for axis in axes if axis.name not in SHARED]
    first, short = [default], digest.hexdigest()[:6]
    name = values.get("name") or (
        sweep_name(first, fixed, short, f"{default}-{short}", settings.out)
        if overridden
        else default
    )
    title = recipe.title if recipe else "Search over " + ", ".join(space.names())
    typed_data = any(axis.name == "data" for axis in axes)
    return SearchPlan(
        name, title, command, settings, space, bases, labels, prepared, profile, typed_data,
        constraint,
    )  # fmt: skip


def shared_by_trials(
    space: Space, bases: list[Config], prepared: Preparer, settings: Config
) -> dict[str, Any]:
    """Return the settings that all trials of a study share, as JSON.

    A study refuses a call with other settings.
    """
    searched = space.names()
    fixed = [
        {n: getattr(base, n) for n in HYPERPARAMETERS if n not in searched}
        | {n: v for n, v in recorded_values(base).items() if n not in searched}
        | {"data": prepared(base).sha256}
        for base in bases
    ]
    return {
        "space": space.describe(),
        "settings": json.loads(json.dumps(fixed)),
        "objective": settings.objective,
        "seeds per trial": settings.seeds_per_trial,
        # Studies of versions without constraints do not have the field.
        **({"constraint": settings.constraint} if settings.constraint else {}),
    }


def _check_effects(space: Space, bases: list[Config]) -> None:
    """Refuse a parameter without effect, unless a searched parameter decides about the effect."""
    if any(name in DECIDING for name in space.names()):
        return
    for dimension in space.dimensions:
        if not any(has_effect(dimension, base) for base in bases):
            raise UserError(
                f"{dimension.name} has no effect given the values of the other parameters"
            )


def _check_bounds(space: Space, bases: list[Config], prepared: Preparer) -> None:
    """Refuse each bound or choice that would fail a trial, given the other parameters' values."""
    for base in bases:
        for dimension in space.dimensions:
            for proposed in dimension.choices or (dimension.low, dimension.high):
                # A fixed dropout must fit every network; a searched one is used where it fits.
                searched = [name for name in ("gen_drop", "disc_drop") if name in space.names()]
                values = dict.fromkeys(searched, 0.0) | dimension.values(proposed)
                config = with_values(base, values)
                # Without effect now, a parameter may still have one with another network.
                if has_effect(dimension, config):
                    fault = fault_of(config, prepared(config))
                    if fault is not None:
                        raise fault
