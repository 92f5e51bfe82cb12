"""Compare whole sweeps, with start-up, of gansweep and of the tools that it replaces."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

from benchmarks import charts
from benchmarks.contestants import GRIDS, Contestant, Grid, contestants
from benchmarks.measure import Series, seconds, write

BATCH = 32
ROUNDS = 2
STEPS = 600  # steps of the demo profile


def sweeps(grid: str = "demo", steps: int = STEPS, rounds: int = ROUNDS) -> None:
    """Measure the wall time of each contestant for the same grid in turns."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = contestants(GRIDS[grid], steps, Path(folder))
        times = {key: Series(key) for key in chosen}
        for i in range(rounds):
            # Every other round is backwards, so that no contestant always follows the same one.
            for key in list(chosen)[:: -1 if i % 2 else 1]:
                times[key].values.append(seconds(chosen[key].command))
                print(f"{chosen[key].name}: {times[key].values[-1]:.0f} s", flush=True)
            # A round takes a quarter of an hour, so a report is written after each.
            _report(grid, steps, chosen, times)


def sweeps_digits() -> None:
    """Measure 16 rows on one data set, with a third of the steps."""
    sweeps("digits", STEPS // 3)


def _ratios(to: Series, of: Series) -> str:
    """Return how many times as fast `of` is in each round."""
    pairs = zip(to.values, of.values, strict=True)
    return Series("", [a / b for a, b in pairs]).spread(2)


def _report(
    which: str, steps: int, chosen: dict[str, Contestant], times: dict[str, Series]
) -> None:
    grid: Grid = GRIDS[which]
    complete = min(len(series.values) for series in times.values())
    images = grid.runs() * steps * BATCH
    alike = {"fp32": "plain", "bf16": "plain_bf16"}
    bare = {chosen[key].precision: key for key in ("bare2", "bare2_other")}
    rows = [
        [
            one.name,
            one.precision,
            times[key].spread(0),
            f"{images / median(times[key].values):,.0f}",
            _ratios(times["plain"], times[key]),
            _ratios(times[alike[one.precision]], times[key]),
            _ratios(times[bare[one.precision]], times[key]),
        ]
        for key, one in sorted(chosen.items(), key=lambda item: median(times[item[0]].values))
    ]
    name = "sweeps" if which == "demo" else f"sweeps_{which}"
    write(
        name,
        f"Whole sweeps: {grid.title}",
        [
            f"Wall time with start-up of {grid.runs()} runs of {steps} steps of {BATCH} images, "
            f"{complete} rounds, in turns; min–median–max. lr={grid.lr} beta1={grid.beta1}; "
            "generator 5 and discriminator 4 at the demo profile's widths, the same images, Adam, "
            "one D and one G step a batch on the same z. images/s: of all runs together.",
            "Ratios say how many times as fast it is, round by round: as Hydra's basic launcher "
            "with plain Lightning in fp32; as that in the same precision; as the bare loop in two "
            "processes in the same precision.",
            "gansweep: with run folders, pictures, checkpoints, a report; its judge evaluates the "
            "runs unless judge=false. It shares one generator forward between the D and the G step "
            "and computes no gradients of D's weights in the G step.",
            "plain Lightning: one LightningModule with manual optimization (the generator's "
            "forward again for G's step), a shuffling DataLoader with PIL, ToTensor and Normalize, "
            "CSVLogger, progress bar and checkpoints by default, all threads unless the launcher "
            "says otherwise: joblib and Ray give each of their two jobs one. No pictures, no "
            "judge. Hydra's basic launcher trains in one process, a run after the other.",
            "bare loop: gansweep's own networks and step, the images on the device, nothing else: "
            "no Lightning, logs, pictures, checkpoints or report. One run at a time on all "
            "threads, or two forked processes of one thread each.",
            _draw(name, chosen, times),
        ],
        ["sweep by", "precision", "s", "images/s", "to plain fp32", "to plain, same precision",
         "to bare loop, same precision"],
        rows,
    )  # fmt: skip


def _draw(name: str, chosen: dict[str, Contestant], times: dict[str, Series]) -> str:
    figure, (ax,) = charts.panels(1, height=0.42 * len(chosen) + 0.8)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", color="#E5E5E5", linewidth=0.8)
    order = sorted(chosen, key=lambda key: -median(times[key].values))
    for place, key in enumerate(order):
        values = times[key].values
        colour = charts.STYLES[0][0] if chosen[key].ours else charts.GREY
        ax.barh(place, median(values), 0.62, color=colour)
        ax.plot([min(values), max(values)], [place, place], color=charts.INK, linewidth=1.5)
        ax.annotate(
            f"{median(values):,.0f}", (max(values), place), (5, 0), textcoords="offset points",
            va="center", color=charts.INK,
        )  # fmt: skip
    labels = [f"{chosen[key].name}, {chosen[key].precision}" for key in order]
    ax.set_yticks(range(len(order)), labels)
    ax.set_xlabel("seconds, start-up included: median (line: minimum to maximum)")
    ax.margins(x=0.08)
    return charts.save(figure, name)
