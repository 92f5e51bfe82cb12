"""Replace hydra-optuna-sweeper; this stand-in takes the same names in Hydra's ConfigStore."""

from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper


@dataclass
class OptunaSweeperConf:
    _target_: str = "hydra_plugins.hydra_optuna_sweeper.OptunaSweeper"


class OptunaSweeper(Sweeper):
    def setup(self, **_: Any) -> None:
        pass

    def sweep(self, arguments: list[str]) -> Any:
        print("the stranger's sweeper has", *arguments)


@dataclass
class LocalConf:
    _target_: str = "hydra_plugins.hydra_optuna_sweeper.LocalLauncher"


class LocalLauncher(Launcher):
    def setup(self, **_: Any) -> None:
        pass

    def launch(self, job_overrides: Any, initial_job_idx: int) -> Any:
        print("the stranger's launcher has", job_overrides)
        return []


STORE = ConfigStore.instance()
STORE.store(group="hydra/sweeper", name="optuna", node=OptunaSweeperConf, provider="stranger")
STORE.store(group="hydra/sweeper", name="grid", node=OptunaSweeperConf, provider="stranger")
STORE.store(group="hydra/launcher", name="local", node=LocalConf, provider="stranger")
