"""Error rates of `gansweep versus` on real trainings: 20 pairs of equal rows, 40 of different ones.

A row is SEEDS runs of one setting. The rows of equal pairs have the same setting and other seeds;
those of different pairs have another learning rate, and the truth is the difference of the means
over all seeds. `VERSUS_PAIRS=20 VERSUS_STEPS=250 VERSUS_OUT=FOLDER` set the size; a repeated
command trains only what is missing. With the defaults 400 runs are trained, each of 4 s of a core.
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
# Of equal pairs, and of the other rows of different pairs: a small difference, which five seeds
# rarely find, and a large one.
RATE, OTHERS = "1e-3", ("5e-4", "2e-4")
WIDTH = "0.0625"
METRIC = "fd_lenet"


def versus() -> None:
    out = Path(os.environ.get("VERSUS_OUT", "outputs"))
    pool = values(out, RATE, 2 * PAIRS * SEEDS)
    sign = METRICS.sign(METRIC)
    rows = rows_of(pool)
    equal = [compare(a, b, sign) for a, b in zip(rows[::2], rows[1::2], strict=True)]
    table = [line(f"equal: lr={RATE}", equal, TIE)]
    facts = [
        f"lr={RATE} has FD (LeNet) {fmean(pool):.1f} ± {stdev(pool):.1f} over {len(pool)} seeds"
    ]
    for rate in OTHERS:
        others = values(out, rate, PAIRS * SEEDS)
        different = [
            compare(a, b, sign) for a, b in zip(rows[:PAIRS], rows_of(others), strict=True)
        ]
        truth = BETTER if sign * (fmean(others) - fmean(pool)) > 0 else WORSE
        table.append(line(f"different: lr={RATE} and {rate}", different, truth))
        effect = abs(fmean(others) - fmean(pool)) / stdev(pool)
        needed = compare(pool, others, sign)
        assert needed is not None
        facts.append(
            f"lr={rate} {fmean(others):.1f} ± {stdev(others):.1f} over {len(others)}: a difference "
            f"of {effect:.1f} standard deviations, which {needed.needed} seeds of each row find in "
            "four of five cases"
        )
    measure.write(
        "versus",
        "How often versus is right",
        [
            f"Pairs of rows of {SEEDS} seeds each, of generator 5 at width {WIDTH} on mnist5k, "
            f"{STEPS} steps. {'; '.join(facts)}.",
            "right: the verdict is a tie for equal rows, and the true one for different rows; "
            "wrong: one of equal rows is called better, or the worse one of different rows.",
        ],
        ["rows", "pairs", "right", "tie", "wrong", "median noise floor"],
        table,
    )


def rows_of(distances: list[float]) -> list[list[float]]:
    return [distances[i : i + SEEDS] for i in range(0, len(distances), SEEDS)]


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
