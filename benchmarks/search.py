"""The search engine on known functions: as good as Optuna alone, and are its slots busy?"""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from pathlib import Path
from statistics import fmean, stdev

from benchmarks.measure import write
from benchmarks.toys import TOYS, search

TRIALS, SEEDS = 100, 10


def engine() -> None:
    """100 trials of each toy: in two slots here, one after the other in Optuna's own loop."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    rows = []
    for toy, (space, value) in TOYS.items():
        ours, alone = [], []
        for seed in range(SEEDS):
            with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
                ours.append(search(toy, Path(folder), TRIALS, seed=seed).best_value)
            sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
            study = optuna.create_study(sampler=sampler)
            study.optimize(lambda trial, v=value, s=space: v(s(trial)), TRIALS)
            alone.append(study.best_value)
            print(f"{toy} seed {seed}: {ours[-1]:.4g} against {alone[-1]:.4g}", flush=True)
        rows.append([f"{toy}: best of {TRIALS}", _spread(ours), _spread(alone)])
    rows.append(["share of the slots' time in jobs", f"{100 * _busy():.1f} %", "–"])
    write(
        "search",
        "The search engine with toy objectives in the place of GANs",
        [
            f"{TRIALS} trials of TPE, mean ± standard deviation over {SEEDS} seeds; ours in two "
            "slots at a time, so that proposals overlap; Optuna's `study.optimize` one after the "
            "other. In one slot the two propose the very same (tests/test_search.py).",
            "busy: 60 trials that take 0.3 to 3 s, by their settings, in two slots; the time in "
            "jobs over two times the time from the first start to the last end.",
        ],
        ["", "gansweep", "study.optimize"],
        rows,
    )


def _spread(values: list[float]) -> str:
    return f"{fmean(values):.4g} ± {stdev(values):.2g}"


def _busy() -> float:
    """How busy two slots are with trials of very different lengths."""

    def seconds(values: dict[str, float]) -> float:
        return 0.3 + 0.18 * (values["x"] + 5)

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        began = time.monotonic()
        study = search("branin", Path(folder), 60, seconds=seconds, sampler="random", seed=1)
        took = time.monotonic() - began
        first = min(t.datetime_start for t in study.trials if t.datetime_start)
        last = max(t.datetime_complete for t in study.trials if t.datetime_complete)
        wall = min(took, (last - first).total_seconds())
        return sum(seconds(t.params) for t in study.trials) / (2 * wall)
