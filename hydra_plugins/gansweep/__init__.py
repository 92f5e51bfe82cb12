"""What Hydra insists on finding under `hydra_plugins`: classes and their config, no logic.

Hydra imports this at the start of every Hydra app in the environment: nothing heavy here.
It does so outside `sys.modules`, where dataclasses cannot resolve postponed annotations. The names
that are registered here are seen by all these apps too, so each begins with `gansweep_`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional  # noqa: UP035

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
    """`hydra/launcher=gansweep_local`

    The settings are for other Hydra applications, as gansweep's own sweeps have settings of these
    names. jobs_per_device: null for one job on each GPU, and one per core (or per `threads`) on a
    CPU; threads: of each job; device: auto, cpu or cuda.
    """

    _target_: str = "hydra_plugins.gansweep.LocalLauncher"
    jobs_per_device: Optional[int] = None  # noqa: UP045
    threads: Optional[int] = None  # noqa: UP045
    device: str = "auto"


class LocalLauncher(Launcher):
    """Slots on this machine's GPUs or CPU cores; see gansweep/launch."""

    def __init__(self, **settings: Any) -> None:
        self._settings = settings

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        from gansweep.launch.local import prepare

        self._task: Any = prepare(task_function, hydra_context, config, self._settings)

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        from gansweep.launch.local import launch

        return launch(self._task, job_overrides, initial_job_idx)


@dataclass
class SlurmLauncherConfig:
    """`hydra/launcher=gansweep_slurm`: the settings of submitit's launcher, and `workers`."""

    _target_: str = "hydra_plugins.gansweep.SlurmLauncher"
    workers: int = 8
    submitit_folder: str = "${out}/submitit/%j"
    timeout_min: int = 240
    cpus_per_task: Optional[int] = 4  # noqa: UP045
    gpus_per_node: Optional[int] = 1  # noqa: UP045
    tasks_per_node: int = 1
    mem_gb: Optional[float] = 16  # noqa: UP045
    nodes: int = 1
    name: str = "gansweep"
    stderr_to_stdout: bool = True
    partition: Optional[str] = None  # noqa: UP045
    qos: Optional[str] = None  # noqa: UP045
    comment: Optional[str] = None  # noqa: UP045
    constraint: Optional[str] = None  # noqa: UP045
    exclude: Optional[str] = None  # noqa: UP045
    nodelist: Optional[str] = None  # noqa: UP045
    gres: Optional[str] = None  # noqa: UP045
    cpus_per_gpu: Optional[int] = None  # noqa: UP045
    gpus_per_task: Optional[int] = None  # noqa: UP045
    mem_per_gpu: Optional[str] = None  # noqa: UP045
    mem_per_cpu: Optional[str] = None  # noqa: UP045
    account: Optional[str] = None  # noqa: UP045
    signal_delay_s: int = 120
    additional_parameters: Dict[str, Any] = field(default_factory=dict)  # noqa: UP006
    setup: Optional[List[str]] = None  # noqa: UP006, UP045
    # The names of earlier versions: the number of workers, and a limit that workers do not need.
    array_parallelism: Optional[int] = None  # noqa: UP045
    max_num_timeout: Optional[int] = None  # noqa: UP045


class SlurmLauncher(Launcher):
    """Workers in jobs of a Slurm cluster; see gansweep/launch/slurm.py."""

    engine = "slurm"

    def __init__(self, **settings: Any) -> None:
        self._settings = settings

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        from gansweep.launch.by_workers import workers_for

        self._task: Any = task_function
        self.workers = workers_for(task_function, self.engine, self._settings)

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        from gansweep.launch.by_workers import launch

        return launch(self._task, job_overrides, self.workers)


@dataclass
class RayLauncherConfig:
    """`hydra/launcher=gansweep_ray`: `workers` actors on the running cluster at `address`."""

    _target_: str = "hydra_plugins.gansweep.RayLauncher"
    workers: int = 8
    address: str = "auto"
    num_cpus: float = 1
    num_gpus: float = 0


class RayLauncher(SlurmLauncher):
    """Workers in actors of a Ray cluster; see gansweep/launch/ray_workers.py."""

    engine = "ray"


ConfigStore.instance().store(
    group="hydra/launcher", name="gansweep_local", node=LocalLauncherConfig, provider="gansweep"
)
ConfigStore.instance().store(
    group="hydra/launcher", name="gansweep_worker", node=LocalLauncherConfig, provider="gansweep"
)
ConfigStore.instance().store(
    group="hydra/launcher", name="gansweep_ray", node=RayLauncherConfig, provider="gansweep"
)
ConfigStore.instance().store(
    group="hydra/launcher", name="gansweep_slurm", node=SlurmLauncherConfig, provider="gansweep"
)
ConfigStore.instance().store(
    group="hydra/sweeper", name="gansweep_search", node=SearchSweeperConfig, provider="gansweep"
)
ConfigStore.instance().store(
    group="hydra/sweeper", name="gansweep_grid", node=GridSweeperConfig, provider="gansweep"
)
