"""Defines Hydra's task function in a sweep, which trains one planned run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gansweep.store.errors import Diverged
from gansweep.store.manifest import read_manifest
from gansweep.store.records import Result
from gansweep.store.run import Run
from gansweep.terminal.console import console
from gansweep.training import stop
from gansweep.training.job import execute, one_line
from gansweep.training.metrics.registered import missing_metrics

if TYPE_CHECKING:
    from omegaconf import DictConfig


@dataclass
class PlannedRun:
    """A planned run.

    title: what the screen calls the run; judged: whether it must have a distance; data: the name of
    its data set, whose metrics the score of the run must have; again: the metrics whose functions
    have failed and are to be called again; planned: the time of planning, if not that of the sweep.
    """

    run: Run
    title: str
    judged: bool = False
    data: str = ""
    again: list[str] = field(default_factory=list)
    planned: str = ""

    def complete(self) -> bool:
        """Return whether nothing is left to train, to draw, to judge or to measure."""
        if not self.run.complete():
            return False
        judge = self.run.judged() if self.judged else None
        return not self.judged or (bool(judge) and not missing_metrics(judge, self.data))

    def to_measure(self) -> list[str]:
        """Return the metrics by which a finished run is to be measured."""
        missing = missing_metrics(self.run.judged(), self.data) if self.judged else []
        return [*missing, *self.again]

    def failed_metrics(self) -> list[str]:
        """Return the metrics of a finished run whose functions have failed."""
        result = self.run.read_result()
        judge = result.get("judge") if result else None
        return list(judge.get("errors", {})) if judge and self.judged else []

    def forget_failures(self) -> None:
        """Remove the null values of the metrics in `again`, so that they are measured again."""
        if not self.again:
            return
        with self.run.owned(wait=True):
            result = self.run.read_result()
            judge = result.get("judge") if result else None
            if result is None or not judge:
                return
            judge.pop("errors", None)
            scores: list[Any] = [judge["score"], judge.get("ema", {})]
            for score in scores:
                for name in self.again:
                    score.pop(name, None)
            self.run.finish(result)


@dataclass
class SweepTask:
    """Hydra's task function in a sweep: it trains the run `cfg.run_id` as it was planned.

    Every launcher except gansweep's own calls it, on any machine. name: that of the sweep; planned:
    the time of planning (`run.now()`), since a run that fails in another sweep after it is not
    retried; at_most: the limit of the runs at a time on a device that packing=speed has found. The
    other fields are the launcher's settings; see `Config`.
    """

    name: str = ""
    out: str = ""
    planned: str = ""
    jobs_per_device: int | None = None
    at_most: int | None = None
    fail_fast: bool = False
    device: str = "auto"
    threads: int | None = None

    def __call__(self, cfg: DictConfig) -> Result:
        """Train the run. Returns its result.

        Raises KeyboardInterrupt if the run was stopped, and the exception of a run that failed.
        """
        run = Run(cfg.out, cfg.run_id)
        title = replace(self, out=cfg.out).titles().get(run.id, run.id)
        try:
            with stop.on_signals():
                # If another sweep is training this run, its result is awaited and used.
                return execute(run, title, wait=True, planned=self.planned)
        except stop.Stopped as stopped:
            console.print(f"{title}  {stopped}")
            raise KeyboardInterrupt from None
        except Exception as error:
            failed = "" if isinstance(error, Diverged) else "failed: "
            console.print(f"{title}  {failed}{one_line(error)}")
            raise

    def titles(self) -> dict[str, str]:
        """Return what the screen calls each run, by its id.

        The titles are read from the manifest, so that thousands of jobs need not carry them.
        """
        if not self.name:
            return {}
        return read_manifest(self.out, self.name).titles
