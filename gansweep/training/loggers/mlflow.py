"""`logger=mlflow`: a run in the tracking server or database that MLFLOW_TRACKING_URI names."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from filelock import FileLock

from gansweep.plugins import LOGGERS
from gansweep.store.passwords import without_password
from gansweep.store.records import LoggerRecord, RunConfig
from gansweep.store.run import Run
from gansweep.training.loggers.base import (
    PROJECT,
    Logger,
    Value,
    attempt_key,
    attempt_of,
    result_digest,
)

# Without these values, MLflow reports its use over the network, and waits for a server that is down
# for several minutes.
DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
STATUSES = {"done": "FINISHED", "failed": "FAILED", "diverged": "FAILED", "interrupted": "KILLED"}
TAG = "gansweep.run"  # the tag by which a run is found again; its value is the run's id
ATTEMPT, RESULT = "gansweep.attempt", "gansweep.result"
BATCH = 1000  # MLflow accepts this many numbers in a call, and a tenth as many parameters


@LOGGERS.register(
    "mlflow",
    package="mlflow",
    install="gansweep[mlflow]",
    help="the server of MLFLOW_TRACKING_URI, or else mlflow.db in the folder of runs",
)
class MLflow(Logger):
    """A run of MLflow, which is found by its tag, so that no run is written twice."""

    def __init__(self, run: Run, record: RunConfig, earlier: LoggerRecord) -> None:
        super().__init__(run, record, earlier)
        for name, value in DEFAULTS.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param

        for package in ("mlflow", "alembic"):  # MLflow sets its own level when it is imported.
            logging.getLogger(package).setLevel(logging.ERROR)
        self._metric, self._param = Metric, Param
        out = run.folder.parents[1]
        # Processes that make the tables of a new database at the same time fail.
        with FileLock(out / ".mlflow.lock"):
            self.client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or _local(out))
            self.experiment = self._experiment(out)
        self._buffer: list[Any] = []
        self.id, self._found = self._find()
        self.client.update_run(self.id, status="RUNNING")

    @staticmethod
    def place(run: Run) -> str:
        return without_password(os.environ.get("MLFLOW_TRACKING_URI", ""))

    def _experiment(self, out: Path) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or PROJECT
        known = self.client.get_experiment_by_name(name)
        if known is not None:
            return str(known.experiment_id)
        local = None
        if not os.environ.get("MLFLOW_TRACKING_URI"):
            local = (out / "mlflow").resolve().as_uri()
        return str(self.client.create_experiment(name, artifact_location=local))

    def _find(self) -> tuple[str, bool]:
        """Return the id of this run in MLflow, and whether it is there already."""
        found = self.client.search_runs([self.experiment], f"tags.`{TAG}` = '{self.run.id}'")
        attempt = attempt_key(self.run)
        for known in found:
            if known.data.tags.get(ATTEMPT) == attempt:
                return str(known.info.run_id), True
            # The numbers of an earlier attempt are kept, but are no longer those of this run.
            self.client.set_tag(known.info.run_id, TAG, f"{self.run.id}, an earlier attempt")
        tags = {TAG: self.run.id, ATTEMPT: attempt, "mlflow.runName": self.run.id}
        tags |= {"gansweep.command": self.record.get("command", "")}
        moment = _milliseconds(attempt_of(self.run))
        created = self.client.create_run(self.experiment, start_time=moment, tags=tags)
        return str(created.info.run_id), False

    def received(self) -> LoggerRecord:
        """Return what MLflow itself has, as a killed process may have sent more than it noted."""
        if not self._found:
            return {}
        data = self.client.get_run(self.id).data
        if not data.params:  # The process was killed before it sent anything.
            return {}
        received: dict[str, Any] = {**self.earlier}
        for stream, group in (("metrics", "loss/"), ("evaluations", "distance/")):
            key = next((name for name in data.metrics if name.startswith(group)), None)
            if key is not None:
                history = self.client.get_metric_history(self.id, key)
                received[stream] = max(point.step for point in history)
        received["result"] = data.tags.get(RESULT, "")
        return cast("LoggerRecord", received)

    def params(self, values: Mapping[str, Value]) -> None:
        params = [self._param(name, str(value)) for name, value in values.items()]
        for first in range(0, len(params), BATCH // 10):
            self.client.log_batch(self.id, params=params[first : first + BATCH // 10])

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        now = int(time.time() * 1000)
        self._buffer += [self._metric(name, value, now, step) for name, value in values.items()]

    def picture(self, step: int, name: str, path: Path) -> None:
        self.client.log_artifact(self.id, str(path), name if name == "samples" else None)

    def flush(self) -> None:
        for first in range(0, len(self._buffer), BATCH):
            self.client.log_batch(self.id, metrics=self._buffer[first : first + BATCH])
        self._buffer.clear()

    def close(self, status: str) -> None:
        self.flush()
        if digest := result_digest(self.run):
            self.client.set_tag(self.id, RESULT, digest)
        ends = [e["time"] for e in self.run.read_history() if e["event"] == "ended"]
        moment = _milliseconds(ends[-1]) if ends and ends[-1] > attempt_of(self.run) else None
        self.client.set_terminated(self.id, STATUSES.get(status, "FAILED"), end_time=moment)


def _local(out: Path) -> str:
    return f"sqlite:///{(out / 'mlflow.db').resolve()}"


def _milliseconds(moment: str) -> int | None:
    """Return the time of an event in ms since 1970; None if it is unknown."""
    return int(datetime.fromisoformat(moment).timestamp() * 1000) if moment else None
