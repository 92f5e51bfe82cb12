"""A search as the command line means it, and what refuses it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gansweep.config import DEFAULTS, HYPERPARAMETERS, SHARED, Config
from gansweep.launch.names import SEARCH
from gansweep.planning.compose import command_of, composer, make_config, with_values
from gansweep.planning.expand import Expander
from gansweep.planning.identity import fault_of
from gansweep.planning.overrides import items, read_axes
from gansweep.planning.plan import Preparer, profile_of, settings_of
from gansweep.planning.row_list import read_recipe
from gansweep.planning.search_path import choices_of
from gansweep.report.stored_study import counted
from gansweep.search.objectives import check_objective, quality
from gansweep.search.space import DECIDING, Space, has_effect, is_searched, read_space
from gansweep.store.errors import UserError
from gansweep.store.manifest import manifest_path

if TYPE_CHECKING:
    import optuna
    from hydra.types import HydraContext
    from omegaconf import DictConfig


@dataclass
class SearchPlan:
    """A search as the command line means it. bases: a configuration a data set."""

    name: str
    title: str
    command: str
    settings: Config
    space: Space
    bases: list[Config]
    labels: list[str]
    prepared: Preparer
    study: optuna.Study | None = None

    @property
    def folder(self) -> Path:
        return manifest_path(self.settings.out, self.name).parent

    def failed(self) -> bool:
        """Has any trial failed?"""
        assert self.study is not None
        return any(
            t.state.name == "FAIL" and counted(t) for t in self.study.get_trials(deepcopy=False)
        )


def read_plan(arguments: list[str], master: DictConfig, context: HydraContext) -> SearchPlan:
    """Raises UserError for anything that cannot be searched."""
    searched = [a for a in arguments if is_searched(a)]
    choices = choices_of(master, context)
    axes = read_axes([a for a in arguments if a not in searched], multirun=True, choices=choices)
    values = settings_of(axes)
    several = [a.name for a in axes if len(a.values) > 1 and a.name.split(".")[0] != "data"]
    if several:
        hint = "seeds_per_trial=N trains each setting several times" if "seed" in several else ""
        raise UserError(f"{', '.join(several)}: one value each in a search; {hint}".rstrip("; "))
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
    if settings.rows is not None:
        raise UserError("rows=… chooses from a row list, which a search has not")
    prepared = Preparer()
    ((_, _, cells),) = Expander(axes, recipe, compose, profile, roles=("digits",)).rows()
    bases = [cell.config for cell in cells]
    if any(base.judge == "false" for base in bases):
        raise UserError("judge=false: a search needs the judge's distances")
    quality(bases)
    check_objective(settings.objective, bases)
    space = read_space(searched, names, bases[0])
    if not space.dimensions:
        raise UserError("nothing to search: write lr=interval(1e-5,1e-2), or search=lr,beta1")
    _check_effects(space, bases)
    _check_ends(space, bases, prepared)
    command = command_of(arguments, master)
    digest = hashlib.sha256(json.dumps(shared_by_trials(space, bases, prepared, settings)).encode())
    default = recipe.name if recipe else "search-" + "-".join(space.names()[:4])
    # What may change from call to call changes no name.
    lasting = {a.split("=")[0] for a in arguments} - SHARED | {
        n for n in ("objective", "seeds_per_trial") if values.get(n, DEFAULTS[n]) != DEFAULTS[n]
    }
    overridden = recipe is None or lasting
    name = values.get("name") or (f"{default}-{digest.hexdigest()[:6]}" if overridden else default)
    title = recipe.title if recipe else "Search over " + ", ".join(space.names())
    labels = [prepared.label(base) for base in bases]
    return SearchPlan(name, title, command, settings, space, bases, labels, prepared)


def shared_by_trials(
    space: Space, bases: list[Config], prepared: Preparer, settings: Config
) -> dict[str, Any]:
    """What all trials of a study share."""
    searched = space.names()
    fixed = [
        {n: getattr(base, n) for n in HYPERPARAMETERS if n not in searched}
        | {"data": prepared(base).sha256}
        for base in bases
    ]
    return {
        "space": space.describe(),
        "settings": json.loads(json.dumps(fixed)),
        "objective": settings.objective,
        "seeds per trial": settings.seeds_per_trial,
    }


def _check_effects(space: Space, bases: list[Config]) -> None:
    """Refuse what changes nothing, unless another searched parameter decides about that."""
    if any(name in DECIDING for name in space.names()):
        return
    for dimension in space.dimensions:
        if not any(has_effect(dimension, base) for base in bases):
            raise UserError(f"{dimension.name} has no effect beside the other parameters")


def _check_ends(space: Space, bases: list[Config], prepared: Preparer) -> None:
    """Refuse now what would fail a trial later: each end and choice beside the others' defaults."""
    for base in bases:
        for dimension in space.dimensions:
            for proposed in dimension.choices or (dimension.low, dimension.high):
                # Searched dropout is tried where a network has it; a fixed one must fit them all.
                drops = [name for name in ("gen_drop", "disc_drop") if name in space.names()]
                values = dict.fromkeys(drops, 0.0) | dimension.values(proposed)
                config = with_values(base, values)
                # Where it has none now, another network may give it one: each trial asks.
                if has_effect(dimension, config):
                    fault = fault_of(config, prepared(config))
                    if fault is not None:
                        raise fault
