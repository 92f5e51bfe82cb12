"""`python -m gansweep clean SWEEP --keep N`: remove the weights of all but the best rows."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field

from gansweep.config import DEFAULTS
from gansweep.report.table.collect import Reader, collect
from gansweep.report.table.picture_column import picture_columns
from gansweep.store.errors import Held, UserError, one_line_errors
from gansweep.store.find_run import SWEEP, find_sweep, sweeps_by_time
from gansweep.store.manifest import Manifest, read_manifest
from gansweep.store.run import Run
from gansweep.store.weights import (
    all_runs,
    give_up,
    given_up,
    remove_weights,
    shown_size,
    size_of,
    weight_files,
)
from gansweep.terminal.console import console

EPILOG = """Rows, results, pictures and curves stay, and so do the files of scripts. Without its
weights a run cannot be sampled, exported, extended or measured by further metrics. Runs that are
not done, that are being trained, or that another sweep has and has not given up are left as they
are.
"""


@dataclass
class Cleaning:
    """What is to be removed. rows: the runs by row; left: runs that are left, by the reason."""

    rows: dict[int, list[Run]] = field(default_factory=dict)
    left: dict[str, list[str]] = field(default_factory=dict)
    given_up: set[str] = field(default_factory=set)

    def leave(self, run_id: str, why: str) -> None:
        self.left.setdefault(why, []).append(run_id)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m gansweep clean",
        description="Remove the weights of a sweep's rows, except those of the best ones. All that "
        "would be removed is listed first.",
        epilog=EPILOG,
    )
    add = parser.add_argument
    add("sweep", help=SWEEP)
    add(
        "--keep", type=int, required=True, metavar="N",
        help="keep the weights of the N best rows of each picture column",
    )  # fmt: skip
    add("--yes", action="store_true", help="remove without asking")
    add("--out", default=DEFAULTS["out"], help="folder of runs (default %(default)s)")
    args = parser.parse_args(argv)
    with one_line_errors():
        if args.keep < 0:
            raise UserError(f"--keep {args.keep}: the number of rows is 0 or more")
        manifest = read_manifest(args.out, find_sweep(args.sweep, args.out))
        cleaning = choose(manifest, args.out, args.keep)
        _list(manifest, cleaning, args.keep)
        if cleaning.rows and (args.yes or _agreed()):
            _remove(manifest, cleaning, args.out)


def choose(manifest: Manifest, out: str, keep: int) -> Cleaning:
    """Return what is to be removed. Raises UserError if rows are to be kept and none has a rank."""
    results = collect([manifest], Reader(out))
    columns = picture_columns(results, out)
    if keep and not any(column.ranked for column in columns):
        raise UserError(
            f"no row of {manifest.name} has been evaluated, so none is the best to keep"
        )
    kept = {
        run_id
        for column in columns
        for row in column.ranked[:keep]
        for run_id in manifest.rows[row.number].runs.get(column.heading, [])
    }
    elsewhere = _needed_elsewhere(manifest.name, out)
    cleaning = Cleaning()
    seen: set[str] = set()
    for number, row in enumerate(manifest.rows):
        for run_id in (run_id for runs in row.runs.values() for run_id in runs):
            run = Run(out, run_id)
            if run_id in kept or run_id in seen:
                continue
            seen.add(run_id)
            cleaning.given_up.add(run_id)
            status = run.status()
            if not weight_files(run):
                continue
            if status != "done":
                cleaning.leave(run_id, f"{status}")
            elif run_id in elsewhere:
                cleaning.leave(run_id, f"also in {elsewhere[run_id]}")
            else:
                cleaning.rows.setdefault(number, []).append(run)
    return cleaning


def _needed_elsewhere(name: str, out: str) -> dict[str, str]:
    """Return the runs that other sweeps have and have not given up, with the name of one."""
    found: dict[str, str] = {}
    for other in sweeps_by_time(out):
        if other != name:
            needed = all_runs(read_manifest(out, other)) - given_up(out, other)
            found |= dict.fromkeys(needed, other)
    return found


def _list(manifest: Manifest, cleaning: Cleaning, keep: int) -> None:
    """Print each row with its runs and sizes, the runs that are left, and the sum."""
    best = f"the {keep} best" if keep else "none"
    console.print(f"clean {manifest.name}: {len(manifest.rows)} rows, keeps the weights of {best}")
    total = 0
    for number, runs in cleaning.rows.items():
        size = size_of(path for run in runs for path in weight_files(run))
        total += size
        console.print(f"  row {number}  {shown_size(size)}  {', '.join(run.id for run in runs)}")
    for why, run_ids in cleaning.left.items():
        console.print(f"  left ({why}): {', '.join(run_ids)}")
    count = sum(map(len, cleaning.rows.values()))
    console.print(
        f"to remove: {shown_size(total)} of weights in {count} run{'s' * (count > 1)}; rows and "
        "pictures stay"
        if count
        else "nothing to remove"
    )


def _agreed() -> bool:
    """Ask on a terminal whether to remove, and return the answer; elsewhere name --yes."""
    if not (console.is_terminal and sys.stdin is not None and sys.stdin.isatty()):
        console.print("nothing was removed: add --yes")
        return False
    try:
        agreed = console.input("remove these weights? [y/N] ", markup=False).strip().lower() in (
            "y",
            "yes",
        )
    except EOFError:
        agreed = False
    if not agreed:
        console.print("nothing was removed")
    return agreed


def _remove(manifest: Manifest, cleaning: Cleaning, out: str) -> None:
    """Remove the weights, and print how much was removed."""
    give_up(out, manifest.name, cleaning.given_up)
    removed = 0
    for run in (run for runs in cleaning.rows.values() for run in runs):
        try:
            removed += remove_weights(run)
        except Held:
            console.print(f"  left (being trained): {run.id}")
    console.print(f"removed {shown_size(removed)}")
