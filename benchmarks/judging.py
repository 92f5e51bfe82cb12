"""Measure the cost of judging, in seconds per second of training, with one run on each core."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Series, write

PAIRS = (("5", "4"), ("1", "4"))
SAMPLE = 250  # The times of larger evaluations and scores are extrapolated from this many images.


def judging_cost(rounds: int = 2) -> None:
    """Measure two pairs of networks, in whole demo runs and in the parts of a full-width run."""
    shares: dict[tuple[str, ...], Series] = {}
    command = [sys.executable, "-m", "gansweep", "-m", "gen=5,1", "disc=4", "lr=5e-4"]
    here = str(Path(__file__).parents[1])
    for seed in range(rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                [*command, f"seed={seed}"],
                cwd=folder, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": here},
            )  # fmt: skip
            if seed == 0:  # This call trains the judge's own net and computes the real features.
                continue
            for path in sorted(Path(folder).glob("outputs/runs/*/result.json")):
                result = json.loads(path.read_text())
                config = json.loads((path.parent / "config.json").read_text())
                key = ("demo", f"G{config['params']['gen']}/D4", config["data"]["name"])
                share = 100 * result["judge"]["judging_seconds"] / result["training_seconds"]
                shares.setdefault(key, Series(key[0])).values.append(share)
                print(f"{key}: {share:.1f} %", flush=True)
    for gen, disc in PAIRS:
        key = ("paper", f"G{gen}/D{disc}", "digits of the size of mnist")
        shares[key] = Series(key[0])
        for _ in range(rounds):
            shares[key].values.append(_paper_share(gen, disc))
            print(f"{key}: {shares[key].values[-1]:.1f} %", flush=True)
    _report(shares, rounds)


def _report(shares: dict[tuple[str, ...], Series], rounds: int) -> None:
    write(
        "judging",
        "The cost of judging, in per cent of the training time",
        [
            f"{rounds} rounds; min–median–max. The evaluations, the score at the end, and writing "
            "the best weights are counted.",
            "demo: whole runs of 600 steps of 32 images, two at a time on separate cores.",
            "paper: put together from one step, an evaluation and a score of 250 images, at full "
            "width on one core, each the quickest of three, in the numbers of a run of 2 epochs of "
            "60,000 digits; no such run was trained.",
        ],
        ["profile", "networks", "data", "%"],
        [[*key, series.spread()] for key, series in sorted(shares.items())],
    )


def _paper_share(gen: str, disc: str) -> float:
    """Return the share of judging in a run of the paper profile, computed from its parts."""
    import torch

    from gansweep.config import Config
    from gansweep.training.data import prepare
    from gansweep.training.judge_callback import evaluation_steps
    from gansweep.training.latents import latents
    from gansweep.training.metrics.evaluate import Judge, generate
    from gansweep.training.sample_sizes import sample_sizes
    from gansweep.training.train import build_gan

    torch.set_num_threads(1)
    config = Config(gen=gen, disc=disc, width=1.0, batch_size=128)
    data = prepare(config.data, 28)
    judge, gan = Judge(data), build_gan(config, data.channels)
    optimizers = gan.configure_optimizers()
    batch = torch.from_numpy(data.array()[: config.batch_size].copy())
    steps = 2 * (60_000 // config.batch_size)
    evaluation, score = sample_sizes(steps * config.batch_size)
    z = latents(config.z_dim, SAMPLE, seed=1)
    training = steps * _quickest(lambda: gan.step(batch, *optimizers))
    evaluated = evaluation * (1 + len(evaluation_steps(steps, config.batch_size)))
    judging = evaluated / SAMPLE * _quickest(lambda: judge.evaluate(generate(gan.sample, z)))
    judging += score / SAMPLE * _quickest(lambda: judge.score(generate(gan.sample, z)))
    return 100 * judging / training


def _quickest(work: Callable[[], object]) -> float:
    took = []
    for _ in range(3):
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    return min(took)
