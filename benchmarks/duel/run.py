"""Hold the missing contests, score them, and write the report: `make bench ONLY=duel`.

`DUEL_SECONDS=100 DUEL_SEEDS=5 DUEL_OUT=FOLDER` set the wall time of a contest, the number of seeds
and the folder; `terms.Terms` has further sizes. A repeated command holds only what is missing.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.duel import terms as of_all
from benchmarks.duel.contest import CONTESTANTS, hold, read
from benchmarks.duel.lenet import train_lenet
from benchmarks.duel.networks import same_as_example
from benchmarks.duel.report import write_report
from benchmarks.duel.scores import scored
from gansweep.training.metrics.evaluate import Judge
from gansweep.training.metrics.reference import are_shared


def duel() -> None:
    terms = of_all.Terms()
    asked = os.environ.get("DUEL_ONLY", ",".join(CONTESTANTS)).split(",")
    size = f"{terms.seconds:.0f}s-{terms.steps}-{terms.members}"
    out = Path(os.environ.get("DUEL_OUT", "outputs/duel")) / size
    judge = prepare(out)
    records: dict[str, list[dict[str, Any]]] = {name: [] for name in asked}
    for seed in range(1, terms.seeds + 1):
        # The machine's speed drifts, so the contestants take turns, and begin in another order.
        turn = seed % len(asked)
        for name in asked[turn:] + asked[:turn]:
            records[name].append(contest(judge, name, terms, seed, out))
    write_report({CONTESTANTS[name].name: found for name, found in records.items()}, terms)


def prepare(out: Path) -> Judge:
    """Make what no contestant has to make in its time: the digits, both classifiers."""
    same_as_example()
    out.mkdir(parents=True, exist_ok=True)
    data = of_all.data()
    if are_shared(data):
        raise RuntimeError("the scores would have the digits by which contestants choose")
    np.save(out / "images.npy", data.array())
    if not (out / "lenet.pt").is_file():
        train_lenet(out / "lenet.pt")
    torch.set_num_threads(of_all.SLOTS)
    return Judge(data)


def contest(judge: Judge, name: str, terms: of_all.Terms, seed: int, out: Path) -> dict[str, Any]:
    """Return the record of a contest, which is held unless it is there."""
    folder = out / f"{name}-{seed}"
    file = folder / "contest.json"
    if (known := read(file)) is not None:
        return known
    shutil.rmtree(folder, ignore_errors=True)  # a contest that was interrupted
    record = scored(judge, name, folder, hold(CONTESTANTS[name], terms, seed, folder))
    part = file.with_suffix(".part")
    part.write_text(json.dumps(record, indent=1))
    part.replace(file)
    last = record["choices"][-1]["distance"] if record["choices"] else float("nan")
    print(f"{name} seed {seed}: began {record['began']} s, distance {last:.1f}", flush=True)
    return record
