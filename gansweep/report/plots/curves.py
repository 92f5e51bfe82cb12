"""Draws curves over training: the distances of a column's runs and the losses of the best ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gansweep.plugins import METRICS
from gansweep.report.plots.canvas import MAX_LENGTH, shortened, text_width
from gansweep.report.plots.style import (
    DPI,
    GREY,
    INK,
    WIDTH,
    Scale,
    fit,
    plain,
    spanned_scale,
)
from gansweep.report.table.columns import ReportRow
from gansweep.report.table.outcome import warnings_of
from gansweep.report.table.picture_column import PictureColumn
from gansweep.store.check import number
from gansweep.store.records import EvaluationLine, MetricsLine, steps_per_epoch

# The colours of the best runs, from the colour-blind safe palette of Okabe and Ito.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")
MAX_LINES = 300  # runs that are drawn
SMOOTHING_WINDOW = 0.1  # losses are averaged over this share of a run
MAX_POINTS = 1000  # of a drawn loss curve

Curve = list[tuple[float, float]]  # (steps or epochs, value)


@dataclass
class _Line:
    """The curves of a run. row is None unless the run is one of the best.

    steps_per_epoch: 0 if it is unknown; equilibrium: its step, later its epoch.
    """

    distance: Curve
    steps_per_epoch: float
    row: ReportRow | None = None
    colour: str = GREY
    equilibrium: float | None = None
    losses: dict[str, Curve] = field(default_factory=dict)


def draw_curves(column: PictureColumn) -> tuple[Any, str] | None:
    """Draw distances and losses over epochs, or over steps if the epochs are unknown.

    Returns the figure and its alt text. Returns None if no run was evaluated twice and none of the
    best has losses.
    """
    lines = _lines(column)
    by_epoch = all(line.steps_per_epoch for line in lines)
    for line in lines:
        steps_per_unit = line.steps_per_epoch if by_epoch else 1.0
        curves = [line.distance, *line.losses.values()]
        for curve in curves:
            curve[:] = [(x / steps_per_unit, y) for x, y in curve]
        if line.equilibrium is not None:
            line.equilibrium /= steps_per_unit
    unit = "epochs" if by_epoch else "steps"
    evaluated = [line for line in lines if len(line.distance) > 1]
    best = [line for line in lines if line.row is not None]
    with_losses = [line for line in best if line.losses]
    if not evaluated and not with_losses:
        return None
    from matplotlib.figure import Figure

    heights = [3.4 * bool(evaluated), 0.1 + 0.15 * len(best), 2.0 * bool(with_losses)]
    figure = Figure((WIDTH, sum(heights)), DPI, facecolor="white", layout="constrained")
    subfigures: Any = figure.subfigures(3, 1, height_ratios=[max(h, 1e-3) for h in heights])
    upper, middle, lower = subfigures
    if evaluated:
        _draw_distances(upper, column, evaluated, unit)
    _draw_names(middle, column, best)
    if with_losses:
        _draw_losses(lower, with_losses, unit)
    parts = [f"{_label(column)} of {len(evaluated)} runs"] if evaluated else []
    parts += ["the losses of the best" if column.ranked else "losses"] if with_losses else []
    return figure, f"{column.heading}: {' and '.join(parts)} over time"


def _lines(column: PictureColumn) -> list[_Line]:
    """Return the best rows' runs, the best first, then the others: a random choice if too many."""
    leaders = column.leaders(len(COLOURS))
    chosen = [column.shown(row) for row in leaders]
    runs = {run.run_id: run for row in column.rows for run in column.cell(row).runs}
    for best in chosen:
        runs.pop(best.run_id, None)
    others = list(runs.values())
    if len(others) > MAX_LINES - len(chosen):
        others = random.Random(0).sample(others, MAX_LINES - len(chosen))
    lines = []
    for i, outcome in enumerate((*chosen, *others)):
        run = column.run(outcome)
        per_epoch = steps_per_epoch(outcome.config) if outcome.config else 0
        line = _Line(_distances(column, run.read_evaluations()), per_epoch)
        if i < len(chosen):
            line.row, line.colour = leaders[i], COLOURS[i]
            equilibrium = outcome.equilibrium
            line.equilibrium = equilibrium["step"] if equilibrium else None
            records = run.read_metrics()
            losses = {name: _curve(records, name) for name in ("loss_d", "loss_g")}
            line.losses = {n: curve for n, curve in losses.items() if len(curve) > 1}
        if line.distance or line.losses:
            lines.append(line)
    return lines


def _distances(column: PictureColumn, evaluations: list[EvaluationLine]) -> Curve:
    return _curve(evaluations, column.measured)


def _curve(records: Sequence[EvaluationLine | MetricsLine], name: str) -> Curve:
    """Return the points of `records` that can be drawn: those of finite numbers."""
    points = [(record["step"], number(record, name)) for record in records]
    return [(float(x), float(y)) for x, y in points if y is not None]


def _label(column: PictureColumn) -> str:
    return METRICS.entry(column.measured).label if column.measured else "distance"


def _draw_distances(figure: Any, column: PictureColumn, lines: list[_Line], unit: str) -> None:
    from matplotlib.collections import LineCollection

    axes = figure.subplots()
    points = [point for line in lines for point in line.distance]
    fit(axes, "x", Scale(unit, 0, max(x for x, _ in points)))
    axes.set_xlim(0, max(x for x, _ in points))
    better = METRICS.better(column.measured)
    y = spanned_scale(f"{_label(column)} ({better})", [value for _, value in points])
    fit(axes, "y", y)
    title = f"{column.heading}: {_label(column)} in the judge's evaluations during training"
    if any(line.equilibrium is not None for line in lines):
        title += "; ● equilibrium"
    axes.set_title(plain(title, 90), fontsize=9, color=INK, loc="left")
    grey = [line.distance for line in lines if line.row is None]
    shade = 0.7 if len(grey) < 60 else 0.35
    axes.add_collection(LineCollection(grey, colors=GREY, linewidths=0.8, alpha=shade, zorder=2))
    ends = []
    for line in reversed(lines):
        if line.row is None:
            continue
        axes.plot(*zip(*line.distance, strict=True), color=line.colour, linewidth=1.8, zorder=4)
        equilibria = [point for point in line.distance if point[0] == line.equilibrium]
        if equilibria:
            dot = {"color": line.colour, "markersize": 8, "markeredgecolor": "white"}
            axes.plot(*equilibria[0], "o", zorder=6, clip_on=False, **dot)
        ends.append((y.unit(line.distance[-1][1]), line))
    # The names stand beside the ends of their lines and are moved apart where ends are close.
    ends.sort(key=lambda end: end[0])
    heights = _apart([(0.05 + end) / 1.1 for end, _ in ends], 0.052)
    for (_, line), height in zip(ends, heights, strict=True):
        assert line.row is not None
        axes.annotate(
            f"row {line.row.number}", line.distance[-1], (1.03, height),
            textcoords=axes.transAxes, fontsize=8, color=line.colour, weight="bold", va="center",
            arrowprops={
                "arrowstyle": "-", "color": line.colour, "linewidth": 0.7, "shrinkA": 0,
                "shrinkB": 2, "relpos": (0, 0.5), "linestyle": ":",
            },
        )  # fmt: skip


def _apart(places: Sequence[float], gap: float) -> list[float]:
    """Move ascending positions as little as possible so that neighbours are `gap` apart."""
    groups: list[list[float]] = []  # the middle and the number of positions that touch
    for place in places:
        groups.append([place, 1])
        while len(groups) > 1 and _top(groups[-2], gap) + gap > groups[-1][0] - _half(
            groups[-1], gap
        ):
            (lower, n), (upper, m) = groups[-2:]
            groups[-2:] = [[(lower * n + upper * m) / (n + m), n + m]]
    return [
        middle + gap * (i - (count - 1) / 2) for middle, count in groups for i in range(int(count))
    ]


def _half(group: list[float], gap: float) -> float:
    """Return half the length of a group."""
    return gap * (group[1] - 1) / 2


def _top(group: list[float], gap: float) -> float:
    return group[0] + _half(group, gap)


def _draw_names(figure: Any, column: PictureColumn, best: list[_Line]) -> None:
    """Draw the legend: which row has which colour."""
    from matplotlib.lines import Line2D

    handles, names = [], []
    for line in best:
        assert line.row is not None
        words = [column.value(line.row), *warnings_of(column.shown(line.row))]
        result = f" ({', '.join(words)})" if any(words) else ""
        room = WIDTH * DPI - 70 - text_width(result)
        names.append(plain(shortened(column.name(line.row), room) + result, MAX_LENGTH))
        dot = "o" if line.equilibrium is not None and column.ranked else ""
        handles.append(Line2D([], [], color=line.colour, marker=dot, linewidth=1.8))
    if handles:
        figure.legend(
            handles, names, loc="upper left", fontsize=8, frameon=False, labelcolor=INK,
            borderaxespad=0.2, labelspacing=0.25,
        )  # fmt: skip


def _draw_losses(figure: Any, lines: list[_Line], unit: str) -> None:
    panels = figure.subplots(1, len(COLOURS), sharex=True, sharey=True)
    means = [{name: smoothed(curve) for name, curve in line.losses.items()} for line in lines]
    raw = sorted(y for line in lines for curve in line.losses.values() for _, y in curve)
    top = max(y for curves in means for curve in curves.values() for _, y in curve)
    # A few spikes of the raw losses may leave the panel, as they would flatten the other points.
    top = max(1.1 * top, raw[int(0.98 * (len(raw) - 1))])
    low = min(0.0, raw[0])
    last = max(x for line in lines for curve in line.losses.values() for x, _ in curve)
    for i, (axes, line, curves) in enumerate(zip(panels, lines, means, strict=False)):
        assert line.row is not None
        fit(axes, "x", Scale(unit, 0, last))
        axes.xaxis.get_major_locator().set_params(nbins=3)
        fit(axes, "y", Scale("loss", low, top))
        axes.set(xlim=(0, last), ylim=(low, 1.03 * top))
        if i:
            axes.set_ylabel("")
        axes.set_title(f"row {line.row.number}", fontsize=8, color=line.colour, weight="bold")
        for name, colour, text in (("loss_d", INK, "D"), ("loss_g", line.colour, "G")):
            if name in curves:
                thin = line.losses[name][:: len(line.losses[name]) // MAX_POINTS + 1]
                axes.plot(*zip(*thin, strict=True), color=colour, linewidth=0.6, alpha=0.3)
                axes.plot(*zip(*curves[name], strict=True), color=colour, linewidth=1.6, label=text)
        axes.legend(
            loc="upper right", fontsize=7, frameon=False, ncols=2, handlelength=1,
            borderaxespad=0, columnspacing=1,
        )  # fmt: skip
    for axes in panels[len(lines) :]:
        axes.set_axis_off()


def smoothed(curve: Curve) -> Curve:
    """Return the means over a moving window, which is cut at both ends of the curve.

    The result has at most about MAX_POINTS points.
    """
    from itertools import accumulate

    radius = max(1, round(SMOOTHING_WINDOW * len(curve) / 2))
    sums = [0.0, *accumulate(y for _, y in curve)]
    means = []
    for i, (x, _) in enumerate(curve):
        low, high = max(0, i - radius), min(len(curve), i + radius + 1)
        means.append((x, (sums[high] - sums[low]) / (high - low)))
    return means[:: len(means) // MAX_POINTS + 1]
