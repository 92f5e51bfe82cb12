"""Find the runs that a user names: by id, by folder, by the row of a sweep, or as its best row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gansweep.report.table.collect import Reader, Results, collect
from gansweep.report.table.picture_column import PictureColumn, picture_columns
from gansweep.store.errors import UserError, choices_hint
from gansweep.store.find_run import (
    BEST,
    WAYS,
    by_row,
    find_runs,
    find_sweep,
    sweeps_by_time,
    trial_of,
)
from gansweep.store.manifest import read_manifest
from gansweep.store.run import Run

ONE = f"{WAYS}; of a sweep, by its name, the best run"
ON = "the picture column, if rows are trained on several data sets (default: the first)"


@dataclass(frozen=True)
class Named:
    """One run, and the row by which it was named; `sweep` is empty for a run named by itself."""

    run: Run
    sweep: str = ""
    row: int = 0
    picture: str = ""
    trial: str = ""  # of a search: `row 7 is trial 2`

    @property
    def title(self) -> str:
        """The run in words: `run 1f2e3d4c5b-s1 (row 3 of lr-beta1, Number Output)`."""
        number = self.trial.replace(" is ", ", ") or f"row {self.row}"
        place = f" ({number} of {self.sweep}, {self.picture})" if self.sweep else ""
        return f"run {self.run.id}{place}"


def runs_of(text: str, out: str | Path) -> list[Run]:
    """Return the runs that `text` names (see WAYS): those of a row, the best run, or one run.

    Raises UserError if there is none, or if the ids of several runs start with `text`.
    """
    sweep, _, row = text.rpartition("/")
    if row == BEST and (name := find_sweep(sweep, out)) in sweeps_by_time(out):
        return [best_of([name], out).run]
    return find_runs(text, out)


def runs_named(text: str, out: str | Path) -> list[Run]:
    """Return the runs that `text` names: those of a sweep, of a row, or one run.

    Raises UserError if there is none, or if several sweeps or runs start with `text`.
    """
    if "/" not in text and (sweep := find_sweep(text, out)) in sweeps_by_time(out):
        rows = read_manifest(out, sweep).rows
        named = (run_id for row in rows for ids in row.runs.values() for run_id in ids)
        return [Run(out, run_id) for run_id in dict.fromkeys(named)]
    return runs_of(text, out)


def one_run(text: str, out: str | Path, on: str | None = None) -> Named:
    """Return the one run that `text` names (see ONE).

    Of the runs of a row, it is the best one of the picture column `on`; of a sweep, the best of
    all. Raises UserError if there is none.
    """
    text = by_row(text, out)
    sweep, slash, row = text.rpartition("/")
    name = find_sweep(sweep if slash and (row == BEST or row.isdigit()) else text, out)
    if name in sweeps_by_time(out):
        if slash and row.isdigit():
            return _of_row(text, name, int(row), out, on)
        if row == BEST or not slash:
            return best_of([name], out, on)
    (run,) = find_runs(text, out)
    return Named(run)


def best_of(names: Sequence[str], out: str | Path, on: str | None = None) -> Named:
    """Return the best run of the best row of sweeps that are taken together.

    on: the picture column that ranks the rows, by default the first. Runs with a severe flag, such
    as collapsed, do not count. Raises UserError if no run is left.
    """
    report = collect([read_manifest(out, name) for name in names], Reader(out))
    check_picture(on, report)
    column = next(c for c in picture_columns(report, out) if on in (None, c.heading))
    alive = [row for row in column.ranked if column.alive(row)]
    if not alive:
        found = f"all {len(column.ranked)} evaluated rows have a severe flag"
        which = found if column.ranked else "no row has been evaluated"
        raise UserError(
            f"{'+'.join(names)} has no best row on {column.heading}: {which}; SWEEP/ROW names a row"
        )
    row = alive[0]
    trial = trial_of(f"{row.sweep}/{row.number}", out)
    return Named(column.run(column.judged(row)[0]), row.sweep, row.number, column.heading, trial)


def check_picture(on: str | None, report: Results) -> None:
    """Raise UserError if there is no picture column `on`."""
    if on is not None and on not in report.pictures:
        raise UserError(f"on={on!r}: {choices_hint(on, report.pictures)}")


def _of_row(text: str, sweep: str, number: int, out: str | Path, on: str | None) -> Named:
    """Return the best run of a row, or a finished one if none was judged."""
    find_runs(text, out)  # raises UserError if there is no such row, or if it has no runs
    manifest = read_manifest(out, sweep)
    row = Reader(out).row(manifest, number)
    having = [heading for heading in manifest.pictures if row.cells[heading].runs]
    if on is not None and on not in having:
        raise UserError(f"on={on!r}: {choices_hint(on, having)}")
    heading = on or having[0]
    shown = PictureColumn(heading, out, [row], []).shown(row)
    trial = trial_of(f"{sweep}/{number}", out)
    return Named(Run(out, shown.run_id), sweep, number, heading, trial)
