"""Write synthetic sweeps, with run folders like those of a training, to test reports."""

from __future__ import annotations

import io
import json
import math
import random
from pathlib import Path
from typing import Any

from PIL import Image

from gansweep.config import Config, effective
from gansweep.params import DataConfig
from gansweep.plugins import METRICS
from gansweep.store.manifest import Manifest, Row, Table
from gansweep.store.run import Run

STEPS = 600
LEARNING_RATES = [1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2]
DATA = {
    "Number Output": ("mnist5k", "fd_lenet", "fd_random", 28, "L"),
    "Drawn Face Output": ("toyfaces", "fd_random", "swd", 28, "RGB"),
}


def write_sweep(
    out: Path, rows: int, *, seeds: int = 1, pictures: int = 10, name: str = "synthetic"
) -> Manifest:
    """Write a sweep of `rows` rows × two data sets × seeds; each run has `pictures` pictures."""
    rng = random.Random(rows)
    drawings = _drawings(rng)
    planned = []
    for index in range(rows):
        lr = LEARNING_RATES[index % 10]
        config = Config(
            lr=lr, beta1=round(index // 10 % 10 / 10, 1), smooth=round(index // 100 / 1000, 3)
        )
        shown = {n: v for n, v in effective(config).items() if n not in ("out", "reports", "seed")}
        row = Row(shown)
        for column, (data, primary, second, size, mode) in DATA.items():
            row.runs[column] = []
            for seed in range(1, seeds + 1):
                run = Run(out, f"{index:06d}{data[0]}-s{seed}")
                quality = 60 + 400 * abs(math.log10(lr / 5e-4)) + 90 * rng.random()
                write_run(
                    run, config, data, (primary, second), size, quality,
                    drawings[mode], pictures, rng,
                )  # fmt: skip
                row.runs[column].append(run.id)
        planned.append(row)
    manifest = Manifest(
        name=name,
        title="A made-up sweep",
        command="python -m gansweep -m …",
        pictures=list(DATA),
        common={},
        tables=[Table(["lr", "beta1", "smooth"], list(range(rows)))],
        rows=planned,
        titles={run: run for row in planned for runs in row.runs.values() for run in runs},
    )
    manifest.write(out)
    return manifest


def _drawings(rng: random.Random) -> dict[str, list[bytes]]:
    """Return a few sample grids of noise, grey and in colour, as the bytes of PNG files."""
    found: dict[str, list[bytes]] = {"L": [], "RGB": []}
    for mode, files in found.items():
        for _ in range(12):
            small = Image.new(mode, (28, 28))
            shades = [rng.randrange(256) for _ in range(28 * 28 * len(mode))]
            small.frombytes(bytes(shades))
            stream = io.BytesIO()
            small.resize((112, 112), Image.Resampling.BILINEAR).save(stream, format="PNG")
            files.append(stream.getvalue())
    return found


def write_run(
    run: Run,
    config: Config,
    data: str,
    metrics: tuple[str, str],
    size: int,
    quality: float,
    drawings: list[bytes],
    pictures: int,
    rng: random.Random,
    untrained: float | None = None,
    found: dict[str, Any] | None = None,
) -> None:
    """Write a finished run whose score is `quality` in the first of `metrics`.

    drawings: PNG files, of which each of its pictures is one; pictures: their number over training;
    untrained: the value before the training; found: what its judge says besides.
    """
    run.samples.mkdir(parents=True, exist_ok=True)
    params = {**vars(config), "data": vars(DataConfig(data)), "steps": STEPS}
    about = {
        "name": data, "label": data, "folder": "absent", "images": 5000, "channels": 1,
        "size": size, "sha256": "0",
    }  # fmt: skip
    identity = {
        "steps": STEPS, "batch_size": 32, "gen_width": 0.125, "disc_width": 0.25,
        "precision": "fp32", "data": about,
    }  # fmt: skip
    changed = [f"{n}={v}" for n, v in vars(config).items() if v != getattr(Config(), n)]
    command = " ".join(["python -m gansweep", f"data={data}", *changed])
    _json(run.config, {"identity": identity, "params": params, "data": about, "command": command})
    _json(
        run.environment,
        {"device": "cpu", "hardware": "x86_64", "packages": {"torch": "2"}, "commit": None,
         "gansweep": "0"},
    )  # fmt: skip
    evaluations = []
    for index in range(7):
        value = quality * (1 + 3 * math.exp(-index))
        line = {"step": 100 * index, metrics[0]: value, metrics[1]: value / 2, "diversity": 0.8}
        evaluations.append({**line, "coverage": 0.5, "judging_seconds": 0.1 * index})
    if untrained is not None:
        evaluations[0][metrics[0]] = untrained
    score: dict[str, Any] = {
        "n": 2000, "reals": 500, "held_out": True, "own_test": False, "shared": True,
        "net": "a made-up net", metrics[0]: quality, metrics[1]: quality / 2,
    }  # fmt: skip
    assert all(metric in METRICS for metric in metrics)
    judge = {
        "primary": metrics[0], "second": metrics[1], "flags": [], "looks": 7, "score": score,
        "equilibrium": {"step": 500, "epoch": 3.2, "value": quality, "label": "plateau"},
        **(found or {}),
    }  # fmt: skip
    _json(
        run.result,
        {"status": "done", "training_seconds": 14.2, "epochs": 3.85, "loss_d": 1, "loss_g": 2,
         "images_per_second": 1300.0, "judge": judge},
    )  # fmt: skip
    _lines(run.evaluations, evaluations)
    losses = [
        {"step": step, "epoch": step / 156, "loss_d": 1 + rng.random(), "loss_g": rng.random()}
        for step in range(10, STEPS + 1, 10)
    ]
    _lines(run.metrics, losses)
    run.picture.write_bytes(rng.choice(drawings))
    run.best_picture.write_bytes(rng.choice(drawings))
    for step in range(pictures):
        run.sample((step + 1) * STEPS // pictures).write_bytes(rng.choice(drawings))


def _json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))


def _lines(path: Path, lines: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
