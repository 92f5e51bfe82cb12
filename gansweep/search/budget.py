"""How long a search may last, `budget=2h`, and what it may gain by further time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gansweep.store.errors import UserError

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MIN_TRIALS = 5  # complete ones, from which an expected gain is told
UNLIMITED = 1_000_000  # trials of a search that only its time ends


def seconds_of(text: str) -> float:
    """Return the seconds of a text such as `90s`, `1.5h` or `1d`. Raises UserError for others."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", text.strip())
    if match is None or not float(match[1]):
        raise UserError(f"budget={text}: write a time with its unit, as in budget=30m or budget=2h")
    return float(match[1]) * UNITS[match[2]]


def further_gain(trials: Sequence[FrozenTrial], minimize: bool, label: str) -> str:
    """Return in words what another hour of a search is expected to gain at most.

    trials: the complete trials that can be the best; label: the name of the objective. The time is
    an hour, or half of the search's if that is shorter. The expected best of k trials improves ever
    more slowly with k. So m further trials, if they are like those so far, gain no more than the
    step from n − m to n trials. Returns an empty text for fewer than MIN_TRIALS trials.
    """
    ends = [t.datetime_complete.timestamp() for t in trials if t.datetime_complete]
    starts = [t.datetime_start.timestamp() for t in trials if t.datetime_start]
    if len(ends) < MIN_TRIALS or not len(starts) == len(ends) == len(trials):
        return ""
    from gansweep.report.plots.study import expected_best

    span = min(UNITS["h"], (max(ends) - min(starts)) / 2)
    more = sum(end > max(ends) - span for end in ends)
    values = expected_best([t.values[0] for t in trials], minimize)
    before = values[len(values) - 1 - more] if more < len(values) else values[0]
    gain = abs(values[-1] - before)
    time = "another hour" if span == UNITS["h"] else f"another {span / 60:.1f} minutes"
    return (
        f"{time}, about {more} trials like these, would improve the best {label} by {gain:.3g} at "
        "most, on average"
    )
