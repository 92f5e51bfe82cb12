"""Measure gansweep on a GPU, in parts of less than ten minutes: `python -m benchmarks.on_gpu`.

    python -m benchmarks.on_gpu                    every part, in order
    python -m benchmarks.on_gpu packing digits     these parts
    python -m benchmarks.on_gpu --dry-run          every part on the CPU, cut short

Each part is a command with a report of its own, so that a part that fails or takes too long costs
no other part its report. MNIST=FOLDER names the folder of MNIST's IDX files; without it they are
downloaded. A dry run writes its reports into FOLDER of --reports, never over those of a GPU.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Part:
    """One part: its arguments for Python, and what it has in place of them in a dry run."""

    what: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    dry_command: tuple[str, ...] | None = None
    dry_environment: dict[str, str] = field(default_factory=dict)


def function(call: str) -> tuple[str, ...]:
    """Return the command that calls a benchmark with arguments, as in `paper.digits("steps=2")`."""
    module = call.split(".")[0]
    return ("-c", f"from benchmarks import {module}; {call}")


SMALL = '"rows=0,34", "steps=2", "width=0.0625", "data=mnist5k"'
ALL_ROWS = " ".join(map(str, range(39)))
PARTS = {
    "tests": Part(
        "the tests that need a GPU: one run, a packed grid, resume after a kill, too little memory",
        ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_gpu.py"),
        dry_environment={"GANSWEEP_TEST_DEVICE": "cpu"},
    ),
    "step": Part(
        "roofline, and a step of G1/D1 and G5/D4 as a share of the measured peak",
        ("-m", "benchmarks", "roofline", "step"),
        dry_command=function("step.step((('5', '4'),), (1 / 16,), 2)"),
    ),
    "packing": Part(
        "1 to 8 runs at a time: processes, with and without MPS, and streams of one process",
        ("-m", "benchmarks", "packing"),
        dry_command=function("packing.packing((1 / 16,), (1, 2), 0.5)"),
    ),
    "graphs": Part(
        "a step as a CUDA graph, and with torch.compile",
        ("-m", "benchmarks", "graphs"),
        dry_command=function("graphs.graphs((('5', '4'),), (8,), 1 / 16, 2, False)"),
    ),
    "digits": Part(
        "the 39 rows at full width, 2 epochs of MNIST",
        ("-m", "benchmarks", "paper_digits"),
        dry_command=function(f"paper.digits({SMALL})"),
    ),
    "faces": Part(
        "the 39 rows at full width, as many drawn faces as CelebA has pictures",
        ("-m", "benchmarks", "paper_faces"),
        dry_command=function(f"paper.faces({SMALL.replace('mnist5k', 'toyfaces')})"),
    ),
    "cases": Part(
        "the three cases of document 000 at full length",
        ("-m", "benchmarks", "paper_cases"),
        dry_command=function('paper.cases("steps=2", "width=0.0625")'),
    ),
    "transfer": Part(
        "the 39 rows at the widths 1/16, 1/4 and 1: do narrow networks rank them as wide ones do?",
        ("-m", "benchmarks", "transfer"),
        {"TRANSFER": "1/16 1/4 1", "TRANSFER_UNDER": "mup", "TRANSFER_ROWS": ALL_ROWS},
        dry_environment={
            "TRANSFER": "1/32 1/16", "TRANSFER_UNDER": "mup", "TRANSFER_ROWS": "0 30 34",
            "TRANSFER_STEPS": "20",
        },
    ),
}  # fmt: skip


def main() -> int:
    arguments = _arguments()
    environment = dict(os.environ)
    if arguments.reports:
        environment["BENCH_REPORTS"] = str(Path(arguments.reports) / "benchmarks")
    if arguments.dry_run:
        environment["CUDA_VISIBLE_DEVICES"] = ""
    failed = []
    for name in arguments.parts or PARTS:
        part = PARTS[name]
        command, extra = part.command, part.environment
        if arguments.dry_run:
            command, extra = part.dry_command or command, extra | part.dry_environment
        print(f"== {name}: {part.what}", flush=True)
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *command], env=environment | extra, start_new_session=True
        )
        try:
            code = process.wait(60 * arguments.minutes)
            end = "done" if code == 0 else f"failed with exit code {code}"
        except subprocess.TimeoutExpired:
            code, end = 1, f"stopped after {arguments.minutes:g} minutes"
        finally:  # The sweep that a part has started must not disturb the next part.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        print(f"== {name}: {end}, {time.perf_counter() - started:.0f} s", flush=True)
        failed += [name] if code else []
    if failed:
        print(f"not done: {' '.join(failed)}")
    return int(bool(failed))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.on_gpu",
        description="Measure gansweep on a GPU, in parts that each write a report.",
        epilog="parts: " + "; ".join(f"{name}: {part.what}" for name, part in PARTS.items()),
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"default: {' '.join(PARTS)}")
    parser.add_argument(
        "--minutes", type=float, default=9.5, help="end a part after this time (default 9.5)"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="run on the CPU, cut short, to try the commands"
    )
    parser.add_argument(
        "--reports", metavar="FOLDER", help="folder of the reports (default reports)"
    )
    arguments = parser.parse_args()
    if wrong := [name for name in arguments.parts if name not in PARTS]:
        parser.error(f"no part {wrong[0]!r}; valid: {', '.join(PARTS)}")
    if arguments.dry_run and not arguments.reports:
        parser.error("--dry-run needs --reports FOLDER, as its reports have no meaning")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
