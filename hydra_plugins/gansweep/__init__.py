"""What Hydra insists on finding under `hydra_plugins`: classes and their config, no logic.

Hydra imports this at the start of every Hydra app in the environment: nothing heavy here.
It does so outside `sys.modules`, where dataclasses cannot resolve postponed annotations. The names
that are registered here are seen by all these apps too, so each begins with `gansweep_`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class GridSweeperConfig:
    """`hydra/sweeper=gansweep_grid`"""

    _target_: str = "hydra_plugins.gansweep.GridSweeper"


class GridSweeper(Sweeper):
    """Grids and row lists, each row on each data set; see gansweep/planning."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self._sweep = (config, hydra_context)

    def sweep(self, arguments: list[str]) -> Any:
        from gansweep.planning.grid import sweep

        return sweep(arguments, *self._sweep)


@dataclass
class SearchSweeperConfig:
    """`hydra/sweeper=gansweep_search`"""

    _target_: str = "hydra_plugins.gansweep.SearchSweeper"


class SearchSweeper(Sweeper):
    """Searches with Optuna; see gansweep/search."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self._sweep = (config, hydra_context)

    def sweep(self, arguments: list[str]) -> Any:
        from gansweep.search.optimize import optimize

        return optimize(arguments, *self._sweep)


@dataclass
class LocalLauncherConfig:
    """`hydra/launcher=gansweep_local`"""

    _target_: str = "hydra_plugins.gansweep.LocalLauncher"


class LocalLauncher(Launcher):
    """Slots on this machine's GPUs or CPU cores; see gansweep/launch."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        from gansweep.launch.local import prepare

        self._task = prepare(task_function)

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        from gansweep.launch.local import launch

        return launch(self._task, job_overrides)


ConfigStore.instance().store(
    group="hydra/launcher", name="gansweep_local", node=LocalLauncherConfig, provider="gansweep"
)
ConfigStore.instance().store(
    group="hydra/sweeper", name="gansweep_search", node=SearchSweeperConfig, provider="gansweep"
)
ConfigStore.instance().store(
    group="hydra/sweeper", name="gansweep_grid", node=GridSweeperConfig, provider="gansweep"
)
