"""List the choices of a group, `data` or `profile`, on Hydra's search path.

The search path contains gansweep's conf/, the folders that the user adds with `--config-dir` or
`hydra.searchpath`, and the schema, which has the types and defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from gansweep.planning.resources import conf_folder

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from hydra.types import HydraContext
    from omegaconf import DictConfig

Choices = Callable[[str], list[str]]  # maps a group to its choices
PRIMARY = "config"  # the name of gansweep's primary configuration


def choices_of(master: DictConfig, context: HydraContext) -> Choices:
    """Return a function that lists the choices of a group for a sweep that Hydra has started."""
    overrides = master.hydra.overrides.hydra
    return _choices(context.config_loader, master.hydra.job.config_name, overrides)


def choices_for(config_name: str | None, config_dir: str | None, overrides: list[str]) -> Choices:
    """Return a function that lists the choices of a group before Hydra reads the command line."""
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra._internal.utils import create_config_search_path
    from hydra.core.config_search_path import SearchPathQuery

    @cache
    def found() -> Choices:
        path = create_config_search_path(str(conf_folder()))
        if config_dir is not None:
            folder = f"file://{Path(config_dir).resolve()}"
            path.prepend("command-line", folder, SearchPathQuery(provider="schema"))
        return _choices(ConfigLoaderImpl(path), config_name or PRIMARY, overrides)

    return lambda group: found()(group)  # lazy, as most command lines name no choice


def _choices(loader: ConfigLoader, config_name: str, overrides: Sequence[str]) -> Choices:
    from hydra.core.object_type import ObjectType

    added = [o for o in overrides if o.startswith("hydra.searchpath=")]

    @cache
    def choices(group: str) -> list[str]:
        def options(kind: ObjectType) -> list[str]:
            return loader.get_group_options(group, kind, config_name, added)

        found = options(ObjectType.CONFIG)
        for folder in options(ObjectType.GROUP):
            found += [f"{folder}/{name}" for name in choices(f"{group}/{folder}")]
        return sorted(found)

    return choices


def register_schema() -> None:
    """Register the types and defaults of all parameters with Hydra."""
    from hydra.core.config_store import ConfigStore
    from omegaconf import MISSING, OmegaConf

    from gansweep.config import Config

    schema = OmegaConf.structured(Config)
    schema.data.name = MISSING  # a user's file of the group `data` must name its data set
    ConfigStore.instance().store(name="schema", node=schema, provider="gansweep")
