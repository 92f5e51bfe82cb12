"""What Hydra composes for a sweep: configurations by their groups, and the command to repeat."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gansweep.planning.search_path import PRIMARY

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


def command_of(arguments: list[str], master: DictConfig) -> str:
    """The command line that does the same again."""
    # The launcher is part of the command, though Hydra keeps it from the sweeper.
    hydras = [a for a in master.hydra.overrides.hydra if not a.startswith("hydra.mode=")]
    lasting = [a for a in arguments if a.split("=")[0] not in ("retry", "plan")]
    sources = master.hydra.runtime.config_sources
    folders = [_seen_from_here(s.path) for s in sources if s.provider == "command-line"]
    options = [word for folder in folders for word in ("--config-dir", folder)]
    if master.hydra.job.config_name != PRIMARY:
        options += ["--config-name", master.hydra.job.config_name]
    return shlex.join(["python", "-m", "gansweep", "-m", *options, *hydras, *lasting])


def _seen_from_here(folder: str) -> str:
    """A folder below this one without the path of this one: a report may be read elsewhere."""
    path = Path(folder)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else folder
