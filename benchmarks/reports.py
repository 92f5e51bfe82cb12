"""Measure the cost of reports on synthetic sweeps of 78 and 10,000 runs, and of reading files."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Series, write
from testing.synthetic import write_sweep

ROUNDS = 3
KINDS = {
    "markdown": ("markdown",),
    "html": ("html",),
    "both, as after a sweep": ("markdown", "html"),
}
SIZES = {39: "39 rows × 2", 5000: "5,000 rows × 2"}


def reports() -> None:
    """Measure the seconds and the peak memory of each rendering, without imports."""
    rows = []
    for count, name in SIZES.items():
        with tempfile.TemporaryDirectory() as place:
            write_sweep(Path(place) / "out", count)
            series = {kind: Series(kind) for kind in ("files alone", *KINDS)}
            peak: dict[str, float] = {}
            for _ in range(ROUNDS):
                for kind, of in series.items():
                    took, peak[kind] = _apart(kind, place)
                    of.values.append(took)
                    print(f"{name}, {kind}: {took:.2f} s, {peak[kind]:.0f} MiB", flush=True)
        base = series["files alone"].values
        for kind, of in series.items():
            ratio = Series("", [a / b for a, b in zip(of.values, base, strict=True)])
            rows.append([name, kind, of.spread(2), ratio.spread(1), f"{peak[kind]:.0f}"])
    write(
        "reports",
        "Reports of finished sweeps",
        [
            f"Made-up runs as training leaves them, ten pictures over time each; {ROUNDS} rounds, "
            "interleaved, each in a process and an empty folder of its own; min–median–max. "
            "Imports are not counted: they take half a second. Files alone: every result and "
            "configuration read and parsed, every thumbnail copied, and nothing made of it."
        ],
        ["sweep", "rendering", "s", "ratio to files alone", "peak MiB"],
        rows,
    )


def _apart(kind: str, place: str) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.reports", kind, place],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    took, peak = done.stdout.split()[-2:]
    return float(took), float(peak)


def _report(kind: str, place: Path) -> None:
    from gansweep.report import write_report

    write_report("synthetic", out=place / "out", reports=place / "reports", formats=KINDS[kind])


def _files_alone(place: Path) -> None:
    target = place / "reports" / "images"
    target.mkdir(parents=True)
    for folder in (place / "out" / "runs").iterdir():
        for name in ("config.json", "result.json"):
            json.loads((folder / name).read_text())
        shutil.copyfile(folder / "best.png", target / f"{folder.name}.png")


if __name__ == "__main__":
    what, where = sys.argv[1], Path(sys.argv[2])
    import pandas  # noqa: F401
    from PIL import Image  # noqa: F401

    import gansweep.report.gallery.gallery_data
    import gansweep.report.render.markdown  # noqa: F401

    started = time.perf_counter()
    _files_alone(where) if what == "files alone" else _report(what, where)
    seconds = time.perf_counter() - started
    shutil.rmtree(where / "reports")
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
