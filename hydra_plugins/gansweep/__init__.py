"""What Hydra insists on finding under `hydra_plugins`: classes and their config, no logic.

Hydra imports this at the start of every Hydra app in the environment: nothing heavy here.
It does so outside `sys.modules`, where dataclasses cannot resolve postponed annotations.
"""

from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class GridSweeperConfig:
    """`hydra/sweeper=grid`"""

    _target_: str = "hydra_plugins.gansweep.GridSweeper"


class GridSweeper(Sweeper):
    """Grids and row lists, each row on each data set; see gansweep/sweep."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self._sweep = (config, hydra_context)

    def sweep(self, arguments: list[str]) -> Any:
        from gansweep.sweep.grid import sweep

        return sweep(arguments, *self._sweep)


ConfigStore.instance().store(
    group="hydra/sweeper", name="grid", node=GridSweeperConfig, provider="gansweep"
)
