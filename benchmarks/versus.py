"""Error rates of `gansweep versus` on real trainings: 20 pairs of equal rows, 20 of different ones.

A row is SEEDS runs of one setting. The rows of equal pairs have the same setting and other seeds;
those of different pairs have another learning rate, and the truth is the difference of the means
over all seeds. `VERSUS_PAIRS=20 VERSUS_STEPS=250 VERSUS_OUT=FOLDER` set the size; a repeated
command trains only what is missing. With the defaults 300 runs are trained, each of 4 s of a core.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from statistics import fmean, stdev

from benchmarks import measure
from gansweep.plugins import METRICS
from gansweep.report.table.difference import BETTER, TIE, WORSE, Difference, compare
from gansweep.report.table.outcome import read_outcome
from gansweep.store.manifest import read_manifest
from gansweep.store.run import Run

PAIRS, STEPS = int(os.environ.get("VERSUS_PAIRS", "20")), os.environ.get("VERSUS_STEPS", "250")
SEEDS = 5
# Of equal pairs, and of the other rows of different pairs: their means differ by less than two
# standard deviations of a run, which five seeds find in most cases, but not in all of them.
RATES = ("1e-3", "5e-4")
WIDTH = "0.0625"
METRIC = "fd_lenet"


def versus() -> None:
    out = Path(os.environ.get("VERSUS_OUT", "outputs"))
    pool = values(out, RATES[0], 2 * PAIRS * SEEDS)
    others = values(out, RATES[1], PAIRS * SEEDS)
    sign = METRICS.sign(METRIC)
    rows = [pool[i : i + SEEDS] for i in range(0, len(pool), SEEDS)]
    other_rows = [others[i : i + SEEDS] for i in range(0, len(others), SEEDS)]
    equal = [compare(a, b, sign) for a, b in zip(rows[::2], rows[1::2], strict=True)]
    different = [compare(a, b, sign) for a, b in zip(rows[:PAIRS], other_rows, strict=True)]
    truth = BETTER if sign * (fmean(others) - fmean(pool)) > 0 else WORSE
    effect = abs(fmean(others) - fmean(pool)) / stdev(pool)
    table = [
        line(f"equal: lr={RATES[0]}", equal, TIE),
        line(f"different: lr={RATES[0]} and {RATES[1]}", different, truth),
    ]
    needed = compare(pool, others, sign)
    assert needed is not None
    measure.write(
        "versus",
        "How often versus is right",
        [
            f"Pairs of rows of {SEEDS} seeds each, of generator 5 at width {WIDTH} on mnist5k, "
            f"{STEPS} steps. Over all {len(pool)} and {len(others)} seeds "
            f"lr={RATES[0]} has FD (LeNet) {fmean(pool):.1f} ± {stdev(pool):.1f} and "
            f"lr={RATES[1]} {fmean(others):.1f} ± {stdev(others):.1f}, a difference of "
            f"{effect:.1f} standard deviations, which {needed.needed} seeds of each row find in "
            "four of five cases.",
            "right: the verdict is a tie for equal rows, and the true one for different rows; "
            "wrong: one of equal rows is called better, or the worse one of different rows.",
        ],
        ["rows", "pairs", "right", "tie", "wrong", "median noise floor"],
        table,
    )


def values(out: Path, rate: str, count: int) -> list[float]:
    """Return the distances of `count` runs with a learning rate, trained if they are missing."""
    name = f"versus-bench-{rate}-{STEPS}-{count}"
    words = [
        "-m", f"lr={rate}", f"seed=range(1,{count + 1})", "data=mnist5k", "gen=5", "disc=4",
        f"width={WIDTH}", f"steps={STEPS}", f"name={name}", f"out={out}", "keep_states=0",
    ]  # fmt: skip
    subprocess.run([sys.executable, "-m", "gansweep", *words], check=True)
    (row,) = read_manifest(out, name).rows
    outcomes = [read_outcome(Run(out, run)) for runs in row.runs.values() for run in runs]
    found = [outcome.value for outcome in outcomes if outcome.value is not None]
    if len(found) < count:
        raise SystemExit(f"{count - len(found)} of {count} runs of {name} have no distance")
    return found


def line(rows: str, found: list[Difference | None], right: str) -> list[str]:
    """Return a line of the table: the counts of the verdicts, of which `right` is the true one."""
    verdicts = Counter(f.verdict for f in found if f is not None)
    floors = sorted(f.floor for f in found if f is not None)
    wrong = sum(verdicts[word] for word in (BETTER, WORSE) if word != right)
    return [
        rows, str(len(found)), str(verdicts[right]), str(verdicts[TIE]), str(wrong),
        f"{floors[len(floors) // 2]:.1f}",
    ]  # fmt: skip
