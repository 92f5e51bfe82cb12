"""Compare the search engine with Optuna alone on known functions, and measure its idle slots."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from pathlib import Path
from statistics import fmean, stdev

from benchmarks.measure import write
from testing.toys import TOYS, search

TRIALS, SEEDS = 100, 10


def engine() -> None:
    """Run 100 trials of each toy in two slots, and one after the other in Optuna's own loop."""
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
            "busy: 60 trials that take 0.6 to 6 s, by their settings, in two slots; from the first "
            "trial's start to the last one's, the share of the slots' time in which a trial runs.",
        ],
        ["", "gansweep", "study.optimize"],
        rows,
    )


def _spread(values: list[float]) -> str:
    return f"{fmean(values):.4g} ± {stdev(values):.2g}"


def _busy() -> float:
    """Return how busy two slots are with trials of 0.6 to 6 s, while trials are left."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        out = Path(folder)
        search(
            "branin", out, 60, seconds=lambda v: 0.6 + 0.36 * (v["x"] + 5), sampler="random", seed=1
        )
        results = [json.loads(p.read_text()) for p in out.glob("runs/*/result.json")]
    first, last = (end(r["began"] for r in results) for end in (min, max))
    within = sum(min(r["ended"], last) - r["began"] for r in results)
    return within / (2 * (last - first))
