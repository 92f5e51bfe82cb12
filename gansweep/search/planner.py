"""What a search asks of the rest: runs for a proposed setting, and whether it may go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from gansweep.launch.task import PlannedRun
from gansweep.store.records import EvaluationLine, Result
from gansweep.store.run import Run

if TYPE_CHECKING:
    import optuna


class Planner(Protocol):
    """Turns the settings that a study proposes into runs.

    metric: the name of the value in evaluations by which trials are pruned.
    """

    metric: str

    def propose(self, trial: optuna.Trial) -> dict[str, Any]:
        """Return the parameters of a trial, as the study's sampler suggests them."""
        ...

    def start(self, number: int) -> dict[str, Any] | None:
        """Return the settings of trial `number` of a new study, or None if the sampler proposes."""
        ...

    def plan(self, values: dict[str, Any]) -> list[PlannedRun]:
        """Write and return the runs of a setting. Pruning depends on the first run."""
        ...

    def measure(self, results: list[Result]) -> list[float]:
        """Return the objectives of a setting from the results of its runs, in the order of `plan`.

        The list is empty if a run does not have a value.
        """
        ...

    def early(self, run: Run, best: EvaluationLine) -> float | None:
        """Return the second objective of a run that is being trained; None if it is not known.

        best: its best evaluation so far.
        """
        ...

    def why_not_measured(self, results: list[Result]) -> str:
        """Return why `measure` finds no objectives in these results."""
        ...

    def violations(self, runs: list[Run]) -> dict[str, float]:
        """Return by how much finished runs violate each condition of the search's constraint."""
        ...

    def illustrate(self, trial: optuna.Trial, runs: list[Run]) -> None:
        """Add pictures and texts to a complete trial, for people who read the study."""
        ...


class Gate(Protocol):
    """Lets a search wait for something else than its trials, such as votes."""

    def opens(self) -> bool:
        """Return whether a further trial may be proposed, or the search may end."""
        ...

    def note(self) -> str:
        """Return a text for the live view."""
        ...
