"""What Hydra composes for a sweep: configurations by their groups, and the command to repeat."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import MISSING

from gansweep.config import PARAMS, Config, check
from gansweep.params import DataConfig
from gansweep.planning.search_path import PRIMARY
from gansweep.plugins import DATASETS
from gansweep.store.errors import UserError
from gansweep.store.passwords import without_password

if TYPE_CHECKING:
    from hydra.types import HydraContext
    from omegaconf import DictConfig

Compose = Callable[[dict[str, str]], dict[str, Any]]  # group choices → composed parameters


def composer(master: DictConfig, context: HydraContext) -> Compose:
    """Composes as Hydra does on this command line."""
    from omegaconf import OmegaConf

    def compose(groups: dict[str, str]) -> dict[str, Any]:
        chosen = [f"{group}={choice}" for group, choice in groups.items()]
        config = context.config_loader.load_sweep_config(master, chosen)
        container = OmegaConf.to_container(config, resolve=False)
        assert isinstance(container, dict)
        del container["hydra"]
        return OmegaConf.to_container(OmegaConf.create(container), resolve=True)  # type: ignore[return-value]

    return compose


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


def command_of(arguments: list[str], master: DictConfig) -> str:
    """The command line that does the same again. It stands in files: without passwords."""
    # The launcher is part of the command, though Hydra keeps it from the sweeper.
    hydras = [a for a in master.hydra.overrides.hydra if not a.startswith("hydra.mode=")]
    lasting = [a for a in arguments if a.split("=")[0] not in ("retry", "plan")]
    sources = master.hydra.runtime.config_sources
    folders = [_seen_from_here(s.path) for s in sources if s.provider == "command-line"]
    options = [word for folder in folders for word in ("--config-dir", folder)]
    if master.hydra.job.config_name != PRIMARY:
        options += ["--config-name", master.hydra.job.config_name]
    words = map(without_password, [*options, *hydras, *lasting])
    return shlex.join(["python", "-m", "gansweep", "-m", *words])


def _seen_from_here(folder: str) -> str:
    """A folder below this one without the path of this one: a report may be read elsewhere."""
    path = Path(folder)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else folder
