"""Find runs by id, by folder or by row of a sweep, and sweeps by name."""

from __future__ import annotations

import re
from pathlib import Path

from gansweep.store.errors import UserError, choices_hint
from gansweep.store.manifest import RUN_NAME, read_manifest
from gansweep.store.run import RUN_ID, Run

BEST = "best"
TRIAL = "trial"  # the fact of a row of a search
WAYS = (
    "a run's id or a prefix of its id, its folder, SWEEP/ROW as the table numbers it, SWEEP/trial7 "
    f"for trial 7 of a search, or SWEEP/{BEST}"
)

LATEST = "latest"
SWEEP = f"the sweep's name, a prefix of its name, or {LATEST}"


def find_sweep(text: str, out: str | Path) -> str:
    """Return the name of the sweep that `text` names (see SWEEP).

    If there is none, `text` is returned, which `read_manifest` refuses. Raises UserError if the
    names of several sweeps start with `text`.
    """
    known = sweeps_by_time(out)
    if text in known:
        return text
    if text == LATEST and known:
        return known[-1]
    matching = [name for name in known if text and name.startswith(text)]
    if len(matching) > 1:
        several = ", ".join(reversed(matching[-6:]))
        raise UserError(
            f"{text}: {len(matching)} sweeps have this prefix, the latest first: {several}"
        )
    return matching[0] if matching else text


def sweeps_by_time(out: str | Path) -> list[str]:
    """Return the names of all sweeps, in the order of the times when they were last planned."""
    found = (Path(out) / "sweeps").glob("*/manifest.json")
    return [name for _, name in sorted((p.stat().st_mtime_ns, p.parent.name) for p in found)]


def by_row(text: str, out: str | Path) -> str:
    """Return SWEEP/ROW for the trial of a search that `text` names as SWEEP/trial7; else `text`.

    The rows of a search are in the order of their ranks, so that a row is not the trial of its
    number. Raises UserError if the sweep has no such trial.
    """
    sweep, _, last = text.rpartition("/")
    if not (found := re.fullmatch(r"trial[ -]?(\d+)", last)):
        return text
    name = find_sweep(sweep, out)
    if name not in sweeps_by_time(out):
        return text
    trials = [row.facts.get(TRIAL) for row in read_manifest(out, name).rows]
    if found[1] not in trials:
        known = sorted(int(trial) for trial in trials if trial and trial.isdigit())
        has = f"the trials of {name} are {known[0]} to {known[-1]}" if known else "it is no search"
        raise UserError(f"{text}: no such trial; {has}")
    return f"{name}/{trials.index(found[1])}"


def trial_of(text: str, out: str | Path) -> str:
    """Return `row 7 is trial 2` if `text` names a row of a search by its number, else nothing."""
    sweep, slash, row = text.rpartition("/")
    name = find_sweep(sweep, out) if slash and row.isdigit() else ""
    if name not in sweeps_by_time(out):
        return ""
    rows = read_manifest(out, name).rows
    trial = rows[int(row)].facts.get(TRIAL) if int(row) < len(rows) else None
    return f"row {int(row)} is trial {trial}" if trial is not None else ""


def find_runs(text: str, out: str | Path) -> list[Run]:
    """Return the run or the runs of the row that `text` names (see WAYS).

    SWEEP/best needs the ranking of a report; see `report.table.address`. Raises UserError if there
    is none, or if the ids of several runs start with `text`.
    """
    text = by_row(text, out)
    sweep, slash, row = text.rpartition("/")
    if slash and row.isdigit():
        sweep = find_sweep(sweep, out)
        if sweep in sweeps_by_time(out):
            return _runs_of_row(sweep, int(row), out)
    folder = Path(text)
    if (folder / "config.json").exists():
        resolved = folder.resolve()
        if not RUN_NAME.fullmatch(resolved.name):
            raise UserError(f"{text} is no run's folder, as its name is no run's id")
        return [Run(resolved.parent.parent, resolved.name)]
    runs = Path(out) / "runs"
    known = sorted(path.name for path in runs.glob("*-s*") if _is_run(path))
    matching = [name for name in known if name == text] or [
        name for name in known if text and name.startswith(text)
    ]
    if len(matching) == 1:
        return [Run(out, matching[0])]
    if matching:
        raise UserError(f"{text}: {len(matching)} runs have this prefix: {', '.join(matching[:6])}")
    if (sweep := find_sweep(text, out)) in sweeps_by_time(out):
        raise UserError(
            f"{sweep} is a sweep: {sweep}/0 names the runs of its row 0, {sweep}/{BEST} the best"
        )
    if not known:
        raise UserError(f"{text}: there are no runs in {runs}; --out names their folder")
    hint = choices_hint(text, known) if len(known) <= 12 else f"{len(known)} runs are in {runs}"
    raise UserError(f"no run {text!r} ({WAYS}); {hint}")


def _is_run(path: Path) -> bool:
    return path.is_dir() and RUN_NAME.fullmatch(path.name) is not None


def _runs_of_row(sweep: str, number: int, out: str | Path) -> list[Run]:
    """Return the runs of a row. Raises UserError if the row is missing or has no runs."""
    manifest = read_manifest(out, sweep)
    if number >= len(manifest.rows):
        raise UserError(f"{sweep}/{number}: the rows of {sweep} are 0 to {len(manifest.rows) - 1}")
    row = manifest.rows[number]
    found = [Run(out, run_id) for runs in row.runs.values() for run_id in runs]
    if not found:
        reasons = "; ".join(dict.fromkeys(row.invalid.values()))
        raise UserError(f"{sweep}/{number} has no runs: {reasons}")
    return found


def check_planned(out: str, run_id: str) -> None:
    """Raise UserError unless the run is planned, so that a wrong id does not create a folder."""
    if not RUN_ID.fullmatch(str(run_id)) or not Run(out, str(run_id)).config.exists():
        raise UserError(f"run_id={run_id}: no planned run in {Path(out) / 'runs'}")
