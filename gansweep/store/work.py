"""What the workers of a sweep share in its folder: settings, a request to stop, and their jobs.

The runs themselves are claimed in their own folders; see lease.py.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gansweep.store.check import fault
from gansweep.store.errors import UserError
from gansweep.store.manifest import manifest_path
from gansweep.store.run import now, read_json, write_json, write_text


@dataclass
class Work:
    """work.json: what the command that started a sweep tells its workers.

    jobs_per_device, threads, device, fail_fast: the settings of these names; retry: for each failed
    run that is to be trained again, the time of its failure; arguments: of a search, the words
    after `gansweep` that join it.
    """

    jobs_per_device: int | None = None
    threads: int | None = None
    device: str = "auto"
    fail_fast: bool = False
    retry: dict[str, str] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)

    def write(self, out: str | Path, name: str) -> None:
        """Write the file of the sweep `name`."""
        write_json(_path(out, name, "work.json"), dataclasses.asdict(self))


def _path(out: str | Path, name: str, file: str) -> Path:
    return manifest_path(out, name).with_name(file)


def read_work(out: str | Path, name: str) -> Work:
    """Return what workers are told; the defaults if the sweep has no file.

    Raises UserError if the file is damaged.
    """
    path = _path(out, name, "work.json")
    if not path.exists():
        return Work()
    record = read_json(path)
    if record is None or fault(record, Work):
        raise UserError(f"{path} is damaged; type the sweep's command again, which writes it anew")
    names = {item.name for item in dataclasses.fields(Work)}
    return Work(**{name: value for name, value in record.items() if name in names})


def ask_to_stop(out: str | Path, name: str) -> None:
    """Ask all processes that train runs of the sweep to write checkpoints and end."""
    write_text(_path(out, name, "stop"), f"{now()}\n")


def withdraw_stop(out: str | Path, name: str) -> None:
    """Withdraw the request to stop."""
    _path(out, name, "stop").unlink(missing_ok=True)


def stop_asked(out: str | Path, name: str) -> bool:
    """Return whether the sweep was asked to stop."""
    return bool(name) and _path(out, name, "stop").exists()


def read_jobs(out: str | Path, name: str) -> dict[str, list[str]]:
    """Return the jobs of the sweep's workers by engine, such as {"slurm": ["12_0", "12_1"]}."""
    jobs: Any = read_json(_path(out, name, "jobs.json")) or {}
    return {engine: list(map(str, ids)) for engine, ids in jobs.items() if isinstance(ids, list)}


def write_jobs(out: str | Path, name: str, engine: str, jobs: list[str]) -> None:
    """Record the jobs of an engine, in place of those that were recorded before."""
    known = {**read_jobs(out, name), engine: jobs}
    write_json(_path(out, name, "jobs.json"), {n: ids for n, ids in known.items() if ids})
