"""How a factor moves from 1 at a run's first step to its value at the last step."""

from __future__ import annotations

import math


def factor(form: str, end: float, step: int, steps: int) -> float:
    """Return the factor of step `step`, counted from 0, of `steps`: 1 at first, `end` at last.

    form: `linear`, or `cosine` (half a period, Loshchilov & Hutter 2017).
    """
    if end == 1 or steps < 2:
        return 1.0
    progress = min(step / (steps - 1), 1.0)
    if form == "cosine":
        progress = (1 - math.cos(math.pi * progress)) / 2
    return 1 + (end - 1) * progress
