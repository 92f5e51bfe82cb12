"""Write the table and draw the chart of the benchmark `step`."""

from __future__ import annotations

from fractions import Fraction
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import charts
from benchmarks.measure import write
from benchmarks.roofline import Place, suffix

if TYPE_CHECKING:
    from benchmarks.step import Case

Ceilings = dict[
    str, tuple[float, ...]
]  # The GFLOP/s of matrix products and the best GFLOP/s, by precision, follow.


def report(cases: list[Case], ceilings: Ceilings, place: Place, rounds: int, batch: int) -> None:
    """Write the table of all cases, and draw those of the usual batch."""
    rows = []
    for case in cases:
        config, alone = case.config, median(case.bare.values)
        rate = case.flop / alone / 1e9
        rows.append([
            case.pair,
            str(Fraction(config.width or 1)),
            str(config.batch_size),
            config.precision,
            case.images(case.bare).spread(0),
            case.images(case.fit).spread(0),
            f"{case.flop / 1e9:,.1f}",
            f"{rate:,.0f}",
            *(f"{100 * rate / most:.0f}" for most in ceilings[config.precision]),
            f"{1000 * median(case.outside.values):.2f}",
            f"{1000 * median(case.written.values):,.0f}",
            case.added().spread(2),
            f"{median(case.added().values) / alone / 10:.1f}",
        ])  # fmt: skip
    name = "step" + suffix()
    products = ", ".join(f"{rates[0]:,.0f} GFLOP/s in {p}" for p, rates in ceilings.items())
    best = ", ".join(f"{rates[1]:,.0f} in {p}" for p, rates in ceilings.items())
    write(
        name,
        "One training step of D and G",
        [
            f"{place}, {rounds} rounds (fewer of wide steps, "
            "but two), alone and in a run in turns; min–median–max. A wide step is so long that "
            "differences of a few ms are noise.",
            "alone: the GAN module's training step in a loop. in a run: the same in gansweep's "
            "`train`, with Lightning's trainer and every callback but the judge's: metrics every "
            "10 steps, the bar. outside: between the end of a step and the start of the next, by "
            "the clock in the run itself. added: that and a 60th of what a picture and a "
            "checkpoint take, as in a run of the demo profile; %: of the step alone.",
            "GFLOP: products and convolutions of one step in fp32, as FlopCounterMode counts them. "
            f"Shares: of the best matrix product measured between the cases, {products}; of the "
            f"best of products and convolutions, {best}: other libraries compute these. In bf16 "
            "such ceilings swing from minute to minute on CPUs.",
            _draw(name, [c for c in cases if c.config.batch_size == batch], ceilings),
        ],
        ["networks", "width", "batch", "precision", "images/s alone", "images/s in a run",
         "GFLOP a step", "GFLOP/s", "of products, %", "of the best, %", "outside, ms a step",
         "picture and checkpoint, ms", "added, ms a step", "added, %"],
        rows,
    )  # fmt: skip


def _draw(name: str, cases: list[Case], ceilings: Ceilings) -> str:
    figure, axes = charts.panels(3, width=10.5)
    lines: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        lines.setdefault((case.pair, case.config.precision), []).append(case)
    pairs = list(dict.fromkeys(pair for pair, _ in lines))
    for (pair, precision), row in lines.items():
        widths = [case.config.width or 1 for case in row]
        alone = [median(case.bare.values) for case in row]
        shares = [
            100 * c.flop / s / 1e9 / ceilings[precision][1] for c, s in zip(row, alone, strict=True)
        ]
        added = [median(c.added().values) / s / 10 for c, s in zip(row, alone, strict=True)]
        rates = [c.config.batch_size / s for c, s in zip(row, alone, strict=True)]
        for ax, values in zip(axes, (rates, shares, added), strict=True):
            style = (pairs.index(pair), precision == "fp32")
            charts.line(ax, widths, values, f"{pair}, {precision}", *style)
            charts.marks(ax, widths, [str(Fraction(w)) for w in widths])
    axes[0].set(title="images/s, step alone", yscale="log")
    axes[1].set(title="share of the best rate, %")
    axes[1].set_ylim(bottom=0)
    axes[2].set(title="added in a run, %")
    axes[2].set_ylim(bottom=0)
    for ax in axes:
        ax.set_xlabel("width")
    axes[0].legend(frameon=False, fontsize=8)
    return charts.save(figure, name)
