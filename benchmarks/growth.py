"""Measure how the time of a sweep grows with its number of rows."""

from __future__ import annotations

from statistics import median

from benchmarks import charts
from benchmarks.measure import Series, seconds, write
from gansweep.launch.devices import cpu_cores

ROWS = (6, 24, 96)
STEPS = 20
ROUNDS = 3


def command(rows: int, steps: int) -> list[str]:
    """Return the command of a sweep with this many short runs on digits."""
    lrs = ",".join(f"{i}e-5" for i in range(1, rows + 1))
    grid = ["-m", "gansweep", "-m", f"lr={lrs}", f"steps={steps}"]
    return [*grid, "data=mnist5k", "judge=false", "device=cpu"]


def growth(rows: tuple[int, ...] = ROWS, steps: int = STEPS, rounds: int = ROUNDS) -> None:
    """Measure seconds per row of short runs, with start-up, and seconds per further row."""
    first = cpu_cores()  # One row on each core takes the start-up time and one row's time.
    times = {count: Series(str(count)) for count in (first, *rows)}
    seconds(command(1, 1))  # This call prepares the data set.
    for _ in range(rounds):
        for count, series in times.items():
            series.values.append(seconds(command(count, steps)))
            print(f"{count} rows: {series.values[-1]:.1f} s", flush=True)
    each = {n: Series("", [s / n for s in times[n].values]) for n in rows}
    beyond = {n: _beyond(times[n], times[first], n - first) for n in rows}
    figure, (ax,) = charts.panels(1, width=5.5)
    for which, (series, label) in enumerate(((each, "start-up in it"), (beyond, "without it"))):
        charts.line(ax, list(rows), [median(series[n].values) for n in rows], label, which, False)
    charts.marks(ax, list(rows), list(map(str, rows)))
    ax.set(xlabel="rows", ylabel="seconds a row")
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False)
    write(
        "growth",
        "How a sweep's time grows with its rows",
        [
            f"Runs of {steps} steps on digits, judge=false, a run a core, {rounds} rounds, in "
            f"turns; min–median–max. Without start-up: what the rows take beyond {first} rows, "
            f"one on each core, divided by their number less {first}.",
            charts.save(figure, "growth"),
        ],
        ["rows", "s", "s a row", "s a row, without start-up"],
        [[str(n), times[n].spread(), each[n].spread(2), beyond[n].spread(2)] for n in rows],
    )


def _beyond(times: Series, first: Series, rows: int) -> Series:
    """Return the seconds for each further row."""
    pairs = zip(times.values, first.values, strict=True)
    return Series("", [(more - few) / rows for more, few in pairs])
