"""Find results whose training ended too early, and the command that trains longer."""

from __future__ import annotations

import shlex

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
    longer = longer_command(results.commands, [run for cell in early for run in cell.judged])
    return [f"{sentence}: {longer}" if longer else sentence]


def _improving(run: Outcome) -> bool:
    return run.alive and run.equilibrium is not None and run.equilibrium["label"] == IMPROVING


def longer_command(commands: list[str], runs: list[Outcome]) -> str:
    """Return the sweep's command with twice the epochs or steps of the runs.

    Returns an empty text for several commands, and for runs of different or undefined length, such
    as those of a script whose command has no {steps}.
    """
    params = [run.config.get("params", {}) if run.config else {} for run in runs]
    budgets = {(_whole(p.get("epochs")), _whole(p.get("steps"))) for p in params}
    endless = any(p.get("command") and "{steps}" not in p["command"] for p in params)
    if len(commands) != 1 or len(budgets) != 1 or endless:
        return ""
    epochs, steps = budgets.pop()
    given = ("epochs=", "steps=")
    words = [w for w in shlex.split(commands[0]) if not w.startswith(given)]
    if steps:
        words.append(f"steps={2 * steps}")
    elif epochs:
        words.append(f"epochs={2 * epochs}")
    else:
        return ""
    return shlex.join(words)


def _whole(value: object) -> int:
    """Return a number of epochs or steps of a record; 0 for anything else."""
    return value if isinstance(value, int) and is_number(value, int) else 0
