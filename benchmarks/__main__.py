"""Run all benchmarks, or the named ones: `python -m benchmarks [NAME ...]`."""

from __future__ import annotations

import importlib
import sys

# Each benchmark has a module and a function. A module is imported only when its benchmark runs.
BENCHMARKS = {
    "overhead": ("overhead", "trivial_jobs"),
    "demo": ("overhead", "demo_sweep"),
    "judging": ("judging", "judging_cost"),
    "search": ("search", "engine"),
    "roofline": ("roofline", "roofline"),
    "step": ("step", "step"),
    "large_maps": ("large_maps", "large_maps"),
    "fusion": ("fusion", "fusion"),
    "sweeps": ("sweeps", "sweeps"),
    "sweeps_digits": ("sweeps", "sweeps_digits"),
    "memory": ("memory", "job_memory"),
    "packing": ("packing", "packing"),
    "graphs": ("graphs", "graphs"),
    "paper_digits": ("paper", "digits"),
    "paper_faces": ("paper", "faces"),
    "paper_cases": ("paper", "cases"),
    "transfer": ("transfer", "transfer"),
    "trust": ("trust", "trust"),
    "equilibrium": ("equilibrium", "equilibrium"),
    "blind_spot": ("blind_spot", "blind_spot"),
    "growth": ("growth", "growth"),
    "reports": ("reports", "reports"),
    "coordinates": ("coordinates", "coordinates"),
    "versus": ("versus", "versus"),
    "duel": ("duel.run", "duel"),
    "scale": ("scale", "scale"),
    "slurm_search": ("slurm_search", "slurm_search"),
}
NOT_ASKED = (
    "packing",
    "graphs",
    "paper_digits",
    "paper_faces",
    "paper_cases",
    "transfer",
    "trust",
    "equilibrium",
    "blind_spot",
    "versus",
    "duel",
    "slurm_search",
)  # These need half an hour or hours without a GPU, a finished sweep, or a cluster.
USUAL = [name for name in BENCHMARKS if name not in NOT_ASKED]


def main(names: list[str]) -> None:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"no benchmark {unknown[0]!r}; valid: {', '.join(BENCHMARKS)}")
    for name in names or USUAL:
        module, function = BENCHMARKS[name]
        getattr(importlib.import_module(f"benchmarks.{module}"), function)()


if __name__ == "__main__":
    main(sys.argv[1:])
