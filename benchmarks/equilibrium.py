"""Compare the best step of a run by the judge's distance, by the losses and by eye.

The runs are the finished ones of `sweep=equilibrium_cases`. `EQUILIBRIUM="NAME NAME"` names the
sweeps, one for each seed or one with all seeds, and `EQUILIBRIUM_OUT=outputs` is the folder of the
runs. equilibrium_labels.csv has the labels by eye. `python -m benchmarks.equilibrium FOLDER` draws
the sheets for labelling, with pictures of all runs and steps in random order and without numbers.
"""

from __future__ import annotations

import csv
import json
import math
import os
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw
from scipy.stats import spearmanr

from benchmarks import charts, measure
from gansweep.plugins import METRICS
from gansweep.report.plots.curves import smoothed
from gansweep.report.plots.evolution import spaced
from gansweep.store.manifest import read_manifest
from gansweep.store.run import Run, read_json

LABELS = Path("reports/benchmarks/equilibrium_labels.csv")
LEVELS = "0 noise, 1 a blob, 2 a head, 3 a face with eyes and mouth"
CHANCE = math.log(2)  # Both losses have this value if D cannot tell real from fake images.
START = 0.1  # In this first share of a run, D has not learned anything and the losses do not count.
TIMES = 16  # pictures of each run that are labelled
SHEET, TILE = (6, 4), 200  # pictures in a sheet, and the size of a picture in pixels
# Each row of the document has its equilibrium and its number of epochs.
DOCUMENT = {0: (1630, 1830), 1: (1250, 2500), 2: (1540, 1700)}


@dataclass
class Case:
    """A finished run of one of the three cases; `per_epoch` is the number of steps in an epoch."""

    row: int
    seed: int
    run: Run
    per_epoch: int
    steps: int
    metric: str
    judge: dict[str, Any]

    def distances(self) -> list[tuple[float, float]]:
        lines = self.run.read_evaluations()
        return [(x["step"], x[self.metric]) for x in lines if x.get(self.metric) is not None]

    def losses(self) -> dict[str, list[tuple[float, float]]]:
        lines = self.run.read_metrics()
        return {
            name: smoothed([(x["step"], x[name]) for x in lines if x.get(name) is not None])
            for name in ("loss_d", "loss_g")
        }

    def balanced(self) -> float:
        """Return the step whose losses are nearest to those of a D that cannot tell fakes."""
        losses = self.losses()
        pairs = zip(losses["loss_d"], losses["loss_g"], strict=True)
        return min(
            (math.hypot(d - CHANCE, g - CHANCE), step)
            for (step, d), (_, g) in pairs
            if step >= START * self.steps
        )[1]


def cases() -> list[Case]:
    """Return the cases of all named sweeps, sorted by row and seed; exit if there are none."""
    out = os.environ.get("EQUILIBRIUM_OUT", "outputs")
    found = []
    for name in os.environ.get("EQUILIBRIUM", "equilibrium_cases").split():
        for number, row in enumerate(read_manifest(out, name).rows):
            for run_id in (run_id for runs in row.runs.values() for run_id in runs):
                run = Run(out, run_id)
                config, result = read_json(run.config), read_json(run.result)
                if config is None or result is None or not result.get("judge"):
                    continue
                identity, judge = config["identity"], result["judge"]
                per_epoch = identity["data"]["images"] // identity["batch_size"]
                found.append(
                    Case(
                        number, config["params"]["seed"], run, per_epoch, identity["steps"],
                        judge["primary"], judge,
                    )
                )  # fmt: skip
    if not found:
        sys.exit("no finished run of equilibrium_cases: EQUILIBRIUM=NAME names the sweep")
    return sorted(found, key=lambda case: (case.row, case.seed))


def equilibrium() -> None:
    """Write the table of all runs, and a figure with three curves of each run."""
    of = cases()
    seen = labels()
    rows = []
    for case in of:
        own = seen.get(case.run.id, {})
        best = max(own.values(), default=None)
        at = [step / case.per_epoch for step, level in own.items() if level == best]
        found = case.judge["equilibrium"]
        document, whole = DOCUMENT[case.row]
        rows.append(
            [
                str(case.row + 1),
                str(case.seed),
                f"{case.steps / case.per_epoch:,.0f}",
                f"{case.judge['score'][case.metric]:.1f}",
                f"{found['epoch']:,.0f}, {found['label']}",
                f"{case.balanced() / case.per_epoch:,.0f}",
                f"{min(at):,.0f} to {max(at):,.0f} (level {best})" if at else "not labelled",
                f"{document:,} of {whole:,}",
            ]
        )
    shown = _draw(of, seen)
    measure.write(
        "equilibrium",
        "Three opinions of the equilibrium",
        [
            "Epochs. distance: the judge's equilibrium and what came after it; losses: where the "
            "smoothed losses of D and G are nearest to ln 2, those of a discriminator that tells "
            f"nothing, after the first tenth; eye: a person's labels ({LEVELS}) of {TIMES} "
            "pictures a run at most, given in random order without a number: the epochs of its "
            "highest level.",
            agreement(of, seen),
            shown,
        ],
        ["case", "seed", "epochs", "score", "by distance", "by losses", "by the eye", "document"],
        rows,
    )


def agreement(of: list[Case], seen: dict[str, dict[int, int]]) -> str:
    """Return a sentence on the rank correlation of the distance with the level by eye."""
    pairs = []
    for case in of:
        distances = case.distances()
        for step, level in seen.get(case.run.id, {}).items():
            _, nearest = min(distances, key=lambda pair: abs(pair[0] - step))
            pairs.append((level, nearest))
    if not pairs:
        return "No picture is labelled."
    found = spearmanr(*zip(*pairs, strict=True)).statistic
    return (
        f"Spearman's rank correlation of the level by eye with the distance: {found:.2f} over "
        f"{len(pairs)} pictures of {len(of)} runs. A smaller distance is better, so that −1 would "
        "be perfect."
    )


def labels() -> dict[str, dict[int, int]]:
    """Return for each run the levels by eye, by step."""
    found: dict[str, dict[int, int]] = {}
    if LABELS.exists():
        with LABELS.open(encoding="utf-8") as stream:
            for line in csv.DictReader(stream):
                found.setdefault(line["run"], {})[int(line["step"])] = int(line["level"])
    return found


def _draw(of: list[Case], seen: dict[str, dict[int, int]]) -> str:
    """Draw for each run a panel with the distance, the losses and the levels by eye."""
    from matplotlib.figure import Figure

    rows = sorted({case.row for case in of})
    count = max(sum(case.row == row for case in of) for row in rows)
    figure = Figure(
        (4.4 * count + 1.2, 3.1 * len(rows)), 110, facecolor="white", layout="constrained"
    )
    grid: Any = figure.subplots(len(rows), count, squeeze=False)
    lines: list[Any] = []
    for row, line in zip(rows, grid, strict=True):
        own = [case for case in of if case.row == row]
        for axes in line[len(own) :]:
            axes.set_axis_off()
        for axes, case in zip(line, own, strict=False):
            lines = _panel(axes, case, seen.get(case.run.id, {}))
    figure.legend(
        lines, [x.get_label() for x in lines], loc="outside upper center", fontsize=9,
        frameon=False, ncols=4,
    )  # fmt: skip
    return charts.save(figure, "equilibrium")


def _panel(axes: Any, case: Case, seen: dict[int, int]) -> list[Any]:
    """Draw one run; return the lines for the legend."""
    (blue, _), (red, _), (green, _), _ = charts.STYLES
    distances = [(step / case.per_epoch, value) for step, value in case.distances()]
    axes.plot(*zip(*distances, strict=True), color=blue, linewidth=1.6, label="distance")
    axes.set_ylim(bottom=0)
    axes.axvline(case.judge["equilibrium"]["epoch"], color=blue, linestyle=":", linewidth=1.2)
    axes.set_title(f"case {case.row + 1}, seed {case.seed}", fontsize=9, loc="left")
    axes.set_xlabel("epoch", fontsize=8)
    axes.set_ylabel(f"{METRICS[case.metric].label}, less is better", fontsize=8, color=blue)
    other = axes.twinx()
    for name, style in (("loss_d", "-"), ("loss_g", "--")):
        curve = [(step / case.per_epoch, value) for step, value in case.losses()[name]]
        label = f"loss of {name[-1].upper()}"
        other.plot(*zip(*curve, strict=True), style, color=red, linewidth=1.0, label=label)
    other.axvline(case.balanced() / case.per_epoch, color=red, linestyle=":", linewidth=1.2)
    if seen:
        steps = sorted(seen)
        epochs = [step / case.per_epoch for step in steps]
        other.plot(
            epochs, [seen[step] for step in steps], "^-", color=green, markersize=5,
            linewidth=0.8, label="the eye, 0 to 3",
        )  # fmt: skip
    other.set_ylim(bottom=0)
    other.set_ylabel("losses; level of the eye", fontsize=8, color=red)
    for side in (axes, other):
        side.tick_params(labelsize=7)
        side.spines["top"].set_visible(False)
    return [*axes.get_lines()[:1], *(x for x in other.get_lines() if x.get_label()[0] != "_")]


def sheets(folder: Path) -> None:
    """Write the pictures to label in random order; key.json maps them to runs and steps."""
    pictures = [
        (case.run, step)
        for case in cases()
        for step in spaced(list(case.run.sample_pictures()), TIMES)
    ]
    random.Random(7).shuffle(pictures)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "key.json").write_text(json.dumps([[run.id, step] for run, step in pictures]))
    columns, lines = SHEET
    for first in range(0, len(pictures), columns * lines):
        sheet = Image.new("RGB", (columns * (TILE + 8), lines * (TILE + 20)), "white")
        draw = ImageDraw.Draw(sheet)
        for place, (run, step) in enumerate(pictures[first : first + columns * lines]):
            x, y = place % columns * (TILE + 8), place // columns * (TILE + 20)
            # A picture shows four of the sixteen images, because all of them would be too small.
            picture = Image.open(run.sample(step)).convert("L")
            corner = picture.crop((0, 0, picture.width // 2, picture.height // 2))
            sheet.paste(corner.resize((TILE, TILE)), (x, y + 14))
            draw.text((x, y), str(first + place), fill="black")
        sheet.save(folder / f"sheet{first // (columns * lines)}.png")
    print(f"{len(pictures)} pictures in {folder}; levels: {LEVELS}")


if __name__ == "__main__":
    sheets(Path(sys.argv[1]))
