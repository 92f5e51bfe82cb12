"""`python -m benchmarks [NAME ...]`: run all benchmarks, or those named."""

from __future__ import annotations

import sys

from benchmarks.judging import judging_cost
from benchmarks.overhead import demo_sweep, trivial_jobs
from benchmarks.search import engine

BENCHMARKS = {
    "overhead": trivial_jobs,
    "demo": demo_sweep,
    "judging": judging_cost,
    "search": engine,
}


def main(names: list[str]) -> None:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"no benchmark {unknown[0]!r}; valid: {', '.join(BENCHMARKS)}")
    for name in names or BENCHMARKS:
        BENCHMARKS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
