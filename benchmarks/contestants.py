"""Define the same sweep for gansweep, for plain Lightning and for bare loops."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gansweep.params import DataConfig
from gansweep.training.data import prepare

LIGHTNING = {"fp32": "32-true", "bf16": "bf16-mixed"}
PLAIN, TUNE = "benchmarks.plain_lightning.app", "benchmarks.plain_lightning.tune"


@dataclass(frozen=True)
class Grid:
    """The rows of a sweep and the data sets on which each row is trained."""

    title: str
    lr: str
    beta1: str
    data: str

    def runs(self) -> int:
        return (
            len(self.lr.split(",")) * len(self.beta1.split(",")) * len(self.data.split(","))
        )  # fmt: skip


GRIDS = {
    "demo": Grid("6 rows on digits and faces", "1e-4,5e-5", "0.3,0.5,0.9", "mnist5k,toyfaces"),
    "digits": Grid("16 rows on digits", "2e-4,1e-4,5e-5,2e-5", "0.3,0.5,0.7,0.9", "mnist5k"),
    "memory": Grid("2 rows on digits", "1e-4,5e-5", "0.5", "mnist5k"),
}


@dataclass(frozen=True)
class Contestant:
    """The name of a contestant in the table, and the command that trains the whole grid."""

    name: str
    precision: str
    command: list[str]
    ours: bool = False


# The plain contestants train these networks; see `plain_lightning`.
NETWORKS = ("gen=5", "disc=4", "batch_size=32")


def contestants(grid: Grid, steps: int, folder: Path) -> dict[str, Contestant]:
    """Return all contestants, each next to its baseline, because machines drift within a round.

    `folder` receives the images for the contestants other than gansweep. gansweep first runs once
    in each precision. This prepares its data sets and its judge, and gives the configuration for
    the bare loops.
    """
    for name in grid.data.split(","):
        np.save(folder / f"{name}.npy", prepare(DataConfig(name), 28).array())
    default = _try_out(folder)
    other = "fp32" if default == "bf16" else "bf16"
    _try_out(folder, f"precision={other}")
    # Without data=, gansweep trains each row on the digits and faces of the profile.
    only = [f"data={grid.data}"] if "," not in grid.data else []
    rows = [f"lr={grid.lr}", f"beta1={grid.beta1}", f"steps={steps}"]
    ours = ["-m", "gansweep", "-m", *NETWORKS, *rows, *only]
    alike = [*ours, "judge=false", f"precision={other}"]
    arrays = f"arrays={folder}"

    def plain(launcher: str, precision: str) -> list[str]:
        choice = [f"precision={LIGHTNING[precision]}", f"hydra/launcher={launcher}"]
        return ["-m", PLAIN, "-m", *rows, f"data={grid.data}", arrays, *choice]

    def bare(processes: int, precision: str) -> list[str]:
        config = str(folder / f"{precision}.json")
        values = [grid.lr, grid.beta1, grid.data, str(steps), config, str(folder)]
        return ["-m", "benchmarks.bare_loop", str(processes), *values]

    ray = ["-m", TUNE, grid.lr, grid.beta1, grid.data, str(steps), str(folder)]
    joblib = [*plain("joblib", "fp32"), "hydra.launcher.n_jobs=2"]
    return {
        "gansweep": Contestant("gansweep, judged", default, ours, True),
        "unjudged": Contestant("gansweep, judge=false", default, [*ours, "judge=false"], True),
        "bare2": Contestant("bare loop, 2 processes × 1 thread", default, bare(2, default)),
        "bare2_other": Contestant("bare loop, 2 processes × 1 thread", other, bare(2, other)),
        "other": Contestant("gansweep, judge=false", other, alike, True),
        "plain_bf16": Contestant("Hydra basic + plain Lightning", "bf16", plain("basic", "bf16")),
        "plain": Contestant("Hydra basic + plain Lightning", "fp32", plain("basic", "fp32")),
        "joblib": Contestant("hydra-joblib, 2 jobs + plain Lightning", "fp32", joblib),
        "ray": Contestant("Ray Tune, 2 × 1 CPU + plain Lightning", "fp32", ray),
        "bare": Contestant("bare loop, one run at a time", default, bare(1, default)),
    }


def _try_out(folder: Path, *overrides: str) -> str:
    """Run gansweep once, keep its configuration, and return the precision of its training."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(
            [sys.executable, "-m", "gansweep", "-m", *NETWORKS, "steps=1", *overrides],
            cwd=place, env=environment, check=True, capture_output=True,
        )  # fmt: skip
        found = next(Path(place).glob("outputs/runs/*/config.json")).read_text()
    precision: str = json.loads(found)["identity"]["precision"]
    (folder / f"{precision}.json").write_text(found)
    _compare_networks(folder / f"{precision}.json")
    return precision


def _compare_networks(config: Path) -> None:
    """Raise RuntimeError if the plain networks have another number of weights than gansweep's."""
    from benchmarks.bare_loop import read_config
    from benchmarks.plain_lightning.module import PlainGAN, Settings
    from gansweep.training.train import build_gan

    ours, theirs = (
        [sum(p.numel() for p in net.parameters()) for net in (gan.generator, gan.discriminator)]
        for gan in (build_gan(read_config(str(config)), 3), PlainGAN(Settings(), 3))
    )
    if ours != theirs:
        raise RuntimeError(f"gansweep's networks have {ours} weights, the plain ones {theirs}")
