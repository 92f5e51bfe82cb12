"""Hydra's task function in a sweep: train one planned run. Our own launcher does not need it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gansweep.store.errors import Diverged
from gansweep.store.manifest import numbered, read_manifest
from gansweep.store.records import Result
from gansweep.store.run import Run
from gansweep.terminal.console import console
from gansweep.training import stop
from gansweep.training.job import execute, one_line

if TYPE_CHECKING:
    from omegaconf import DictConfig


@dataclass
class PlannedRun:
    """A run that is planned. title: what the screen calls it; judged: must it have a distance?"""

    run: Run
    title: str
    judged: bool = False

    def complete(self) -> bool:
        """Is nothing left to train, to draw or to judge?"""
        return self.run.complete() and (self.run.judged() or not self.judged)


@dataclass
class SweepTask:
    """Hydra's task function in a sweep: train the run `cfg.run_id` as it was planned.

    Every launcher but our own calls it, on whatever machine. name: the sweep's; planned: when
    (`run.now()`), as what fails in another sweep after that is not trained again. The
    other fields are the launcher's settings; see `Config`.
    """

    name: str = ""
    out: str = ""
    planned: str = ""
    jobs_per_device: int | None = None
    fail_fast: bool = False
    device: str = "auto"
    threads: int | None = None

    def __call__(self, cfg: DictConfig) -> Result:
        run = Run(cfg.out, cfg.run_id)
        title = replace(self, out=cfg.out).titles().get(run.id, run.id)
        try:
            with stop.on_signals():
                # Another sweep may be training it: what it makes of it is as good.
                return execute(run, title, wait=True, planned=self.planned)
        except stop.Stopped as stopped:
            console.print(f"{title}  {stopped}")
            raise KeyboardInterrupt from None
        except Exception as error:
            failed = "" if isinstance(error, Diverged) else "failed: "
            console.print(f"{title}  {failed}{one_line(error)}")
            raise

    def titles(self) -> dict[str, str]:
        """What the screen calls each run; read from the manifest, which thousands of jobs need
        not carry."""
        if not self.name:
            return {}
        return numbered(read_manifest(self.out, self.name).titles)
