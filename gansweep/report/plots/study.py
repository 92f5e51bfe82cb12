"""Writes the plots of a search, drawn from its Optuna study, as PNG files for the report."""

from __future__ import annotations

import math
import warnings
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gansweep.report.plots.style import (
    BLUE,
    DPI,
    GREY,
    INK,
    RED,
    SLANT,
    Scale,
    blues,
    fit,
    new_figure,
    number,
    plain,
    searched_scale,
    spanned_scale,
    with_legend,
)
from gansweep.report.table.pareto import pareto_front
from gansweep.report.table.text import format_count
from gansweep.store.run import write_file

if TYPE_CHECKING:
    import numpy as np
    import optuna
    from optuna.trial import FrozenTrial

MIN_TRIALS = 8  # complete trials from which importances are computed
MAX_LINES = 200  # trials in parallel.png, one line each
DOT: dict[str, Any] = {"linestyle": "none", "markersize": 5.5}


@dataclass
class _Search:
    """What all plots need.

    trials: the complete trials with finite values, at least one; labels: one for each objective.
    """

    study: optuna.Study
    trials: list[FrozenTrial]
    labels: list[str]

    def __post_init__(self) -> None:
        self.signs = [1 if d.name == "MINIMIZE" else -1 for d in self.study.directions]
        self.feasible = [trial for trial in self.trials if _feasible(trial)]
        self.best = min(self.feasible, key=self.loss, default=None)
        self.names = list(dict.fromkeys(name for trial in self.trials for name in trial.params))

    def loss(self, trial: FrozenTrial) -> float:
        """Return the first objective, with its sign changed if it is maximized."""
        return self.signs[0] * trial.values[0]

    def varying(self, names: list[str], trials: list[FrozenTrial]) -> list[str]:
        """Return those of the parameters `names` that have several values in `trials`."""
        return [n for n in names if len({repr(t.params[n]) for t in trials if n in t.params}) > 1]


def write_plots(study: optuna.Study, folder: Path, label: str) -> list[tuple[str, str]]:
    """Write the plots of a study into `folder`. Returns (alt text, file name) of each plot.

    label: the axis label of the objective, e.g. "FD (LeNet)"; the labels of several objectives are
    joined by " / ". Plots of an earlier call that are no longer drawn are removed.
    """
    from optuna.trial import TrialState

    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    trials = [trial for trial in complete if all(map(math.isfinite, trial.values))]
    count = len(study.directions)
    labels = label.split(" / ") if label.count(" / ") == count - 1 else [label] * count
    single = {
        "history.png": _history, "importance.png": _importance, "slices.png": _slices,
        "parallel.png": _parallel, "budget.png": _budget,
    }  # fmt: skip
    several = {"pareto.png": _pareto, "slices.png": _slices}
    pictures = []
    if trials:
        search = _Search(study, trials, labels)
        for name, draw in (single if count == 1 else several).items():
            if drawn := draw(search):
                figure, alt = drawn
                write_file(folder / name, partial(figure.savefig, dpi=DPI, format="png"))
                figure.clear()
                pictures.append((alt, name))
    for name in (single | several).keys() - {name for _, name in pictures}:
        (folder / name).unlink(missing_ok=True)
    return pictures


def expected_best(values: Sequence[float], minimize: bool) -> list[float]:
    """Return the expected best of k of the n finite values, drawn without replacement, k = 1..n."""
    ordered = sorted(values, reverse=not minimize)
    n = len(ordered)
    return [float(_probabilities(n, k) @ ordered[: n - k + 1]) for k in range(1, n + 1)]


def _band(values: Sequence[float], minimize: bool) -> list[tuple[float, float]]:
    """Return for k = 1..n the values that the best of k reaches with probability 0.1 and 0.9."""
    ordered = sorted(values, reverse=not minimize)
    rows = []
    for k in range(1, len(ordered) + 1):
        reached = _probabilities(len(ordered), k).cumsum()[:-1]  # the last one is 1
        optimistic, safe = (int((reached < p - 1e-12).sum()) for p in (0.1, 0.9))
        rows.append((ordered[optimistic], ordered[safe]))
    return rows


def _probabilities(n: int, k: int) -> np.ndarray:
    """Return the probabilities that the best of k is the i-th best of n, for i = 1..n-k+1.

    Each is C(n-i, k-1) / C(n, k).
    """
    import numpy as np

    i = np.arange(1, n - k + 1)
    return k / n * np.concatenate([[1.0], ((n - i - k + 1) / (n - i)).cumprod()])


def _feasible(trial: FrozenTrial) -> bool:
    named = getattr(trial, "constraints", None)  # Optuna 5 has this attribute
    stored = trial.system_attrs.get("constraints") or () if named is None else named.values()
    return all(violation <= 0 for violation in stored)


def _history(search: _Search) -> tuple[Any, str]:
    from optuna.trial import TrialState

    label = search.labels[0]
    trials = [t for t in search.study.get_trials(deepcopy=False) if t.state.is_finished()]
    stopped = [t for t in trials if t.state == TrialState.PRUNED and t.last_step is not None]
    last_values = [(t.number, t.intermediate_values[t.last_step or 0]) for t in stopped]
    pruned = [(number, value) for number, value in last_values if math.isfinite(value)]
    failed = [(trial.number, 1.0) for trial in trials if trial.state == TrialState.FAIL]
    complete, infeasible = (
        [(t.number, t.values[0]) for t in search.trials if _feasible(t) == wanted]
        for wanted in (True, False)
    )
    figure, axes = new_figure(4.2)
    fit(axes, "x", Scale("trial", 0, trials[-1].number, integer=True))
    y = spanned_scale(label, [value for _, value in complete + infeasible + pruned])
    final = spanned_scale(label, [value for _, value in complete + infeasible])
    if y.high - y.low > 3 * (final.high - final.low):  # early values would flatten all others
        y.log = 0 < 2 * y.low < y.high
    fit(axes, "y", y)
    top = {"transform": axes.get_xaxis_transform(), "clip_on": False}
    for points, mark, name, style in (
        (pruned, "_", "pruned", {"color": GREY, "mew": 1.5}),
        (complete, "o", "complete", {"color": BLUE}),
        (infeasible, "o", "infeasible", {"color": BLUE, "mfc": "white"}),
        (failed, "x", "failed", {"color": INK, **top}),
    ):
        if points:
            axes.plot(*zip(*points, strict=True), mark, label=name, **DOT, **style)
    alt = f"{label} of every trial"
    if search.best:
        best = list(
            accumulate((value for _, value in complete), min if search.signs[0] > 0 else max)
        )
        numbers = [number for number, _ in complete] + [trials[-1].number]
        line = {"where": "post", "color": RED, "zorder": 1.9, "label": "best so far"}
        axes.step(numbers, [*best, best[-1]], **line)
        alt += f"; the best, {number(best[-1])}, is that of trial {search.best.number}"
    return with_legend(figure), alt


def _importance(search: _Search) -> tuple[Any, str] | None:
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    common = [n for n in search.names if all(n in trial.params for trial in search.trials)]
    names, count = search.varying(common, search.feasible), len(search.feasible)
    if count < MIN_TRIALS or len(names) < 2:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "experimental" (Optuna 4); "assumes that low is good"
            importances = get_param_importances(
                search.study,
                evaluator=PedAnovaImportanceEvaluator(),
                params=names,
                # Trials whose target is not finite are left out.
                target=lambda trial: search.loss(trial) if _feasible(trial) else math.inf,
                normalize=False,
            )
    except Exception:  # the report is worth more than this plot; mostly, the space has changed
        return None
    total = sum(importances.values())
    if not 0 < total < math.inf:
        return None
    shares = sorted((value / total, name) for name, value in importances.items())
    figure, axes = new_figure(0.8 + 0.3 * len(shares))
    bars = axes.barh(range(len(shares)), [share for share, _ in shares], color=BLUE, height=0.7)
    axes.bar_label(bars, [f"{share:.0%}" for share, _ in shares], padding=3, fontsize=8)
    fit(axes, "x", Scale(f"importance (PED-ANOVA, {count} trials)", 0, 1))
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.set_xlim(0, 1.1 * shares[-1][0])
    axes.set_yticks(range(len(shares)), [plain(name, 40) for _, name in shares])
    axes.grid(visible=False, axis="y")
    return figure, f"Parameters by their importance to {search.labels[0]}; first {shares[-1][1]}"


def _slices(search: _Search) -> tuple[Any, str] | None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    if not search.names:
        return None
    columns = min(3, len(search.names))
    rows = math.ceil(len(search.names) / columns)
    figure, panels = new_figure(0.4 + 2.3 * rows, rows, columns)
    first, last = search.trials[0].number, search.trials[-1].number
    shades = blues()
    y = spanned_scale(search.labels[0], [trial.values[0] for trial in search.trials])
    for i, (axes, name) in enumerate(zip(panels.flat, search.names, strict=False)):
        trials = [trial for trial in search.trials if name in trial.params]
        x = searched_scale(name, trials)
        fit(axes, "x", x, 28)
        fit(axes, "y", y)
        axes.set_ylabel("")
        axes.tick_params(axis="y", labelleft=i % columns == 0)
        # Golden-ratio steps separate the trials of one category and are the same every time.
        offsets = [0.5 * (t.number * 0.618 % 1 - 0.5) * bool(x.choices) for t in trials]
        xs = [_place(name, trial) + offset for trial, offset in zip(trials, offsets, strict=True)]
        edges = [shades((trial.number - first) / max(last - first, 1)) for trial in trials]
        faces = [c if _feasible(t) else "none" for c, t in zip(edges, trials, strict=True)]
        axes.scatter(xs, [t.values[0] for t in trials], 20, faces, edgecolors=edges, linewidths=1)
        if search.best in trials:
            star = xs[trials.index(search.best)], search.best.values[0]
            axes.plot(*star, "*", color=RED, markersize=12, markeredgecolor="white")
    for axes in panels.flat[len(search.names) :]:
        axes.set_axis_off()
    figure.supylabel(plain(y.name, 40), fontsize=9, color=INK)
    numbers = ScalarMappable(Normalize(first, max(last, first + 1)), shades)
    bar = figure.colorbar(numbers, ax=panels, label="trial", aspect=15 * rows, pad=0.01)
    bar.ax.tick_params(labelsize=8)
    bar.ax.yaxis.get_major_locator().set_params(integer=True)
    return figure, f"{search.labels[0]} by each parameter, the best trial starred"


def _parallel(search: _Search) -> tuple[Any, str] | None:
    if not search.names:
        return None
    trials = sorted(search.trials, key=lambda t: (not _feasible(t), search.loss(t)))[:MAX_LINES]
    shown = [n for n in search.names if any(n in trial.params for trial in trials)]
    shown = search.varying(shown, trials) or shown
    # Conditional parameters come first, so that their gaps lie far from the objective's axis, the
    # last one.
    shown.sort(key=lambda name: sum(name in trial.params for trial in trials))
    scales = [searched_scale(name, trials) for name in shown]
    scales.append(spanned_scale(search.labels[0], [trial.values[0] for trial in trials]))
    ranks = sorted(search.loss(trial) for trial in trials if _feasible(trial))
    shades = blues()
    figure, axes = new_figure(4.6)
    for trial in reversed(trials):
        places = [*(_place(name, trial) for name in shown), trial.values[0]]
        style: dict[str, Any] = {"color": GREY, "linestyle": ":", "linewidth": 0.8}
        if _feasible(trial):
            rank = bisect_left(ranks, search.loss(trial)) / max(len(ranks) - 1, 1)
            style = {"color": shades(1 - rank), "linewidth": 2.5 if trial is trials[0] else 1}
        # Without its dot, a value between two gaps would be invisible.
        heights = [scale.unit(place) for scale, place in zip(scales, places, strict=True)]
        axes.plot(heights, marker=".", markersize=4, clip_on=False, **style)
    note = partial(axes.annotate, textcoords="offset points", fontsize=7, color=INK, zorder=4)
    for x, scale in enumerate(scales):
        axes.axvline(x, color=INK, linewidth=0.8, zorder=3)
        for i, text in scale.named(min(12, 140 // len(scales))):
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
            note(text, (x, scale.unit(i)), (4, 0), va="center", bbox=box)
        for bound in dict.fromkeys(() if scale.choices else (scale.low, scale.high)):
            offset, va = (5, "bottom") if scale.unit(bound) > 0 else (-5, "top")
            note(number(bound), (x, scale.unit(bound)), (0, offset), ha="center", va=va)
    titles = [plain(scale.name, 22) + " (log)" * scale.log for scale in scales]
    rotation = SLANT if max(map(len, titles)) * len(titles) > 125 else {}
    axes.set_xticks(range(len(titles)), titles, fontsize=8, color=INK, **rotation)
    axes.tick_params(axis="x", length=0, pad=14)
    axes.set(yticks=[], xlim=(-0.1, len(shown) + 0.1), ylim=(0, 1))
    axes.spines[:].set_visible(False)
    label = search.labels[0]
    trials_shown = format_count(len(trials), "trial")
    return figure, f"The parameters of {trials_shown}; the darker, the better the {label}"


def _budget(search: _Search) -> tuple[Any, str] | None:
    values = [trial.values[0] for trial in search.feasible]
    if not values:
        return None
    minimize = search.signs[0] > 0
    mean, band = expected_best(values, minimize), _band(values, minimize)
    optimistic, safe = zip(*band, strict=True)
    counts = range(1, len(values) + 1)
    figure, axes = new_figure(3.8)
    fit(axes, "x", Scale("number of trials k", 1, len(values), integer=True))
    fit(axes, "y", spanned_scale(f"best {search.labels[0]} of k", [*mean, *optimistic, *safe]))
    axes.fill_between(
        counts, optimistic, safe, color=BLUE, alpha=0.18, lw=0, label="10 to 90 % of draws"
    )
    axes.plot(counts, mean, ".-", color=BLUE, label="expected")
    trials = "this 1 trial" if len(values) == 1 else f"these {len(values)} trials"
    alt = f"The best {search.labels[0]} to expect of k of {trials}"
    return with_legend(figure), alt


def _pareto(search: _Search) -> tuple[Any, str] | None:
    if len(search.labels) != 2:
        return None
    figure, axes = new_figure(4.6)
    points = [[trial.values[i] for trial in search.trials] for i in (0, 1)]
    for axis, label, values in zip("xy", search.labels, points, strict=True):
        fit(axes, axis, spanned_scale(label, values))
    faces = [BLUE if _feasible(trial) else "white" for trial in search.trials]
    axes.scatter(*points, 24, faces, edgecolors=BLUE, label="complete (hollow: infeasible)")
    front = [trial.values for trial in pareto_front(search.study, search.feasible)]
    if front:
        line = {"drawstyle": "steps-post", "color": RED, "markersize": 6, "label": "Pareto front"}
        axes.plot(*zip(*front, strict=True), "o-", **line)
    size = format_count(len(front), "point") if front else "no point, as no trial is alive"
    alt = f"{' and '.join(search.labels)} of every trial; the Pareto front has {size}"
    return with_legend(figure), alt


def _place(name: str, trial: FrozenTrial) -> float:
    """Return the coordinate of a parameter on its axis, or NaN if the trial does not have it."""
    if name not in trial.params:
        return math.nan
    return trial.distributions[name].to_internal_repr(trial.params[name])
