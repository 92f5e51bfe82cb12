"""Hold one contest: start the contestant, look at its files, copy its choices, stop it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.duel.choices import Choice, of_gansweep, of_optuna, of_ray
from benchmarks.duel.terms import BATCH, HOLDOUT, Terms

LOOK = 0.25  # seconds between two looks for the first training step
PATIENCE = 15  # seconds for a contestant to end before it is killed


@dataclass(frozen=True)
class Contestant:
    """A contestant: its command, the files that its first training writes, and its choice."""

    name: str
    command: Callable[[Terms, int], list[str]]
    began: str
    choice: Callable[[Path], Choice | None]


def gansweep(terms: Terms, seed: int) -> list[str]:
    networks = [f"{role}=benchmarks.duel.networks:{name}" for role, name in NETWORKS.items()]
    return [
        "gansweep", "-m", *networks, "search=gen_lr,disc_lr,beta1", "data=mnist5k",
        f"data.holdout={HOLDOUT}", f"batch_size={BATCH}", "smooth=0", f"steps={terms.steps}",
        f"budget={terms.seconds:.0f}s", f"seed={seed}", "name=duel",
    ]  # fmt: skip


def optuna(terms: Terms, seed: int) -> list[str]:
    return ["benchmarks.duel.lightning", str(terms.seconds), str(seed), str(terms.steps)]


def ray(metric: str, terms: Terms, seed: int) -> list[str]:
    sizes = [str(terms.seconds), str(seed), str(terms.members), str(terms.steps)]
    return ["benchmarks.duel.pbt", metric, *sizes, "../lenet.pt"]


NETWORKS = {"gen": "Generator", "disc": "Discriminator"}
CONTESTANTS = {
    "gansweep": Contestant("gansweep", gansweep, "outputs/runs/*/history.jsonl", of_gansweep),
    "optuna": Contestant("Optuna and Lightning", optuna, "began", of_optuna),
    "ray": Contestant(
        "Ray's example", partial(ray, "is_score"), "began",
        partial(of_ray, metric="is_score", sign=-1),
    ),
    "ray_distance": Contestant(
        "Ray's example with the distance", partial(ray, "fd"), "began",
        partial(of_ray, metric="fd", sign=1),
    ),
}  # fmt: skip


def hold(contestant: Contestant, terms: Terms, seed: int, folder: Path) -> dict[str, Any]:
    """Hold a contest in the new folder `folder`, and return its record.

    The record has the seconds until the first training step (None if there was none) and the
    choices: the second, the value by the contestant's own criterion, and a copy of the model, with
    a line for each look at which the choice is another one. Raises RuntimeError if the contestant
    ends with an error.
    """
    folder.mkdir(parents=True)
    record: dict[str, Any] = {"began": None, "choices": []}
    with (folder / "log.txt").open("wb") as log:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", *contestant.command(terms, seed)],
            cwd=folder, env=environment(folder), stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            watch(process, contestant, terms, started, folder, record)
        finally:
            end(process)
    if process.returncode > 0 and record["ended"] < terms.seconds:
        text = (folder / "log.txt").read_text(errors="replace")[-3000:]
        raise RuntimeError(f"{contestant.name} ended with {process.returncode}:\n{text}")
    return record


def watch(
    process: subprocess.Popen[bytes],
    contestant: Contestant,
    terms: Terms,
    started: float,
    folder: Path,
    record: dict[str, Any],
) -> None:
    """Fill `record` until the time is over or the contestant ends."""
    last, due = None, terms.every
    while True:
        passed = time.perf_counter() - started
        running = process.poll() is None
        if record["began"] is None and any(folder.glob(contestant.began)):
            record["began"] = round(passed, 2)
        if passed >= due or not running:
            found = contestant.choice(folder)
            key = found and (found.file, found.file.stat().st_mtime_ns)
            if found is not None and key != last:
                copy = folder / "choices" / f"{len(record['choices'])}.pt"
                copy.parent.mkdir(exist_ok=True)
                shutil.copyfile(found.file, copy)
                record["choices"].append(
                    {"seconds": round(passed, 2), "value": found.value, "file": copy.name}
                )
                last = key
            due += terms.every
        if passed >= terms.seconds or not running:
            record["ended"] = round(passed, 2)
            return
        time.sleep(max(0, min(LOOK, terms.seconds - passed)))


def environment(folder: Path) -> dict[str, str]:
    """Return the variables of a contestant: the project's modules, and a home of its own.

    Ray's example writes a lock into the home folder. matplotlib, which the example imports, would
    search for fonts in each new home, so it gets the folder where it has done that before.
    """
    import matplotlib

    from gansweep.machine import cache_folder

    return {
        **os.environ,
        "MPLCONFIGDIR": matplotlib.get_cachedir(),
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "GANSWEEP_CACHE": str(cache_folder().resolve()),
        "HOME": str(folder.resolve()),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",  # its default of 15 would lose to whatever else runs
    }


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop a contestant, and all processes that it has started, also in sessions of their own."""
    family = descendants(process.pid)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for pid, began in family.items():
        if start_of(pid) == began:  # the number may belong to another process by now
            os.kill(pid, signal.SIGKILL)


def descendants(pid: int) -> dict[int, str]:
    """Return the processes below `pid` by their numbers, with the times of their starts."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        fields = fields_of(int(path.parent.name))
        if fields:
            parents[int(path.parent.name)] = int(fields[1])
    found = [pid]
    for parent in found:
        found += [child for child, of in parents.items() if of == parent]
    return {child: start_of(child) for child in found[1:]}


def start_of(pid: int) -> str:
    fields = fields_of(pid)
    return fields[19] if fields else ""


def fields_of(pid: int) -> list[str]:
    """Return what Linux says of a process after its name; nothing if it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def read(file: Path) -> dict[str, Any] | None:
    return json.loads(file.read_text()) if file.is_file() else None
