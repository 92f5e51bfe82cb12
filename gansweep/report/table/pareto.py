"""Find the Pareto front of the trials of a search with two objectives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial


def pareto_front(study: optuna.Study, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Return the trials that no other trial surpasses in both objectives.

    They are ordered by the first objective, the best first. Of equal trials only one is returned.
    """
    x, y = (1 if direction.name == "MINIMIZE" else -1 for direction in study.directions)
    front: list[FrozenTrial] = []
    for trial in sorted(trials, key=lambda t: (x * t.values[0], y * t.values[1])):
        if not front or y * trial.values[1] < y * front[-1].values[1]:
            front.append(trial)
    return front
