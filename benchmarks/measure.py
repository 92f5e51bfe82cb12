"""Time whole commands in turns, and write the results as Markdown and CSV."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

REPORTS = Path(os.environ.get("BENCH_REPORTS", "reports/benchmarks"))


@dataclass
class Series:
    """The values of one contestant, one for each round."""

    name: str
    values: list[float] = field(default_factory=list)
    note: str = ""

    def spread(self, digits: int = 1) -> str:
        """Return the text minimum–median–maximum."""
        return "–".join(
            f"{v:,.{digits}f}" for v in (min(self.values), median(self.values), max(self.values))
        )


def seconds(command: list[str], **environment: str) -> float:
    """Return the wall time, in seconds, of a command in an empty folder.

    Raises RuntimeError if it fails.
    """
    here = str(Path(__file__).parents[1])
    variables = {**os.environ, "PYTHONPATH": here, **environment}
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, *command], cwd=folder, env=variables, capture_output=True, text=True
        )
        took = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return took


def machine() -> str:
    """Return a description of the machine, without its host name."""
    from gansweep.launch.devices import cpu_cores, find_devices
    from gansweep.machine import processor

    gpus = [device.name for device in find_devices() if device.kind != "cpu"]
    return ", ".join([f"{cpu_cores()} CPU cores ({processor()})", *gpus])


def write(name: str, title: str, text: list[str], header: list[str], rows: list[list[str]]) -> None:
    """Write `reports/benchmarks/NAME.md` and `.csv`, and print the table."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    lines = [header, ["---"] * len(header), *rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    body = "\n\n".join([f"# {title}", table, *text, f"Measured on {machine()}."])
    (REPORTS / f"{name}.md").write_text(body + "\n", encoding="utf-8")
    with (REPORTS / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    print(f"\n{title}\n\n{table}\n", flush=True)
