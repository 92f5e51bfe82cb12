"""The words under the pictures of the gallery, and the legend that explains them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gansweep.plugins import METRICS
from gansweep.report.table.cell import TIE, Cell
from gansweep.report.table.judged import remainder
from gansweep.report.table.outcome import Outcome
from gansweep.training.metrics.equilibrium import FLAGS, RETIRED_FLAGS, flag_of


class Course(NamedTuple):
    """The course of the metric after its best step: the words of the page, and their meaning."""

    words: str
    meaning: str


# By the label of an equilibrium. On a page, "still improving" alone is read as "still running".
COURSES = {
    "still improving": Course(
        "was still improving",
        "the value was still getting better when the training ended, so more steps may help",
    ),
    "plateau": Course("plateau", "the value stayed near its best until the training ended"),
    "degraded after": Course(
        "worse afterwards", "the value was worse at the end than at the best step"
    ),
}
BEST_STEP = "best at"  # these words begin the place of the best step


def short(label: str) -> str:
    """Return the label of a metric without what stands in parentheses: `FD` for `FD (LeNet)`."""
    return label.partition(" (")[0]


def steps_of(run: Outcome) -> int | None:
    """Return the number of steps of a run; None if it is not known."""
    found = run.result.get("steps") if run.result else None
    if found is None and run.config:
        found = run.config["identity"].get("steps")
    return found if isinstance(found, int) else None


def words_of(run: Outcome) -> list[str]:
    """Return what the page says of a judged run after its value, each item for itself.

    For example `best at step 540 of 600`, `worse afterwards`, `collapsed`.
    """
    words = []
    equilibrium = run.equilibrium
    if equilibrium and equilibrium["step"] > 0:
        step, steps = equilibrium["step"], steps_of(run)
        place = f"its end, step {step}" if step == steps else f"step {step}"
        words.append(f"{BEST_STEP} {place}" + (f" of {steps}" if steps and step < steps else ""))
        if course := COURSES.get(equilibrium["label"]):
            words.append(course.words)
    # The second opinion and the averages stand in parentheses at the end of the remainder.
    rest = remainder(run.judge) if run.judge else []
    return [*words, *run.marks, *(part for part in rest if part.startswith("("))]


def legend(cells: Sequence[Cell], rated: bool = False) -> list[list[str]]:
    """Return [word, meaning] of all words that the page shows for these cells.

    rated: whether rows were ranked by eye.
    """
    runs = [run for cell in cells for run in cell.judged]
    entries = []
    for name in dict.fromkeys(run.primary for run in runs):
        metric = METRICS.entry(name)
        explained = f"{metric.help.rstrip('.')}; {METRICS.better(name)}"
        entries.append([short(metric.label), f"{metric.label}: {explained}"])
    if len({id(cell) for cell in cells if cell.values}) > 1:
        meaning = "the rank in the column; a row that failed, collapsed or never learned has none"
        entries.append(["1.", meaning])
    if rated:
        entries.append(["by eye", "the rank by the votes of python -m gansweep rate"])
    if any(cell.mark == TIE for cell in cells):
        entries.append(["≈", "the difference from the best may be chance"])
    if any(run.equilibrium and run.equilibrium["step"] > 0 for run in runs):
        meaning = "the step with the best value; its weights are kept, and its picture is shown"
        entries.append([BEST_STEP, meaning])
    labels = {run.equilibrium["label"] for run in runs if run.equilibrium}
    entries += [list(course) for label, course in COURSES.items() if label in labels]
    found = {flag for run in runs for flag in run.flags}
    known = [*FLAGS, *RETIRED_FLAGS]
    for flag in (*(f for f in known if f in found), *sorted(found.difference(known))):
        entries.append([flag_of(flag).word, flag_of(flag).meaning])
    if any(run.outside for run in runs):
        meaning = "the trial does not meet the constraint of its search, and is never the best"
        entries.append(["violates", meaning])
    return entries
