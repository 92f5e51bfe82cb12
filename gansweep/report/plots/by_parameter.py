"""Quality by parameter: for each parameter that varies, the distances of the runs at its values."""

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

MOST = 8  # parameters
NAMED = 12  # values that each have a place of their own; more are an axis, if they are numbers
FLAT: dict[str, Any] = {"rotation": 0, "ha": "center", "va": "top", "rotation_mode": "default"}
STEEP: dict[str, Any] = {"rotation": 90, "ha": "right", "va": "center", "rotation_mode": "anchor"}


@dataclass(frozen=True)
class Dot:
    """One run. value: its distance; None if it failed."""

    params: dict[str, Any]
    value: float | None
    alive: bool


def draw_quality(column: PictureColumn) -> tuple[Any, str] | None:
    """A panel a parameter; None if nothing varies or fewer than two runs are judged."""
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
    across = {1: 1, 2: 2, 4: 2}.get(len(names), 3)
    down = math.ceil(len(names) / across)
    figure, panels = new_figure(0.8 + (2.5 if down < 3 else 2.2) * down, down, across)
    y = spanned_scale(f"{column.label} ({column.better})", [dot.value or 0.0 for dot in dots])
    for i, (axes, name) in enumerate(zip(panels.flat, names, strict=False)):
        fit(axes, "y", y)
        axes.set_ylabel("")
        axes.tick_params(axis="y", labelleft=i % across == 0)
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
    """The parameters that vary among this column's judged rows; those that vary most if many."""
    common = {}
    for name in column.varying:
        texts = Counter(format_param(name, row.params) for row in column.ranked)
        if len(texts) > 1:
            common[name] = max(texts.values())
    kept = sorted(common, key=lambda name: common[name])[:MOST]
    return [name for name in common if name in kept]


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + f" and {words[-1]}" if len(words) > 1 else words[0]


def _panel(axes: Any, name: str, dots: list[Dot], failed: list[Dot], best: Dot | None) -> None:
    axis = _axis(axes, name, dots + failed)
    groups: dict[float, list[Dot]] = {}
    for dot in dots:
        groups.setdefault(axis.place(dot), []).append(dot)
    spots: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for at, group in groups.items():
        for dot, off in zip(group, _spread(len(group)), strict=True):
            spots[dot.alive].append((axis.beside(at, off), dot.value or 0.0))
            if dot == best:
                star = {"color": RED, "markersize": 13, "markeredgecolor": "white", "zorder": 5}
                axes.plot(*spots[True][-1], "*", linestyle="none", label="best", **star)
    many = len(dots) > 150
    full = {"color": BLUE, "markeredgewidth": 0, "alpha": 0.45 if many else 0.75}
    hollow = {"markerfacecolor": "white", "markeredgecolor": BLUE, "markeredgewidth": 1.1}
    style: dict[str, Any] = {"linestyle": "none", "markersize": 3 if many else 5}
    for alive, label, look in ((True, "a run", full), (False, "not alive", hollow)):
        if found := spots[alive]:
            axes.plot(*zip(*found, strict=True), "o", label=label, **style, **look)
    bars = [(at, group) for at, group in groups.items() if axis.places and len(group) > 1]
    if bars:
        medians = [median(dot.value or 0.0 for dot in group) for _, group in bars]
        ends = [at - 0.34 for at, _ in bars], [at + 0.34 for at, _ in bars]
        axes.hlines(medians, *ends, color=INK, linewidth=2, zorder=4, label="median")
    if failed:
        lost = Counter(axis.place(dot) for dot in failed)
        x = [axis.beside(at, off) for at, count in lost.items() for off in _spread(count)]
        top = {"transform": axes.get_xaxis_transform(), "clip_on": False, "zorder": 5}
        axes.plot(x, [1.0] * len(x), "x", color=INK, label="failed", **style, **top)


@dataclass(frozen=True)
class _Axis:
    """place: where a dot is; beside: and by so much to the side; places: has each value its own?"""

    place: Callable[[Dot], float]
    beside: Callable[[float, float], float]
    places: bool


def _axis(axes: Any, name: str, dots: list[Dot]) -> _Axis:
    """Numbers, if they are many, or a place for each value."""
    texts = {format_param(name, dot.params): dot.params.get(name) for dot in dots}
    values = [value for value in texts.values() if value is not None]
    if len(values) > NAMED and all(_numeric(value) for value in values):
        lacking = next((text for text, value in texts.items() if value is None), "")
        return _numbers(axes, name, values, lacking)
    ordered = sorted(texts, key=lambda text: value_order(texts[text]))
    fit(axes, "x", Scale(heading_of(name), 0, len(ordered) - 1, choices=tuple(ordered)), 28)
    shown = [(i, plain(text, 12)) for i, text in enumerate(ordered)][:: len(ordered) // 25 + 1]
    letters = len(shown) * max(len(text) for _, text in shown)
    turn = FLAT if letters <= 28 else SLANT if len(shown) < 7 else STEEP
    axes.set_xticks([i for i, _ in shown], [text for _, text in shown], **turn)
    axes.grid(visible=False, axis="x")
    places = {text: float(i) for i, text in enumerate(ordered)}
    return _Axis(
        lambda dot: places[format_param(name, dot.params)], lambda at, off: at + off / 2, True
    )


def _numbers(axes: Any, name: str, values: list[Any], lacking: str) -> _Axis:
    """With a place left of the axis for n/a, if a run lacks the parameter (lacking: what that is
    called)."""
    scale = spanned_scale(heading_of(name), [float(value) for value in values])
    fit(axes, "x", scale, 28)
    low, high = scale.low, scale.high
    if not lacking:
        return _Axis(lambda dot: float(dot.params[name]), lambda at, _: at, False)

    def moved(at: float, by: float) -> float:
        return float(at * (high / low) ** by if scale.log else at + by * (high - low))

    start, end = axes.get_xlim()
    away = moved(start, -0.08)
    axes.set_xlim(moved(start, -0.16), end)
    axes.set_xticks([tick for tick in axes.get_xticks() if low <= tick <= high])
    axes.axvline(start, color=INK, linewidth=0.6, linestyle=":")
    axes.annotate(
        plain(lacking, 12), (away, 0), (0, -5), xycoords=axes.get_xaxis_transform(), va="top",
        ha="center", textcoords="offset points", fontsize=8, color=INK, annotation_clip=False,
    )  # fmt: skip
    return _Axis(
        lambda dot: away if dot.params.get(name) is None else float(dot.params[name]),
        lambda at, off: moved(at, off / 10) if at == away else at,
        False,
    )


def _spread(count: int) -> list[float]:
    """Places beside each other, from -0.5 to 0.5, by golden steps: the same way every time."""
    return [(i + 1) * 0.618 % 1 - 0.5 for i in range(count)] if count > 1 else [0.0]


def _numeric(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def value_order(value: Any) -> tuple[int, float, str]:
    """Sorts values: numbers (also as text: `gen`), words, n/a last."""
    if value is None:
        return 2, 0.0, ""
    try:
        return 0, float(value), ""
    except ValueError:
        return 1, 0.0, str(value)
