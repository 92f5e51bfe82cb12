"""The files of a run that hold weights: their sizes, their removal, and which sweeps need them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from gansweep.store.manifest import Manifest, manifest_path
from gansweep.store.run import Run, now, read_json, write_json
from gansweep.store.sweep_records import CleanedRecord

UNITS = ("bytes", "kB", "MB", "GB", "TB")


def weight_files(run: Run) -> list[Path]:
    """Return the existing files with weights of a finished run. Those of a script are unknown."""
    paths = [run.final, run.best, run.state, *run.snapshots().values()]
    return [path for path in paths if path.is_file()]


def size_of(paths: Iterable[Path]) -> int:
    """Return the bytes of these files together; a file that has just been removed has none."""
    total = 0
    for path in paths:
        with suppress(OSError):
            total += path.stat().st_size
    return total


def shown_size(size: float) -> str:
    """Return a number of bytes in words: `14.2 MB`."""
    for unit in UNITS[:-1]:
        if size < 999.5:
            return f"{size:.0f} {unit}" if unit == UNITS[0] else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} {UNITS[-1]}"


def weights_in_words(out: str | Path, run_ids: Iterable[str]) -> str:
    """Return how much the weights of these runs take: `24 MB of weights, 15 MB of it states …`."""
    runs = [Run(out, run_id) for run_id in run_ids]
    files = [path for run in runs for path in weight_files(run)]
    if not files:
        return ""
    states = size_of(run.state for run in runs)
    part = f", {shown_size(states)} of them final states for extend" if states else ""
    return f"{shown_size(size_of(files))} of weights{part}"


def remove_weights(run: Run) -> int:
    """Remove the weights of a finished run, and return their bytes.

    Raises Held if a process has the run.
    """
    with run.owned():
        paths = weight_files(run)
        size = size_of(paths)
        for path in paths:
            path.unlink(missing_ok=True)
        return size


def all_runs(manifest: Manifest) -> set[str]:
    """Return the ids of the runs in a manifest."""
    return {run for row in manifest.rows for runs in row.runs.values() for run in runs}


def given_up(out: str | Path, name: str) -> set[str]:
    """Return the runs whose weights a sweep does not need any more."""
    found = (read_json(_path(out, name)) or {}).get("given_up", [])
    return {run for run in found if isinstance(run, str)} if isinstance(found, list) else set()


def give_up(out: str | Path, name: str, runs: Collection[str]) -> None:
    """Record that a sweep does not need the weights of these runs any more."""
    record: CleanedRecord = {"given_up": sorted({*given_up(out, name), *runs}), "time": now()}
    write_json(_path(out, name), record)


def _path(out: str | Path, name: str) -> Path:
    return manifest_path(out, name).with_name("cleaned.json")
