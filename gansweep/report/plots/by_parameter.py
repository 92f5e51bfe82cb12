"""Draws quality by parameter: one panel a varying parameter, one dot a run at its value."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from gansweep.report.plots.style import (
    BLUE,
    INK,
    RED,
    SLANT,
    Scale,
    fit,
    new_figure,
    plain,
    spanned_scale,
)
from gansweep.report.table.picture_column import PictureColumn
from gansweep.report.table.text import format_param, heading_of
from gansweep.store.run import FAILED

MAX_PANELS = 8  # one panel a parameter
MAX_CATEGORIES = 12  # more distinct values than this get a numeric axis, if they are numbers
LEVEL: dict[str, Any] = {"rotation": 0, "ha": "center", "va": "top", "rotation_mode": "default"}
UPRIGHT: dict[str, Any] = {"rotation": 90, "ha": "right", "va": "center", "rotation_mode": "anchor"}


@dataclass(frozen=True)
class Dot:
    """A run in a panel.

    value: its distance, or None if the run failed; alive: whether the run may be the best (see
    `Outcome.alive`).
    """

    params: dict[str, Any]
    value: float | None
    alive: bool


def draw_quality(column: PictureColumn) -> tuple[Any, str] | None:
    """Draw one panel a parameter. Returns the figure and its alt text.

    Returns None if no parameter varies or fewer than two runs have a distance.
    """
    dots = [
        Dot(row.params, run.value, run.alive) for row in column.rows for run in column.judged(row)
    ]
    names = _chosen(column)
    if not names or len(dots) < 2:
        return None
    runs = [(row, run) for row in column.rows for run in column.cell(row).runs]
    failed = [Dot(row.params, None, False) for row, run in runs if run.status in FAILED]
    top = column.ranked[0]
    best = Dot(top.params, column.judged(top)[0].value, True) if column.is_best(top) else None
    columns = {1: 1, 2: 2, 4: 2}.get(len(names), 3)
    rows = math.ceil(len(names) / columns)
    figure, panels = new_figure(0.8 + (2.5 if rows < 3 else 2.2) * rows, rows, columns)
    y = spanned_scale(f"{column.label} ({column.better})", [dot.value or 0.0 for dot in dots])
    for i, (axes, name) in enumerate(zip(panels.flat, names, strict=False)):
        fit(axes, "y", y)
        axes.set_ylabel("")
        axes.tick_params(axis="y", labelleft=i % columns == 0)
        _panel(axes, name, dots, failed, best)
    for axes in panels.flat[len(names) :]:
        axes.set_axis_off()
    figure.supylabel(plain(y.name, 40), fontsize=9, color=INK)
    handles: dict[str, Any] = {}
    for axes in panels.flat:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(
        handles.values(), handles.keys(), loc="outside upper right", ncols=5, frameon=False,
        fontsize=8, title=plain(f"{column.heading}, {len(dots):,} runs", 60), title_fontsize=9,
        alignment="right",
    )  # fmt: skip
    alt = f"{column.label} of {column.heading} by {_listed([heading_of(name) for name in names])}"
    return figure, alt


def _chosen(column: PictureColumn) -> list[str]:
    """Return the parameters that vary among the judged rows: the MAX_PANELS that vary most."""
    commonest = {}  # the number of rows that share the commonest value of a parameter
    for name in column.varying:
        texts = Counter(format_param(name, row.params) for row in column.ranked)
        if len(texts) > 1:
            commonest[name] = max(texts.values())
    kept = sorted(commonest, key=lambda name: commonest[name])[:MAX_PANELS]
    return [name for name in commonest if name in kept]


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + f" and {words[-1]}" if len(words) > 1 else words[0]


def _panel(axes: Any, name: str, dots: list[Dot], failed: list[Dot], best: Dot | None) -> None:
    axis = _axis(axes, name, dots + failed)
    groups: dict[float, list[Dot]] = {}
    for dot in dots:
        groups.setdefault(axis.place(dot), []).append(dot)
    points: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for x, group in groups.items():
        for dot, offset in zip(group, _spread(len(group)), strict=True):
            points[dot.alive].append((axis.beside(x, offset), dot.value or 0.0))
            if dot == best:
                star = {"color": RED, "markersize": 13, "markeredgecolor": "white", "zorder": 5}
                axes.plot(*points[True][-1], "*", linestyle="none", label="best", **star)
    many = len(dots) > 150
    full = {"color": BLUE, "markeredgewidth": 0, "alpha": 0.45 if many else 0.75}
    hollow = {"markerfacecolor": "white", "markeredgecolor": BLUE, "markeredgewidth": 1.1}
    style: dict[str, Any] = {"linestyle": "none", "markersize": 3 if many else 5}
    for alive, label, fill in ((True, "a run", full), (False, "not alive", hollow)):
        if points[alive]:
            axes.plot(*zip(*points[alive], strict=True), "o", label=label, **style, **fill)
    bars = [(x, group) for x, group in groups.items() if axis.categorical and len(group) > 1]
    if bars:
        medians = [median(dot.value or 0.0 for dot in group) for _, group in bars]
        ends = [x - 0.34 for x, _ in bars], [x + 0.34 for x, _ in bars]
        axes.hlines(medians, *ends, color=INK, linewidth=2, zorder=4, label="median")
    if failed:
        counts = Counter(axis.place(dot) for dot in failed)
        xs = [axis.beside(x, offset) for x, n in counts.items() for offset in _spread(n)]
        top = {"transform": axes.get_xaxis_transform(), "clip_on": False, "zorder": 5}
        axes.plot(xs, [1.0] * len(xs), "x", color=INK, label="failed", **style, **top)


@dataclass(frozen=True)
class _Axis:
    """The x axis of a panel, in data coordinates.

    place: the x of a dot; beside: an x, moved sideways by an offset from -0.5 to 0.5; categorical:
    whether each value has a place of its own.
    """

    place: Callable[[Dot], float]
    beside: Callable[[float, float], float]
    categorical: bool


def _axis(axes: Any, name: str, dots: list[Dot]) -> _Axis:
    """Set up the x axis: numeric if there are many numbers, else with one place a value."""
    texts = {format_param(name, dot.params): dot.params.get(name) for dot in dots}
    values = [value for value in texts.values() if value is not None]
    if len(values) > MAX_CATEGORIES and all(_numeric(value) for value in values):
        absent = next((text for text, value in texts.items() if value is None), "")
        return _numeric_axis(axes, name, values, absent)
    ordered = sorted(texts, key=lambda text: value_order(texts[text]))
    fit(axes, "x", Scale(heading_of(name), 0, len(ordered) - 1, choices=tuple(ordered)), 28)
    shown = [(i, plain(text, 12)) for i, text in enumerate(ordered)][:: len(ordered) // 25 + 1]
    letters = len(shown) * max(len(text) for _, text in shown)
    rotation = LEVEL if letters <= 28 else SLANT if len(shown) < 7 else UPRIGHT
    axes.set_xticks([i for i, _ in shown], [text for _, text in shown], **rotation)
    axes.grid(visible=False, axis="x")
    places = {text: float(i) for i, text in enumerate(ordered)}
    return _Axis(
        lambda dot: places[format_param(name, dot.params)], lambda x, offset: x + offset / 2, True
    )


def _numeric_axis(axes: Any, name: str, values: list[Any], absent: str) -> _Axis:
    """Set up a numeric axis.

    absent: the label of runs without the parameter, which stand left of the axis; empty if every
    run has it.
    """
    scale = spanned_scale(heading_of(name), [float(value) for value in values])
    fit(axes, "x", scale, 28)
    low, high = scale.low, scale.high
    if not absent:
        return _Axis(lambda dot: float(dot.params[name]), lambda x, _: x, False)

    def moved(x: float, share: float) -> float:
        return float(x * (high / low) ** share if scale.log else x + share * (high - low))

    start, end = axes.get_xlim()
    absent_x = moved(start, -0.08)
    axes.set_xlim(moved(start, -0.16), end)
    axes.set_xticks([tick for tick in axes.get_xticks() if low <= tick <= high])
    axes.axvline(start, color=INK, linewidth=0.6, linestyle=":")
    axes.annotate(
        plain(absent, 12), (absent_x, 0), (0, -5), xycoords=axes.get_xaxis_transform(), va="top",
        ha="center", textcoords="offset points", fontsize=8, color=INK, annotation_clip=False,
    )  # fmt: skip
    return _Axis(
        lambda dot: absent_x if dot.params.get(name) is None else float(dot.params[name]),
        lambda x, offset: moved(x, offset / 10) if x == absent_x else x,
        False,
    )


def _spread(count: int) -> list[float]:
    """Return `count` offsets from -0.5 to 0.5, in golden-ratio steps: the same ones every time."""
    return [(i + 1) * 0.618 % 1 - 0.5 for i in range(count)] if count > 1 else [0.0]


def _numeric(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def value_order(value: Any) -> tuple[int, float, str]:
    """Return the sort key of a parameter's value: numbers and numeric texts first, None last."""
    if value is None:
        return 2, 0.0, ""
    try:
        return 0, float(value), ""
    except ValueError:
        return 1, 0.0, str(value)
