"""Run the coordinate check of every network under both parametrizations."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from statistics import median

from benchmarks import charts
from benchmarks.measure import write
from gansweep.config import Config
from testing.coordinate_check import (
    NETWORKS,
    PAIRS,
    PARAMETRIZATIONS,
    STEPS,
    Layer,
    batch_for,
    check,
    config_for,
    slope,
    worst,
)

# A wide layer averages over many channels, so it needs fewer seeds than a narrow one.
SEEDS = {1 / 32: 8, 1 / 16: 6, 1 / 8: 4, 1 / 4: 3}
DRAWN = {**SEEDS, 1 / 2: 2}
# At width 1/32, the first layers have one or two channels, so this width is left out.
CONV_SEEDS = {1 / 16: 12, 1 / 8: 8, 1 / 4: 6}


def coordinates() -> None:
    """Measure every registered network with the standard parametrization and with mup."""
    rows: list[list[str]] = []
    found: dict[tuple[str, str], list[Layer]] = {}
    for gen, disc in PAIRS:
        for parametrization in PARAMETRIZATIONS:
            config = config_for(gen, disc, parametrization)
            seeds = CONV_SEEDS if config.gen_opt == "sgd" else DRAWN if gen == "1" else SEEDS
            layers = check(config, batch_for(config), seeds)
            for name, network in zip((f"G {gen}", f"D {disc}"), NETWORKS, strict=True):
                if (name, parametrization) not in found:  # D 2 is in two pairs.
                    found[name, parametrization] = layers[network]
                    rows.append(_row(name, config, layers[network]))
                    print(*rows[-1], flush=True)
    rows.sort(key=lambda row: (row[1], row[0][0] == "D"))
    write(
        "coordinates",
        "What a few steps change, against the width",
        [
            "slope: the exponent of the width with which the RMS of the change of a layer's output "
            "grows, fitted over the widths shown; 0 is flat. The output is the one before norm and "
            "activation, for the batch that is trained on, the same at every step. Both networks "
            f"of a pair are equally wide. Geometric means over {_counts(DRAWN)} seeds at "
            f"{_names(DRAWN)}; with SGD over {_counts(CONV_SEEDS)} at {_names(CONV_SEEDS)}. fp32, "
            "no dropout. Adam: digits, batch 8, lr 1e-4. SGD: the settings of document 000, drawn "
            "faces, batch 4.",
            "last layer at the start: the slope of its output's size before training.",
            _draw(found),
        ],
        ["network", "optimizer", "parametrization", "slope after 10 steps, median over layers",
         "worst", "its layer", "after 1 step, median", "worst", "last layer at the start",
         *(f"change of the worst layer at {Fraction(width)}" for width in DRAWN)],
        rows,
    )  # fmt: skip


def _row(name: str, config: Config, layers: list[Layer]) -> list[str]:
    last, bad = max(STEPS), worst(layers, max(STEPS))
    sizes = bad.changes[last]
    return [
        name,
        config.gen_opt,
        config.parametrization,
        f"{median(layer.slope(last) for layer in layers):+.2f}",
        f"{bad.slope(last):+.2f}",
        bad.name,
        f"{median(layer.slope(1) for layer in layers):+.2f}",
        f"{worst(layers, 1).slope(1):+.2f}",
        f"{slope(layers[-1].start):+.2f}",
        *(f"{sizes[width]:.2g}" if width in sizes else "–" for width in DRAWN),
    ]


def _counts(seeds: Mapping[float, int]) -> str:
    return ", ".join(map(str, seeds.values()))


def _names(seeds: Mapping[float, int]) -> str:
    return ", ".join(str(Fraction(width)) for width in seeds)


def _draw(found: Mapping[tuple[str, str], list[Layer]]) -> str:
    from matplotlib import colormaps

    figure, axes = charts.panels(4, width=12, height=3.6)
    shown = [(network, p) for network in ("G 1", "D 1") for p in PARAMETRIZATIONS]
    for ax, (network, parametrization) in zip(axes, shown, strict=True):
        layers = found[network, parametrization]
        for place, layer in enumerate(layers):
            sizes = layer.changes[max(STEPS)]
            colour = colormaps["viridis"](0.95 * place / (len(layers) - 1))
            values = [size / sizes[max(sizes)] for size in sizes.values()]
            ax.plot(list(sizes), values, "o-", color=colour, markersize=4, label=layer.name)
        charts.marks(ax, list(DRAWN), list(map(str, map(Fraction, DRAWN))))
        ax.set_yscale("log", base=2)
        ax.yaxis.set_major_formatter(lambda size, _: str(Fraction(size).limit_denominator(64)))
        ax.set(title=f"{network.replace(' ', '')}, {parametrization}", xlabel="width")
        ax.legend(frameon=False, fontsize=8)
    axes[0].set_ylabel("change after 10 steps ÷ that at width 1/2")
    low = min(ax.get_ylim()[0] for ax in axes)
    high = max(ax.get_ylim()[1] for ax in axes)
    for ax in axes:
        ax.set_ylim(low, high)
    return charts.save(figure, "coordinates")
