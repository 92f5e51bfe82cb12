"""Draw the charts of the measurements beside their tables."""

from __future__ import annotations

from typing import Any

from benchmarks import measure

INK, GREY = "#333333", "#999999"
# These are the colours of Okabe and Ito for all kinds of colour vision, each with a marker.
STYLES = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"))


def panels(count: int, width: float = 8.2, height: float = 3.4) -> tuple[Any, list[Any]]:
    """Return a figure with `count` axes side by side."""
    from matplotlib.figure import Figure

    figure = Figure((width, height), 110, facecolor="white", layout="constrained")
    axes = list(figure.subplots(1, count, squeeze=False)[0])
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(axis="y", color="#E5E5E5", linewidth=0.8)
        ax.set_axisbelow(True)
    return figure, axes


def line(ax: Any, x: list[float], y: list[float], label: str, which: int, dashed: bool) -> None:
    colour, marker = STYLES[which]
    ax.plot(
        x, y, "--" if dashed else "-", color=colour, marker=marker, markersize=5, label=label,
        markerfacecolor="white" if dashed else colour,
    )  # fmt: skip


def marks(ax: Any, values: list[float], labels: list[str]) -> None:
    """Set the ticks of a logarithmic x axis to the measured values."""
    ax.set_xscale("log", base=2)
    ax.set_xticks(values, labels)
    ax.minorticks_off()


def save(figure: Any, name: str) -> str:
    """Write `NAME.png` beside the table, and return the Markdown line that shows it."""
    measure.REPORTS.mkdir(parents=True, exist_ok=True)
    figure.savefig(measure.REPORTS / f"{name}.png", metadata={"Software": None})
    return f"![the same, drawn]({name}.png)"
