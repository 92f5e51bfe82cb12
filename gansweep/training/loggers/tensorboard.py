"""`logger=tensorboard`: event files, without torch or TensorFlow.

The records are written at once. TensorBoard's own writer has a thread, and waits for it for ever
after the disk has refused a record.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gansweep.plugins import LOGGERS
from gansweep.store.records import LoggerRecord, RunConfig
from gansweep.store.run import Run
from gansweep.training.loggers.base import Logger, Value, last_step

CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}


@LOGGERS.register(
    "tensorboard",
    package="tensorboard",
    install="gansweep[tensorboard]",
    help="tensorboard/ in the run's folder: tensorboard --logdir outputs/runs",
)
class TensorBoard(Logger):
    """An event file in the folder tensorboard/ of the run."""

    def __init__(self, run: Run, record: RunConfig, earlier: LoggerRecord) -> None:
        super().__init__(run, record, earlier)
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event, self._summary = event_pb2.Event, summary_pb2.Summary
        folder = run.folder / "tensorboard"
        folder.mkdir(exist_ok=True)
        if not earlier:
            for old in folder.glob("events.out.tfevents.*"):
                old.unlink()
        # TensorBoard reads the files of a folder in the order of their names.
        path = folder / f"events.out.tfevents.{time.time_ns():020d}.gansweep"
        self._file = RecordWriter(path.open("wb"))
        self._write(file_version="brain.Event:2")
        if earlier:  # What a killed process has written after this step is hidden by the record.
            session = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._write(step=last_step(earlier) + 1, session_log=session)

    def _write(self, **fields: Any) -> None:
        event = self._event(wall_time=time.time(), **fields)
        self._file.write(event.SerializeToString())

    def params(self, values: Mapping[str, Value]) -> None:
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb
        from tensorboard.plugins.text.summary_v2 import text_pb

        self._write(step=0, summary=hparams_pb(dict(values), trial_id=self.run.id))
        table = ["| parameter | value |", "| --- | --- |"]
        table += [f"| {name} | {value} |" for name, value in values.items()]
        texts = {"parameters": "\n".join(table)}
        if command := self.record.get("command"):
            texts["command"] = f"`{command}`"
        for tag, text in texts.items():
            self._write(step=0, summary=text_pb(tag, text))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        found = [self._summary.Value(tag=name, simple_value=v) for name, v in values.items()]
        self._write(step=step, summary=self._summary(value=found))

    def picture(self, step: int, name: str, path: Path) -> None:
        from PIL import Image

        with Image.open(path) as picture:
            (width, height), mode = picture.size, picture.mode
        image = self._summary.Image(
            width=width,
            height=height,
            colorspace=CHANNELS.get(mode, 3),
            encoded_image_string=path.read_bytes(),
        )
        value = self._summary.Value(tag=name, image=image)
        self._write(step=step, summary=self._summary(value=[value]))

    def flush(self) -> None:
        self._file.flush()

    def close(self, status: str) -> None:
        if status != "interrupted":  # An interrupted run goes on.
            self._end(failed=status != "done")
        self._file.close()

    def _end(self, failed: bool) -> None:
        """Write the end of the session, which the page of the parameters shows as its status."""
        from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

        status = api_pb2.STATUS_FAILURE if failed else api_pb2.STATUS_SUCCESS
        info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
        content = plugin_data_pb2.HParamsPluginData(session_end_info=info)
        value = self._summary.Value(
            tag=metadata.SESSION_END_INFO_TAG,
            metadata=metadata.create_summary_metadata(content),
            tensor=metadata.NULL_TENSOR,
        )
        self._write(step=0, summary=self._summary(value=[value]))
