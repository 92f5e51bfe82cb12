"""Find results whose training ended too early, and the command that trains longer."""

from __future__ import annotations

import shlex
from itertools import pairwise
from typing import Any

from gansweep.config import DEFAULTS
from gansweep.report.table.collect import Results
from gansweep.report.table.outcome import Outcome
from gansweep.store.check import is_number

IMPROVING = "still improving"


def cut_off(results: Results) -> list[str]:
    """Count the results that were still improving at the end of training.

    Returns one sentence, with the command that trains longer, or no sentence if there are none.
    """
    cells = [cell for row in results.rows for cell in row.cells.values() if cell.judged]
    early = [cell for cell in cells if any(map(_improving, cell.judged))]
    if not early:
        return []
    sentence = (
        f"{len(early)} of {len(cells)} results were {IMPROVING} when training ended, and may "
    )
    sentence += "rank differently after more training"
    longer = longer_command(results, [run for cell in early for run in cell.judged])
    return [f"{sentence}: {longer}" if longer else sentence]


def _improving(run: Outcome) -> bool:
    return run.alive and run.equilibrium is not None and run.equilibrium["label"] == IMPROVING


def longer_command(results: Results, runs: list[Outcome], *, best_only: bool = True) -> str:
    """Return the command that trains these runs twice as long.

    Runs that `extend` can continue are continued; of a search, if `best_only`, only those of
    its best rows. Others are trained anew, under another name, as a study cannot change its length.
    Returns an empty text for several commands, for runs of different or undefined length, such as
    those of a script whose command has no {steps}, and for what no command of a sweep trains.
    """
    params = [run.config.get("params", {}) if run.config else {} for run in runs]
    budgets = {(_whole(p.get("epochs")), _whole(p.get("steps"))) for p in params}
    endless = any(p.get("command") and "{steps}" not in p["command"] for p in params)
    if len(results.commands) != 1 or len(budgets) != 1 or endless:
        return ""
    epochs, steps = budgets.pop()
    if not epochs and not steps:
        return ""
    name, length = ("steps", 2 * steps) if steps else ("epochs", 2 * epochs)
    words = _split(results.commands[0])
    if all(map(_can_be_extended, params)):
        top = ["--top", "3"] if results.search and best_only else []
        longer = ["python", "-m", "gansweep", "extend", results.name, f"--{name}", str(length)]
        return shlex.join([*longer, *top, *places(results.commands[0])])
    if not {"-m", "--multirun"} & set(words[2:]):  # the command names the sweep itself
        return ""
    words = [w for w in words if not w.startswith(("epochs=", "steps=", "name="))]
    return shlex.join([*words, f"{name}={length}", f"name={results.name}-{name}-{length}"])


def _can_be_extended(params: dict[str, Any]) -> bool:
    """Return whether `extend` continues such a run. It refuses schedules and runs ended early."""
    schedule = any(params.get(n, DEFAULTS[n]) != DEFAULTS[n] for n in ("lr_end", "penalty_end"))
    script = params.get("command")
    resumes = not script or "{resume}" in script
    return resumes and not schedule and not params.get("early_stop")


def _split(command: str) -> list[str]:
    """Return the words of a recorded command; none of a damaged one."""
    try:
        return shlex.split(command)
    except ValueError:
        return []


def places(command: str) -> list[str]:
    """Return the options for the folders that a command names, as `out=o` or `--out o`."""
    words = _split(command)
    found: list[str] = []
    for name in ("out", "reports"):
        typed = [w.partition("=")[2] for w in words if w.startswith((f"{name}=", f"--{name}="))]
        typed += [b for a, b in pairwise(words) if a == f"--{name}"]
        found += [f"--{name}", typed[-1]] if typed else []
    return found


def _whole(value: object) -> int:
    """Return a number of epochs or steps of a record; 0 for anything else."""
    return value if isinstance(value, int) and is_number(value, int) else 0
