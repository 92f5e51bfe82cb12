"""Searching: a study proposes settings, slots train them, the judge's answer is told to it.

No slot waits for another: whenever one is free, the next trial is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any, Protocol

from gansweep.launch.task import PlannedRun
from gansweep.plugins import as_loss
from gansweep.report.stored_study import (
    RUNS,
    UNCOUNTED,
    WHY,
    best_of,
    counted,
    feasible,
    sign_of,
)
from gansweep.report.table.text import format_value
from gansweep.search.study import Searcher, mark_dead
from gansweep.store.check import number
from gansweep.store.records import Result
from gansweep.store.run import Run
from gansweep.terminal.console import console
from gansweep.training.metrics.equilibrium import Evaluation, alive, is_collapsing

if TYPE_CHECKING:
    import optuna

TRIES = 50  # proposals in a row that are known already, after which the space seems exhausted


class Planner(Protocol):
    """Makes runs of a study's proposals.

    metric: the name of the value, in a run's evaluations, by which trials are pruned.
    """

    metric: str

    def propose(self, trial: optuna.Trial) -> dict[str, Any]:
        """The parameters of a trial."""
        ...

    def start(self, number: int) -> dict[str, Any] | None:
        """What the trial `number` of a new study tries, if that is not the sampler's choice."""
        ...

    def plan(self, values: dict[str, Any]) -> list[PlannedRun]:
        """The runs of a setting, their folders written; the first decides about the others."""
        ...

    def measure(self, results: list[Result]) -> list[float]:
        """The objectives of a setting from the results of its runs, in the order of `plan`.

        None of them if a run was not judged.
        """
        ...

    def illustrate(self, trial: optuna.Trial, runs: list[Run]) -> None:
        """Add to a trial that is done what a person wants to see of it."""
        ...


@dataclass
class Asked:
    """A trial that is being trained. waiting: runs to come after the first."""

    trial: optuna.Trial
    values: dict[str, Any]
    runs: list[PlannedRun]
    waiting: list[PlannedRun] = field(default_factory=list)
    open: set[str] = field(default_factory=set)
    reported: int = 0
    pruned: bool = False

    @property
    def title(self) -> str:
        shown = " ".join(f"{name}={format_value(value)}" for name, value in self.values.items())
        return f"trial {self.trial.number}  {shown}"


class Search:
    """Feeds the trials of a study to slots, and tells it what became of them."""

    def __init__(
        self,
        study: optuna.Study,
        planner: Planner,
        searcher: Searcher,
        *,
        trials: int,
        label: str = "value",
        on_told: Callable[[], None] = lambda: None,
    ) -> None:
        from optuna.pruners import NopPruner

        self.study = study
        self.planner = planner
        self.searcher = searcher
        self.trials = trials
        self.label = label
        self.on_told = on_told
        self.exhausted = False
        self._asked: dict[int, Asked] = {}
        self._of: dict[str, Asked] = {}  # by run
        self._reports = len(study.directions) == 1  # Optuna has no reports of two objectives
        self._prunes = self._reports and not isinstance(study.pruner, NopPruner)

    # --- What the slots ask ----------------------------------------------------------------------

    def more(self) -> bool:
        """May there be anything more to train?"""
        return not self.exhausted and self._left() > 0

    def next(self) -> PlannedRun | None:
        """A run for a free slot: of a trial that is under way, else of a new one; None for now."""
        for asked in self._asked.values():
            # The first run decides whether the others are worth their time.
            first = asked.runs[0].run.id
            if asked.waiting and not (self._prunes and first in asked.open):
                return asked.waiting.pop(0)
        for _ in range(TRIES):
            if not self.more():
                return None
            run = self._ask()
            if run is not None:
                return run
        if self._asked:
            return None  # what is under way may teach the sampler something new
        console.print("every setting that the sampler proposes has been tried: the search ends")
        self.exhausted = True
        return None

    def ended(self, run_id: str, outcome: str) -> None:
        """A run is `done`, `failed`, `pruned` or `stopped`."""
        asked = self._of.pop(run_id, None)
        if asked is None or asked.trial.number not in self._asked:
            return
        asked.open.discard(run_id)
        if outcome == "stopped":
            return  # the study is told when the search goes on, or by another search
        if outcome == "done":  # even if it was to be pruned
            if run_id == asked.runs[0].run.id:
                self._report(asked)
            if not asked.open and not asked.waiting:
                self._complete(asked)
            return
        asked.waiting.clear()
        if outcome == "pruned" or asked.pruned:
            self._tell(asked, "pruned")
        else:
            run = next(planned.run for planned in asked.runs if planned.run.id == run_id)
            self._tell(asked, run.why_failed())

    def hopeless(self) -> list[str]:
        """Report what the judge has seen since; returns the runs that are to be stopped."""
        self.searcher.beat([asked.trial for asked in self._asked.values()])
        return [
            asked.runs[0].run.id
            for asked in list(self._asked.values())
            if not asked.pruned and self._report(asked)
        ]

    def best(self) -> str:
        """For the live view."""
        trials = self.study.get_trials(deepcopy=False)
        good = [trial for trial in trials if feasible(trial)]
        if len(self.study.directions) > 1 or not any(trial.values for trial in trials):
            return ""
        if not good:
            return "none is alive yet"
        best = best_of(self.study, good)
        return f"best {self.label} {best.values[0]:,.4g} in trial {best.number}"

    # --- Trials ----------------------------------------------------------------------------------

    def _left(self) -> int:
        trials = self.study.get_trials(deepcopy=False)
        return self.trials - sum(counted(trial) for trial in trials)

    def _ask(self) -> PlannedRun | None:
        """Ask for a trial; None if it needs no training."""
        self._enqueue_start()
        trial = self.study.ask()
        self.searcher.claim(trial)
        before = self.study.get_trials(deepcopy=False)[: trial.number]
        if sum(counted(t) for t in before) >= self.trials:  # another search was quicker
            self._forget(trial, "another search had the last trial")
            return None
        values = self.planner.propose(trial)
        asked = Asked(trial, values, self.planner.plan(values))
        key = [planned.run.id for planned in asked.runs]
        trial.set_user_attr(RUNS, key)
        twin = next((t for t in before if t.user_attrs.get(RUNS) == key and counted(t)), None)
        if twin is not None:
            self._forget(trial, f"proposes what trial {twin.number} has")
            return None
        self._asked[trial.number] = asked
        todo = [p for p in asked.runs if not p.complete()]
        for planned in todo:
            planned.title = asked.title + _which(planned.title)
            self._of[planned.run.id] = asked
            asked.open.add(planned.run.id)
        if not todo:
            self._report(asked)
            self._complete(asked)
            return None
        asked.waiting = todo[1:]
        return todo[0]

    def _enqueue_start(self) -> None:
        """Let the next trial be one of those that a new study starts with."""
        trials = self.study.get_trials(deepcopy=False)
        if any(trial.state.name == "WAITING" for trial in trials):
            return  # those of a dead search come first
        start = self.planner.start(len(trials))
        if start is not None:
            self.study.enqueue_trial(start)

    def _forget(self, trial: optuna.Trial, why: str) -> None:
        from optuna.trial import TrialState

        trial.set_user_attr(WHY, why)
        trial.set_user_attr(UNCOUNTED, True)
        self.study.tell(trial, state=TrialState.FAIL)

    def _report(self, asked: Asked) -> bool:
        """Report the first run's best so far at each look. Returns whether that is hopeless.

        In percents of the budget. Values are those of the looks, of one data set: they rank runs
        as the objective does, and are never told as one.
        """
        run = asked.runs[0].run
        looks = run.read_evaluations()
        if len(looks) <= asked.reported:
            return False
        record = run.read_config()
        steps = max(1, record["identity"]["steps"]) if record else 1
        metric, sign = self.planner.metric, sign_of(self.study)
        best = sign * math.inf
        for place, look in enumerate(looks):
            value = number(look, metric)
            if value is not None:
                best = min(best, value, key=lambda v: sign * v)
            percent = round(100 * look["step"] / steps)
            if place < asked.reported or look["step"] == 0 or not math.isfinite(best):
                continue
            if self._reports:
                asked.trial.report(best, percent)
        asked.reported = len(looks)
        if not self._prunes or looks[-1]["step"] >= steps:
            return False
        collapsed = is_collapsing([Evaluation.of(look, metric) for look in looks], steps)
        if collapsed or asked.trial.should_prune():
            asked.pruned = True
            asked.trial.set_user_attr(
                WHY, f"{'collapsed' if collapsed else 'pruned'} at step {looks[-1]['step']}"
            )
        return asked.pruned

    def _complete(self, asked: Asked) -> None:
        results = [r for planned in asked.runs if (r := planned.run.read_result()) is not None]
        if len(results) < len(asked.runs):
            self._tell(asked, "its result.json is damaged: it has no distance")
            return
        judges = [judge for result in results if (judge := result.get("judge"))]
        found = sorted({flag for judge in judges for flag in judge["flags"]})
        if found:
            asked.trial.set_user_attr("flags", found)
        values = self.planner.measure(results)
        if not values:
            self._tell(asked, "another sweep trained it with judge=false, or without the metric")
            return
        mark_dead(asked.trial, 0.0 if alive(found) else self._violation(values[0]))
        self.planner.illustrate(asked.trial, [planned.run for planned in asked.runs])
        self._tell(asked, values=values)

    def _violation(self, value: float) -> float:
        """How far from being alive a dead trial is: as far as it is from a good one."""
        distance = as_loss(value, more_is_better=sign_of(self.study) < 0)
        return min(max(distance, 1e-9), 1e9)

    def _tell(self, asked: Asked, why: str = "", values: list[float] | None = None) -> None:
        from optuna.trial import TrialState

        trial = asked.trial
        del self._asked[trial.number]
        if values is None and why != "pruned":
            trial.set_user_attr(WHY, why)
        state = TrialState.COMPLETE if values else TrialState.FAIL
        if why == "pruned":
            state = TrialState.PRUNED
        told = self.study.tell(trial, values if values else None, state)
        said = why or f"{self.label} {', '.join(f'{v:,.4g}' for v in told.values or [])}"
        if told.state == TrialState.PRUNED:
            said = told.user_attrs[WHY]
        best = self.best()
        console.print(f"{asked.title}  {said}{f'  ({best})' if best else ''}")
        self.on_told()


def _which(title: str) -> str:
    """What tells a trial's runs apart, if there are several."""
    return f" {title}" if title else ""


def mean_distance(values: list[list[float]]) -> float:
    """One number of the distances on several data sets, seeds within: their geometric mean.

    Ranks among the trials would be fairer still, but each new trial would change those of all
    others, and a study keeps what it was told.
    """
    means = [fmean(of_one) for of_one in values]
    if len(means) == 1:
        return means[0]
    return math.exp(fmean(math.log(max(mean, 1e-9)) for mean in means))
