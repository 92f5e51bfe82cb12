"""Defines how plots look: figures, axes, colours, numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

WIDTH, DPI = 8.2, 110  # inches, pixels per inch
LOG_FACTOR = 20  # positive values that span more than this factor get a logarithmic axis
MAX_NAMED = 8  # choices of one axis that have tick labels
# The colours are those of Okabe and Ito's colour-blind safe palette; blues differ in lightness.
BLUE, RED, GREY, INK = "#0072B2", "#D55E00", "#999999", "#333333"
LIGHT_TO_DARK = ("#CBE4F4", "#56B4E9", BLUE, "#00243B")
SLANT: dict[str, Any] = {"rotation": 25, "ha": "right", "rotation_mode": "anchor"}


@dataclass
class Scale:
    """The axis of a parameter or an objective.

    low, high: the bounds; choices: the names at 0, 1, 2, … if the axis is categorical.
    """

    name: str
    low: float
    high: float
    log: bool = False
    integer: bool = False
    choices: tuple[str, ...] = ()

    def unit(self, place: float) -> float:
        """Return the share of the axis below `place`: 0 at `low`, 1 at `high`.

        It is 0.5 if `low` and `high` are equal; NaN stays NaN.
        """
        if self.low == self.high:
            return place * 0 + 0.5
        low, high, x = (math.log(v) if self.log else v for v in (self.low, self.high, place))
        return (x - low) / (high - low)

    def named(self, max_length: int) -> list[tuple[int, str]]:
        """Return positions and shortened names of at most MAX_NAMED choices, evenly chosen."""
        names = [(i, plain(choice, max_length)) for i, choice in enumerate(self.choices)]
        return names[:: len(names) // MAX_NAMED + 1]


def searched_scale(name: str, trials: list[FrozenTrial]) -> Scale:
    """Return the axis of a parameter over all values that were ever searched.

    A best trial at the edge of the searched range is thus visible as such.
    """
    distributions: list[Any] = [
        trial.distributions[name] for trial in trials if name in trial.params
    ]
    if hasattr(distributions[0], "choices"):
        choices = tuple(map(str, distributions[0].choices))
        return Scale(name, 0, len(choices) - 1, choices=choices)
    low, high = min(d.low for d in distributions), max(d.high for d in distributions)
    return Scale(name, low, high, distributions[0].log, isinstance(low, int))


def spanned_scale(name: str, values: Sequence[float]) -> Scale:
    """Return the axis from the least to the greatest value; logarithmic if these are far apart."""
    low, high = min(values), max(values)
    return Scale(name, low, high, log=low > 0 and high > LOG_FACTOR * low)


def new_figure(height: float, *panels: int) -> tuple[Any, Any]:
    """Return a figure and its axes. height: in inches; panels: rows and columns, if not one."""
    from matplotlib.figure import Figure

    figure = Figure((WIDTH, height), DPI, facecolor="white", layout="constrained")
    return figure, figure.subplots(*panels, squeeze=not panels)


def with_legend(figure: Any) -> Any:
    """Add a legend above the panels and return the figure."""
    figure.legend(loc="outside upper right", ncols=5, frameon=False, fontsize=8)
    return figure


def blues() -> Any:
    """Return the colour map from light (0) to dark blue (1)."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("light to dark", LIGHT_TO_DARK)


def fit(axes: Any, which: str, scale: Scale, max_length: int = 40) -> None:
    """Set the label, limits and ticks of one axis, and the common style of both.

    which: "x" or "y"; max_length: characters of the label.
    """
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    axis = getattr(axes, f"{which}axis")
    low, high = scale.low, scale.high
    if scale.choices:
        places, texts = zip(*scale.named(12), strict=True)
        axis.set_ticks(places, texts, **(SLANT if len("".join(texts)) > 24 else {}))
        low, high = low - 0.5, high + 0.5
    elif scale.log:
        axes.set(**{f"{which}scale": "log"})
        steps = (1,) if high > 300 * low else (1, 3) if high > 30 * low else (1, 2, 5)
        axis.set_major_locator(LogLocator(subs=steps))
        axis.set_major_formatter(lambda value, _: number(value))
        axis.set_minor_formatter(NullFormatter())
        factor = (high / low) ** 0.05 if high > low else 2.0
        low, high = low / factor, high * factor
    else:
        axis.set_major_locator(MaxNLocator("auto", integer=scale.integer, steps=[1, 2, 2.5, 5, 10]))
        axes.ticklabel_format(axis=which, useOffset=False)
        axis.offsetText.set_fontsize(8)
        pad = 0.05 * (high - low) or (0.0 if scale.integer else 0.1 * abs(low)) or 1
        low, high = low - pad, high + pad
    axes.set(**{f"{which}lim": (low, high)})
    axis.set_label_text(plain(scale.name, max_length), fontsize=9, color=INK)
    axes.tick_params(labelsize=8, color=INK, labelcolor=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#E5E5E5", linewidth=0.6)
    axes.set_axisbelow(True)


def plain(text: str, max_length: int) -> str:
    """Return one line of at most `max_length` characters, escaped so that `$` begins no formula.

    The middle of a longer text is replaced by `…`.
    """
    flat = " ".join(text.split())
    if len(flat) > max_length:
        flat = flat[: max_length // 2] + "…" + flat[len(flat) - (max_length - 1) // 2 :]
    return flat.replace("$", r"\$")


def number(value: float) -> str:
    """Format a number with three digits, such as `93.1`, `1e-5` or `12,000`."""
    size = abs(value)
    value += 0.0  # no -0
    if size >= 1e6 or 0 < size < 0.00099:
        digits, _, exponent = f"{value:.2e}".partition("e")
        return f"{float(digits):g}e{int(exponent)}"
    return f"{value:,.0f}" if size >= 999.5 else f"{value:.3g}"
