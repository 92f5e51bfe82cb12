"""`logger=wandb`: a run of Weights & Biases, in a folder unless WANDB_MODE=online is set."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gansweep.plugins import LOGGERS
from gansweep.store.records import LoggerRecord, RunConfig
from gansweep.store.run import Run
from gansweep.training.loggers.base import PROJECT, Logger, Value, attempt_key


@LOGGERS.register(
    "wandb",
    package="wandb",
    install="gansweep[wandb]",
    help="wandb/ in the run's folder; with WANDB_MODE=online, the server",
)
class WeightsAndBiases(Logger):
    """A run whose id contains the run's id, so that the server adds to it and makes no copy."""

    def __init__(self, run: Run, record: RunConfig, earlier: LoggerRecord) -> None:
        super().__init__(run, record, earlier)
        mode = _mode()
        if mode != "online":
            os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # it goes over the network
        import wandb

        self._image = wandb.Image
        self.id = f"{run.id}-{attempt_key(run)}"
        settings = wandb.Settings(console="off", silent=True)
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or PROJECT,
            id=self.id,
            name=run.id,
            # An earlier process may have started wandb's service in another working folder.
            dir=os.environ.get("WANDB_DIR") or run.folder.resolve(),
            mode=mode,
            resume="allow" if mode == "online" else None,
            reinit="create_new",
            settings=settings,
        )

    @staticmethod
    def place(run: Run) -> str:
        if _mode() != "online":
            return ""
        names = ("WANDB_BASE_URL", "WANDB_ENTITY", "WANDB_PROJECT")
        return " ".join(["online", *(os.environ[name] for name in names if os.environ.get(name))])

    def params(self, values: Mapping[str, Value]) -> None:
        command = self.record.get("command", "")
        self._run.config.update({**values, "run": self.run.id, "command": command})

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def picture(self, step: int, name: str, path: Path) -> None:
        self._run.log({name: self._image(str(path))}, step=step)

    def close(self, status: str) -> None:
        self._run.finish(exit_code=0 if status == "done" else 1)


def _mode() -> Any:  # wandb's type for it is a Literal, which the check may not know
    return os.environ.get("WANDB_MODE") or "offline"
