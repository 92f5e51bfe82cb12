"""What judging costs: seconds of it to a second of training, a run a core."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Series, write


def judging_cost(rounds: int = 2) -> None:
    """Two pairs of networks on digits and faces at the demo profile, as a sweep trains them."""
    shares: dict[tuple[str, str], Series] = {}
    command = [sys.executable, "-m", "gansweep", "-m", "gen=5,1", "disc=4", "lr=5e-4"]
    here = str(Path(__file__).parents[1])
    for seed in range(rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                [*command, f"seed={seed}"],
                cwd=folder, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": here},
            )  # fmt: skip
            if seed == 0:  # trains the judge's own net and computes the real features, once
                continue
            for path in sorted(Path(folder).glob("outputs/runs/*/result.json")):
                result = json.loads(path.read_text())
                config = json.loads((path.parent / "config.json").read_text())
                key = (f"G{config['params']['gen']}/D4", config["data"]["name"])
                share = 100 * result["judge"]["judging_seconds"] / result["training_seconds"]
                shares.setdefault(key, Series(key[0])).values.append(share)
                print(f"{key}: {share:.1f} %", flush=True)
    write(
        "judging",
        "The cost of judging, in per cent of the training time",
        [
            f"The demo profile, 600 steps of 32 images, {rounds} rounds; min–median–max. Looks on "
            "the way, the score at the end, and writing the best weights are counted."
        ],
        ["networks", "data", "%"],
        [[key[0], key[1], series.spread()] for key, series in sorted(shares.items())],
    )
