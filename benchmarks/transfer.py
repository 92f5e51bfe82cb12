"""Compare the ranks of rows in narrow and wide networks, under mup and under standard.

gansweep trains rows of `readme_table` on digits at several widths under both parametrizations. The
command trains only missing runs, so it can be typed again. `TRANSFER="1/32 1/16"` sets other
widths, `TRANSFER_ROWS="0 1 2"` other rows, and `TRANSFER_UNDER=mup` one parametrization.
`MNIST=FOLDER` trains on all 60,000 digits, and `TRANSFER_OUT=FOLDER` is the folder of the runs.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from scipy.stats import spearmanr

from benchmarks import measure
from benchmarks.roofline import suffix
from gansweep.store.manifest import read_manifest
from gansweep.store.run import Run, read_json

# These rows differ in networks, learning rate, beta1, batch, z and smoothing.
SOME_ROWS = "0 1 3 7 8 10 12 13 14 17 18 20 22 23 24 26 30 34 36 38"
ROWS = tuple(map(int, os.environ.get("TRANSFER_ROWS", SOME_ROWS).split()))
WIDTHS = ("1/32", "1/16", "1/8")
PARAMETRIZATIONS = tuple(os.environ.get("TRANSFER_UNDER", "mup standard").split())
STEPS = os.environ.get("TRANSFER_STEPS")  # cuts the runs short, to try the benchmark
NAME = "transfer" + suffix()
EPOCHS = {"mnist5k": 8, "mnist": 1}
# The author of the document says or shows this of the rows at full width.
GOOD, COLLAPSED = (7, 8, 34, 36, 38), (12, 13, 14, 18, 20, 23)
DRAWS = 2000  # random samples of rows for an interval
LABELS = Path("reports/benchmarks/transfer_labels.csv")  # labels of the pictures by eye
TILE = 84  # pixels


@dataclass
class Trained:
    """One row at one width, with its folder and its last distance (infinite if it failed)."""

    row: int
    width: str
    parametrization: str
    run: Run
    distance: float
    params: dict[str, Any]


def transfer() -> None:
    """Train missing runs, and report the rank correlations between widths with a picture."""
    widths = tuple(os.environ.get("TRANSFER", " ".join(WIDTHS)).split())
    runs = [run for p in PARAMETRIZATIONS for width in widths for run in trained(p, width)]
    rows: list[list[str]] = []
    for what, values in (("distance", distances(runs)), ("eye", labels(runs))):
        for parametrization in PARAMETRIZATIONS:
            for one, other in combinations(widths, 2):
                pairs = [
                    (values[row, one, parametrization], values[row, other, parametrization])
                    for row in ROWS
                    if (row, one, parametrization) in values
                    and (row, other, parametrization) in values
                ]
                if len(pairs) > 2:
                    rows.append([what, parametrization, one, other, *interval(pairs)])
            for width in widths:
                at = {row: values.get((row, width, parametrization)) for row in ROWS}
                better = [at.get(row) for row in (GOOD if what == "distance" else COLLAPSED)]
                worse = [at.get(row) for row in (COLLAPSED if what == "distance" else GOOD)]
                if None not in (*better, *worse):
                    found = separation(better, worse)  # type: ignore[arg-type]
                    rows.append([what, parametrization, width, "the document", *found])
    picture(runs, widths)
    write_runs(runs)
    measure.write(
        NAME,
        "Rows of the documents' table at several widths",
        [
            "Agreement of two widths: Spearman's rank correlation over rows. With the document, "
            "whose author trained at full width: the area under the ROC curve of the rows that are "
            f"good there {GOOD} against those that collapsed {COLLAPSED}; 0.5 is chance. 95 % "
            f"intervals by drawing rows again {DRAWS:,} times. distance: the judge's, at the end "
            "of training (the last evaluation); eye: a person's label of the best picture, 0 noise "
            f"to 3 good digits, given without the numbers ({LABELS.name}).",
            f"{budget()}; one seed. All distances are in {NAME}_runs.csv.",
            f"![Each row at each width]({NAME}.png)",
        ],
        ["by", "parametrization", "width", "and", "rows", "agreement", "95 %"],
        rows,
    )


def budget() -> str:
    data = "mnist" if os.environ.get("MNIST") else "mnist5k"
    length = f"{STEPS} steps" if STEPS else f"{EPOCHS[data]} epochs"
    return f"{len(ROWS)} rows on {data}, {length} in the order of the files, bf16"


def trained(parametrization: str, width: str) -> list[Trained]:
    """Return the runs of all rows at one width."""
    out = Path(os.environ.get("TRANSFER_OUT", "outputs/transfer")).resolve()
    mnist = os.environ.get("MNIST")
    data = "mnist" if mnist else "mnist5k"
    name = f"transfer-{parametrization}-{width.replace('/', '_')}"
    command = [
        sys.executable, "-m", "gansweep", "-m", "sweep=readme_table", "profile=narrow",
        f"rows={','.join(map(str, ROWS))}", f"width={float(Fraction(width))}", f"data={data}",
        f"parametrization={parametrization}", f"epochs={EPOCHS[data]}", "precision=bf16",
        f"out={out}", f"reports={out / 'reports'}", f"name={name}",
        *([f"data.root={Path(mnist).resolve()}"] if mnist else []),
        *([f"steps={STEPS}"] if STEPS else []),
    ]  # fmt: skip
    done = subprocess.run(command)  # The output shows the progress.
    if done.returncode not in (0, 1):  # Exit code 1 means that a row has failed.
        raise RuntimeError(f"{name} ended with {done.returncode}")
    manifest = read_manifest(out, name)
    found = []
    for row in ROWS:
        (ids,) = manifest.rows[row].runs.values()
        run = Run(out, ids[0])
        config = read_json(run.config) or {}
        found.append(
            Trained(row, width, parametrization, run, last_distance(run), config["params"])
        )
    return found


def last_distance(run: Run) -> float:
    distances = [
        line["fd_lenet"] for line in run.read_evaluations() if line.get("fd_lenet") is not None
    ]
    return distances[-1] if run.complete() and distances else float("inf")


Values = dict[tuple[int, str, str], float]


def distances(runs: list[Trained]) -> Values:
    return {(t.row, t.width, t.parametrization): t.distance for t in runs}


def labels(runs: list[Trained]) -> Values:
    """Return the labels by eye of the runs' pictures by run id, if a person has given them."""
    if not LABELS.exists():
        return {}
    with LABELS.open(encoding="utf-8") as file:
        known = {line["run"]: float(line["label"]) for line in csv.DictReader(file)}
    return {(t.row, t.width, t.parametrization): known[t.run.id] for t in runs if t.run.id in known}


def interval(pairs: list[tuple[float, float]]) -> list[str]:
    """Return the number of rows, Spearman's correlation and its 95 % interval as text."""
    values = np.array(pairs)
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(DRAWS):
        of = values[rng.integers(0, len(values), len(values))]
        if min(len(set(of[:, 0])), len(set(of[:, 1]))) > 1:
            drawn.append(spearmanr(of[:, 0], of[:, 1]).statistic)
    low, high = np.quantile(drawn, [0.025, 0.975])
    rho = spearmanr(values[:, 0], values[:, 1]).statistic
    return [str(len(values)), f"{rho:.2f}", f"{low:.2f} to {high:.2f}"]


def separation(better: list[float], worse: list[float]) -> list[str]:
    """Return the area under the ROC curve, the share of pairs with `better` below `worse`."""
    rng = np.random.default_rng(0)

    def area(one: np.ndarray, other: np.ndarray) -> float:
        differences = np.sign(other[None] - one[:, None])
        return float((differences + 1).mean() / 2)

    one, other = np.array(better), np.array(worse)
    drawn = [area(rng.choice(one, len(one)), rng.choice(other, len(other))) for _ in range(DRAWS)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    rows = str(len(better) + len(worse))
    return [rows, f"{area(one, other):.2f}", f"{low:.2f} to {high:.2f}"]


def write_runs(runs: list[Trained]) -> None:
    names = ("gen", "disc", "gen_drop", "disc_drop", "smooth", "alpha", "batch_size", "z_dim", "lr")
    with (measure.REPORTS / f"{NAME}_runs.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        header = ("run", "row", *names, "beta1", "parametrization", "width", "distance_at_the_end")
        writer.writerow(header)
        for t in runs:
            params = [t.params[name] for name in (*names, "beta1")]
            line = [t.run.id, t.row, *params, t.parametrization, t.width, round(t.distance, 1)]
            writer.writerow(line)


def picture(runs: list[Trained], widths: tuple[str, ...]) -> None:
    """Draw for each row its best picture at each width under both parametrizations."""
    left, top, gap = 150, 34, 4
    columns = [(p, w) for p in PARAMETRIZATIONS for w in widths]
    size = (left + len(columns) * (TILE + gap) + 12, top + len(ROWS) * (TILE + gap))
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)

    def at(column: int) -> int:
        return left + column * (TILE + gap) + (12 if column >= len(widths) else 0)

    for column, (parametrization, width) in enumerate(columns):
        draw.text((at(column), 4), f"{parametrization}\nwidth {width}", fill="black")
    for place, row in enumerate(ROWS):
        y = top + place * (TILE + gap)
        of_row = {(t.parametrization, t.width): t for t in runs if t.row == row}
        p = next(iter(of_row.values())).params
        text = (
            f"row {row}: {p['gen']}/{p['disc']}\nlr {p['lr']:g}, beta1 {p['beta1']:g}\n"
            f"batch {p['batch_size']}, z {p['z_dim']}\nsmooth {p['smooth']:g}"
        )
        draw.text((4, y + 4), text, fill="black")
        for column, key in enumerate(columns):
            run = of_row[key].run
            path = next((p for p in (run.best_picture, run.picture) if p.exists()), None)
            if path is not None:
                tile = Image.open(path).convert("RGB").resize((TILE, TILE), Image.Resampling.BOX)
                sheet.paste(tile, (at(column), y))
    measure.REPORTS.mkdir(parents=True, exist_ok=True)
    sheet.convert("L").save(
        measure.REPORTS / f"{NAME}.png", optimize=True
    )  # Digits have one channel.
