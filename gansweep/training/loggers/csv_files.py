"""`logger=csv`: tables of a run's parameters and numbers, for spreadsheets and pandas."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from gansweep.plugins import LOGGERS
from gansweep.store.records import LoggerRecord, RunConfig
from gansweep.store.run import Run, write_file
from gansweep.training.loggers.base import Logger, Value, last_step


@LOGGERS.register("csv", help="csv/metrics.csv in the run's folder, a row for each step")
class CsvFiles(Logger):
    """csv/metrics.csv and csv/parameters.csv in the run's folder; the pictures are there anyway."""

    def __init__(self, run: Run, record: RunConfig, earlier: LoggerRecord) -> None:
        super().__init__(run, record, earlier)
        self.folder = run.folder / "csv"
        self.folder.mkdir(exist_ok=True)
        self.path = self.folder / "metrics.csv"
        rows = _rows(self.path, last_step(earlier)) if earlier else []
        self.columns = list(dict.fromkeys(name for row in rows for name in row)) or ["step"]
        self._stream = self._rewritten(rows)

    def _rewritten(self, rows: list[dict[str, str]]) -> TextIO:
        """Write the file with the present columns, and return it, open for further rows."""

        def write(path: Path) -> None:
            with path.open("w", newline="", encoding="utf-8") as stream:
                table = csv.DictWriter(stream, self.columns, restval="", lineterminator="\n")
                table.writeheader()
                table.writerows(rows)

        write_file(self.path, write)
        return self.path.open("a", newline="", encoding="utf-8")

    def params(self, values: Mapping[str, Value]) -> None:
        def write(path: Path) -> None:
            with path.open("w", newline="", encoding="utf-8") as stream:
                csv.writer(stream, lineterminator="\n").writerows(
                    [("name", "value"), *values.items()]
                )

        write_file(self.folder / "parameters.csv", write)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        if new := [name for name in values if name not in self.columns]:
            self.columns += new
            self._stream.close()
            self._stream = self._rewritten(_rows(self.path))
        row = {"step": step, **values}
        table = csv.DictWriter(self._stream, self.columns, restval="", lineterminator="\n")
        table.writerow(row)

    def flush(self) -> None:
        self._stream.flush()

    def close(self, status: str) -> None:
        self._stream.close()


def _rows(path: Path, last: int | None = None) -> list[dict[str, str]]:
    """Return the rows of a table, up to the step `last`; a row that was cut off is left out."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if None not in row.values()]
    steps = [row.get("step") or "" for row in rows]
    return [
        row
        for row, step in zip(rows, steps, strict=True)
        if step.isdecimal() and (last is None or int(step) <= last)
    ]
