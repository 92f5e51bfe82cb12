"""`logger=trackio`: a run in Trackio's database, or in the Space that TRACKIO_SPACE_ID names."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Mapping
from pathlib import Path

from gansweep.plugins import LOGGERS
from gansweep.store.records import LoggerRecord, RunConfig
from gansweep.store.run import Run
from gansweep.training.loggers.base import PROJECT, Logger, Value, attempt_key


@LOGGERS.register(
    "trackio",
    package="trackio",
    install="gansweep[trackio]",
    help="trackio/ in the folder of runs, or the folder TRACKIO_DIR",
)
class Trackio(Logger):
    """A run of the project `gansweep`, named by the run's id and attempt."""

    def __init__(self, run: Run, record: RunConfig, earlier: LoggerRecord) -> None:
        super().__init__(run, record, earlier)
        # Trackio reads these when it is imported.
        os.environ.setdefault("TRACKIO_DIR", _usual_folder(run))
        os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
        import trackio

        self._image = trackio.Image
        self.id = f"{run.id}-{attempt_key(run)}"
        with contextlib.redirect_stdout(io.StringIO()):
            self._run = trackio.init(
                project=os.environ.get("TRACKIO_PROJECT") or PROJECT,
                name=self.id,
                space_id=os.environ.get("TRACKIO_SPACE_ID") or None,
                resume="allow",
                embed=False,
                auto_log_gpu=False,
            )

    @staticmethod
    def place(run: Run) -> str:
        names = ("TRACKIO_DIR", "TRACKIO_SPACE_ID", "TRACKIO_PROJECT")
        values = (os.environ.get(name) for name in names)
        return " ".join(value for value in values if value and value != _usual_folder(run))

    def params(self, values: Mapping[str, Value]) -> None:
        self._run.config.update({**values, "run": self.run.id})

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def picture(self, step: int, name: str, path: Path) -> None:
        self._run.log({name: self._image(str(path))}, step=step)

    def close(self, status: str) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            self._run.finish()


def _usual_folder(run: Run) -> str:
    return str((run.folder.parents[1] / "trackio").resolve())
