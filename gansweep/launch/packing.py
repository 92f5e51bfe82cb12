"""`packing=speed`: find how many runs at a time a device trains fastest, and record it.

A measurement needs an idle device and takes up to a minute. It is made before the first run of a
cost (networks, batch, precision, …) that was not measured on this machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from gansweep.config import Config
from gansweep.launch import mps
from gansweep.launch.devices import Device, find_devices
from gansweep.launch.names import LAUNCHER
from gansweep.machine import cache_folder, measured_once, processor
from gansweep.store.errors import UserError
from gansweep.store.estimate import cost_of
from gansweep.store.run import Run
from gansweep.terminal.console import console

ENOUGH = 0.95  # The smallest number of runs that reaches this share of the best speed is used.


def check_packing(settings: Config, launcher: str) -> None:
    """Raise UserError if the settings of how runs share a device cannot be followed."""
    for name, chosen in (("packing", settings.packing == "speed"), ("mps", settings.mps)):
        if chosen and launcher != LAUNCHER:
            raise UserError(f"{name} is for the slots of one machine: leave it out for {launcher}")
    if settings.packing == "speed" and settings.jobs_per_device is not None:
        raise UserError("packing=speed finds the number itself: leave out jobs_per_device=")
    if settings.mps:
        mps.check(find_devices(settings.device))


def choose(speeds: Mapping[int, float]) -> int:
    """Return the smallest number of runs whose images/s are nearly the best."""
    return min(n for n, rate in speeds.items() if rate >= ENOUGH * max(speeds.values()))


@dataclass
class Packing:
    """How many runs at a time train fastest, for the runs of the folder `out`.

    threads: the CPU threads of a run.
    """

    out: str
    threads: int
    _keys: dict[tuple[str, str], str] = field(default_factory=dict)
    _most: dict[str, int] = field(default_factory=dict)

    def most(self, run_id: str, device: Device) -> int | None:
        """Return the number for a run on a device, or None if it was not yet asked for."""
        return self._most.get(self._key(run_id, device))

    def measure(self, run_id: str, device: Device) -> None:
        """Measure on an idle device, if that was not done before on this machine.

        Raises UserError if measuring fails.
        """
        key = self._key(run_id, device)
        if key in self._most:
            return
        path = cache_folder() / "packing.json"
        try:
            record = measured_once(path, key, lambda: self._measure(run_id, device, path))
        except OSError as error:
            raise UserError(f"packing=speed: {path}: {error.strerror}") from error
        self._most[key] = record["choice"]

    def _key(self, run_id: str, device: Device) -> str:
        """Return what the speed depends on, as a text."""
        if (run_id, device.id) not in self._keys:
            name = processor() if device.kind == "cpu" else device.name
            service = ["MPS"] if device.kind != "cpu" and mps.is_running() else []
            cost = [str(value) for value in cost_of(Run(self.out, run_id).read_config())]
            words = [
                name, *service, f"{device.cores} cores, {self.threads} threads",
                f"torch {version('torch')}", " ".join(cost),
            ]  # fmt: skip
            self._keys[run_id, device.id] = ", ".join(words)
        return self._keys[run_id, device.id]

    def _measure(self, run_id: str, device: Device, path: Path) -> dict[str, object]:
        """Measure in a separate process, as this one imports no torch, and print the result."""
        most = device.most_jobs(self.threads)
        console.print(f"packing=speed: measuring up to {most} runs at a time on {device.label}")
        command = [sys.executable, "-m", "gansweep.training.packing", str(Path(self.out).resolve()),
                   run_id, device.kind, str(most), str(self.threads)]  # fmt: skip
        # Ctrl-C is for the sweep, which then stops after the measurement.
        done = subprocess.run(
            command, env=os.environ | device.environment(), capture_output=True, text=True,
            start_new_session=True,
        )  # fmt: skip
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no error message"])[-1]
            raise UserError(f"packing=speed could not be measured: {reason}; write packing=memory")
        speeds = {int(n): rate for n, rate in json.loads(done.stdout.splitlines()[-1]).items()}
        choice = choose(speeds)
        console.print(
            f"packing=speed: {', '.join(map(str, speeds))} at a time train "
            f"{', '.join(f'{rate:,.0f}' for rate in speeds.values())} images/s: {choice} at a time "
            f"on {device.label} (recorded in {path})"
        )
        return {"images/s": speeds, "choice": choice}
