"""How the drawings of a search look: figures, axes, colours, numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

WIDTH, DPI = 8.2, 110  # inches, pixels an inch
WIDE = 20  # positive values that span more than this factor get a logarithmic axis
NAMED = 8  # choices of one axis that are named
BLUE, RED, GREY, INK = "#0072B2", "#D55E00", "#999999", "#333333"  # Okabe and Ito's
LIGHT_TO_DARK = ("#CBE4F4", "#56B4E9", BLUE, "#00243B")  # their blues, told by lightness
SLANT: dict[str, Any] = {"rotation": 25, "ha": "right", "rotation_mode": "anchor"}


@dataclass
class Scale:
    """A parameter's or an objective's axis. choices: of a categorical one, at 0, 1, 2, …"""

    name: str
    low: float
    high: float
    log: bool = False
    integer: bool = False
    choices: tuple[str, ...] = ()

    def unit(self, place: float) -> float:
        """0 at the low end, 1 at the high one; 0.5 where these are one; NaN stays NaN."""
        if self.low == self.high:
            return place * 0 + 0.5
        low, high, at = (math.log(x) if self.log else x for x in (self.low, self.high, place))
        return (at - low) / (high - low)

    def named(self, most: int) -> list[tuple[int, str]]:
        """Places and shortened names of the choices, of every so-many-th if they are many."""
        names = [(i, plain(choice, most)) for i, choice in enumerate(self.choices)]
        return names[:: len(names) // NAMED + 1]


def searched_scale(name: str, trials: list[FrozenTrial]) -> Scale:
    """A parameter's axis over all that was ever searched, so that a best at an edge shows."""
    kinds: list[Any] = [trial.distributions[name] for trial in trials if name in trial.params]
    if hasattr(kinds[0], "choices"):
        choices = tuple(map(str, kinds[0].choices))
        return Scale(name, 0, len(choices) - 1, choices=choices)
    low, high = min(kind.low for kind in kinds), max(kind.high for kind in kinds)
    return Scale(name, low, high, kinds[0].log, isinstance(low, int))


def spanned_scale(name: str, values: Sequence[float]) -> Scale:
    low, high = min(values), max(values)
    return Scale(name, low, high, log=low > 0 and high > WIDE * low)


def new_figure(height: float, *panels: int) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure((WIDTH, height), DPI, facecolor="white", layout="constrained")
    return figure, figure.subplots(*panels, squeeze=not panels)


def with_legend(figure: Any) -> Any:
    figure.legend(loc="outside upper right", ncols=5, frameon=False, fontsize=8)
    return figure


def blues() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("light to dark", LIGHT_TO_DARK)


def fit(axes: Any, which: str, scale: Scale, most: int = 40) -> None:
    """Give the x or y axis the scale's label, limits and ticks, and both the common style."""
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
    axis.set_label_text(plain(scale.name, most), fontsize=9, color=INK)
    axes.tick_params(labelsize=8, color=INK, labelcolor=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#E5E5E5", linewidth=0.6)
    axes.set_axisbelow(True)


def plain(text: str, most: int) -> str:
    """One line of at most so many characters, whose dollars are not taken for formulae."""
    flat = " ".join(text.split())
    if len(flat) > most:
        flat = flat[: most // 2] + "…" + flat[len(flat) - (most - 1) // 2 :]
    return flat.replace("$", r"\$")


def number(value: float) -> str:
    """`93.1`, `1e-5`, `12,000`."""
    size = abs(value)
    value += 0.0  # no -0
    if size >= 1e6 or 0 < size < 0.00099:
        digits, _, exponent = f"{value:.2e}".partition("e")
        return f"{float(digits):g}e{int(exponent)}"
    return f"{value:,.0f}" if size >= 999.5 else f"{value:.3g}"
