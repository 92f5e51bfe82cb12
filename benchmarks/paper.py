"""Time the sweeps of the documents at their full width and length, which need a GPU.

`make bench ONLY="paper_digits paper_faces paper_cases"` runs these benchmarks. MNIST=FOLDER in the
environment names the folder of the IDX files; without it the files are downloaded.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.bare_loop import bare_step, read_config
from benchmarks.measure import REPORTS, write
from benchmarks.roofline import ceilings, places, suffix

PARTS = {
    "digits": (
        "39 rows, 60,000 MNIST digits × 2 epochs",
        ["sweep=readme_table", "data=mnist", "epochs=2", "name=paper_digits"],
    ),
    "faces": (
        "39 rows, 10,000 × 21 drawn faces in place of CelebA's 202,599",
        ["sweep=readme_table", "data=toyfaces", "epochs=21", "name=paper_faces"],
    ),
    "cases": (
        "3 cases at full length, 700 drawn faces",
        ["sweep=equilibrium_cases", "data=toyfaces", "name=paper_cases"],
    ),
}


def digits(*overrides: str) -> None:
    """Time the 39 rows on digits; `overrides` can make the sweep smaller, to try it on a CPU."""
    paper("digits", *overrides)


def faces(*overrides: str) -> None:
    """Time the 39 rows on faces."""
    paper("faces", *overrides)


def cases(*overrides: str) -> None:
    """Time the three cases of document 000."""
    paper("cases", *overrides)


def paper(part: str, *overrides: str, precision: str = "bf16") -> None:
    """Measure the wall time of a sweep, and its share of the device's peak rate.

    The wall time includes start-up, judging and report.
    """
    place = places()[-1]
    if place.device == "cpu" and not overrides:
        sys.exit(f"the benchmark paper_{part} needs a GPU: on CPU cores it takes days")
    peak = max(ceilings(place, precision))
    name, choices = PARTS[part]
    known: dict[Any, int] = {}
    with tempfile.TemporaryDirectory() as out:
        words = (*choices, "profile=paper", *overrides)  # The last of equal names counts.
        took = _sweep(out, list({word.split("=")[0]: word for word in words}.values()), precision)
        runs = list((Path(out) / "runs").iterdir())
        done = [json.loads((run / "result.json").read_text()) for run in runs]
        flop = sum(
            result["steps"] * flop_of(run / "config.json", place.device, known)
            for run, result in zip(runs, done, strict=True)
        )
        images = sum(result["images"] for result in done)
    rate = flop / took / 1e9
    row = [
        name, str(len(runs)), f"{took:,.0f}", f"{images / 1e6:,.2f}", f"{images / took:,.0f}",
        f"{flop / 1e15:,.2f}", f"{rate / 1000:,.2f}", f"{100 * rate / peak:.0f}",
    ]  # fmt: skip
    write(
        f"paper_{part}" + suffix(),
        "A sweep of the documents at full width and length",
        [
            f"Wall time of the sweep in {precision}, with start-up, judging, pictures and report. "
            "PFLOP: products and convolutions of all training steps, as FlopCounterMode counts "
            "them, judging not in it. Share: of the best product or convolution measured before, "
            f"{peak / 1000:,.2f} TFLOP/s.",
            *([f"Cut short by {' '.join(overrides)}."] if overrides else []),
        ],
        ["sweep", "runs", "s", "million images", "images/s", "PFLOP", "TFLOP/s", "share, %"],
        [row],
    )


def _sweep(out: str, choices: list[str], precision: str) -> float:
    """Return the seconds of `python -m gansweep -m …`, with its output on the screen."""
    command = [sys.executable, "-m", "gansweep", "-m", *choices]
    if "data=mnist" in choices:
        folder = os.environ.get("MNIST")
        command += [f"data.root={folder}" if folder else "data.download=true"]
    command += [f"precision={precision}", f"out={out}", f"reports={REPORTS.parent}"]
    started = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - started


def flop_of(path: Path, device: str, known: dict[Any, int]) -> int:
    """Return the FLOPs of a training step; `known` caches the counts by network settings."""
    data = json.loads(path.read_text())["data"]
    config = dataclasses.replace(read_config(str(path)), precision="fp32")
    key = (
        config.gen, config.disc, config.width, config.batch_size, config.z_dim, config.joint_d,
        config.fresh_z, config.reuse_fake, data["channels"], data["size"],
    )  # fmt: skip
    if key not in known:
        _, step = bare_step(config, data["channels"], device)
        shape = (config.batch_size, data["channels"], data["size"], data["size"])
        with FlopCounterMode(display=False) as counter:
            step(torch.zeros(shape, dtype=torch.uint8, device=device))
        known[key] = counter.get_total_flops()
    return known[key]
