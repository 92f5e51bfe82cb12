"""Compose configurations with Hydra, and build the command line that repeats a sweep."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import MISSING

from gansweep.components import chosen_options
from gansweep.config import PARAMS, Config, check, with_values
from gansweep.loading import load_plugins, plugin_names
from gansweep.params import DataConfig
from gansweep.planning.own_data import offer
from gansweep.planning.search_path import PRIMARY
from gansweep.plugins import DATASETS
from gansweep.store.errors import UserError
from gansweep.store.passwords import without_password

if TYPE_CHECKING:
    from hydra.types import HydraContext
    from omegaconf import DictConfig

Compose = Callable[[dict[str, str]], dict[str, Any]]  # group choices → composed parameters


# Settings of one call, which no record of a sweep's command has.
PASSING = ("retry", "plan", "json", "quiet")


def composer(master: DictConfig, context: HydraContext) -> Compose:
    """Return a function that composes parameters as Hydra does for this command line."""
    from omegaconf import OmegaConf

    def compose(groups: dict[str, str]) -> dict[str, Any]:
        if "data" in groups:
            offer(groups["data"])
        chosen = [f"{group}={choice}" for group, choice in groups.items()]
        config = context.config_loader.load_sweep_config(master, chosen)
        container = OmegaConf.to_container(config, resolve=False)
        assert isinstance(container, dict)
        del container["hydra"]
        return OmegaConf.to_container(OmegaConf.create(container), resolve=True)  # type: ignore[return-value]

    return compose


def make_config(composed: dict[str, Any], values: dict[str, Any] | None = None) -> Config:
    """Return the typed configuration: the composed parameters, overridden by `values`.

    Keys of `values` may name parameters of the data set, for example `data.root`. Raises UserError
    for an invalid value, whichever file contains the value, and for a missing data set name.
    """
    load_plugins(plugin_names(composed["plugins"]))
    merged = {name: check(name, composed[name]) for name in PARAMS}
    if composed["data"]["name"] == MISSING:
        raise UserError(
            "the file of data= names no data set: add the line name: images, or another of "
            + ", ".join(DATASETS.names())
        )
    data = {key: check(f"data.{key}", value) for key, value in composed["data"].items()}
    config = Config(**merged, data=DataConfig(**data))
    config.options = chosen_options(config, flat_options(composed["options"]))
    return with_values(config, values) if values else config


def flat_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return {"gen.n_blocks": 3} of {"gen": {"n_blocks": 3}}, as Hydra composes it."""
    flat: dict[str, Any] = {}
    for kind, values in options.items():
        if isinstance(values, dict):
            flat |= {f"{kind}.{name}": value for name, value in values.items()}
        else:
            flat[kind] = values
    return flat


def command_of(arguments: list[str], master: DictConfig) -> str:
    """Return the command line that repeats the sweep, without passwords, as files record it."""
    # The launcher is part of the command, but Hydra does not pass its override to the sweeper.
    hydra = [a for a in master.hydra.overrides.hydra if not a.startswith("hydra.mode=")]
    kept = [a for a in arguments if a.split("=")[0] not in PASSING]
    sources = master.hydra.runtime.config_sources
    folders = [_relative_if_below(s.path) for s in sources if s.provider == "command-line"]
    options = [word for folder in folders for word in ("--config-dir", folder)]
    if master.hydra.job.config_name != PRIMARY:
        options += ["--config-name", master.hydra.job.config_name]
    words = map(without_password, [*options, *hydra, *kept])
    return shlex.join(["python", "-m", "gansweep", "-m", *words])


def _relative_if_below(folder: str) -> str:
    """Return a folder below the working folder as a relative path.

    Readers of a report on another machine cannot use an absolute path.
    """
    path = Path(folder)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else folder
