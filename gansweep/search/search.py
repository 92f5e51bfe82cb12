"""Runs a search: a study proposes settings, slots train them, and the study gets the results.

No slot waits for another slot: whenever one is free, the study is asked for the next trial.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gansweep.launch.task import PlannedRun
from gansweep.plugins import as_loss
from gansweep.report.stored_study import (
    RUNS,
    UNCOUNTED,
    WHY,
    best_of,
    constrained,
    counted,
    feasible,
    sign_of,
    violated,
)
from gansweep.report.table.text import format_value
from gansweep.search.planner import Gate, Planner
from gansweep.search.rungs import FrontPruner
from gansweep.search.samplers import has_named_constraints
from gansweep.search.study import SearchProcess, fail_abandoned_trials, set_constraints
from gansweep.store.check import number
from gansweep.terminal.console import console
from gansweep.training.metrics.equilibrium import Evaluation, alive, is_collapsing

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

PLANNING = 5.0  # seconds that another search may need to plan the runs of a trial
MAX_KNOWN_PROPOSALS = 50  # in a row, after which the space counts as exhausted


@dataclass
class ActiveTrial:
    """A trial that is being trained.

    runs: all runs of the trial; waiting: the runs that no slot has taken; open: the ids of the runs
    that have not ended; reported: the number of evaluations that were reported.
    """

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
    """Gives the trials of a study to slots, and the results of the runs to the study."""

    def __init__(
        self,
        study: optuna.Study,
        planner: Planner,
        process: SearchProcess,
        *,
        trials: int,
        label: str = "value",
        second: str = "",
        seconds: float = math.inf,
        on_result: Callable[[], None] = lambda: None,
        gate: Gate | None = None,
    ) -> None:
        """trials: the number of trials of the study; label, second: the names of the objectives;
        seconds: the time after which no trial is started; on_result: called after each trial;
        gate: has to open before a further trial, and before the end; None: it is always open."""
        from optuna.pruners import NopPruner

        self.study = study
        self.planner = planner
        self.process = process
        self.trials = trials
        self.label = label
        self.second = second
        self.on_result = on_result
        self.gate = gate
        self.exhausted = False
        self._until = time.monotonic() + seconds
        self._active: dict[int, ActiveTrial] = {}  # by the number of the trial
        self._active_by_run: dict[str, ActiveTrial] = {}
        self._never_planned: set[int] = set()  # trials for whose runs this has waited in vain
        self._reports = len(study.directions) == 1  # Optuna allows no reports of two objectives
        # The TPE sampler of Optuna 4 fails on pruned trials without values.
        prunable = self._reports or has_named_constraints()
        self._prunes = prunable and not isinstance(study.pruner, NopPruner)
        self._fronts = None if self._reports else FrontPruner(study)

    # --- The feed of the slots -------------------------------------------------------------------

    def more(self) -> bool:
        """Return whether there may be more runs to train."""
        if any(active.waiting for active in self._active.values()):
            return True
        if self.exhausted or time.monotonic() >= self._until:
            return False
        return self._left() > 0 or not self._is_open()

    def next(self) -> PlannedRun | None:
        """Return a run for a free slot, or None if there is no run at present.

        The runs of active trials come before new trials."""
        for active in self._active.values():
            # The first run may prune the trial, so the other runs wait for its end.
            first = active.runs[0].run.id
            if active.waiting and not (self._prunes and first in active.open):
                return active.waiting.pop(0)
        if not self._is_open():
            return None
        for _ in range(MAX_KNOWN_PROPOSALS):
            if not self.more():
                return None
            run = self._ask()
            if run is not None:
                return run
        if self._active:
            return None  # the results of the active trials may lead the sampler to new settings
        console.print("the search ends, as the sampler proposes only settings that have been tried")
        self.exhausted = True
        return None

    def ended(self, run_id: str, outcome: str) -> None:
        """Process the end of a run. outcome: `done`, `failed`, `pruned` or `stopped`."""
        active = self._active_by_run.pop(run_id, None)
        if active is None or active.trial.number not in self._active:
            return
        active.open.discard(run_id)
        with self._unless_lost(active):
            self._ended(active, run_id, outcome)

    def _ended(self, active: ActiveTrial, run_id: str, outcome: str) -> None:
        if outcome == "stopped":  # the trial is finished when the search is resumed, or by another
            self.process.release(active.trial)
            return
        if outcome == "done":  # even if it was to be pruned
            if run_id == active.runs[0].run.id:
                self._report(active)
            if not active.open and not active.waiting:
                self._complete(active)
            return
        active.waiting.clear()
        if outcome == "pruned" or active.pruned:
            self._finish(active, "pruned")
        else:
            run = next(planned.run for planned in active.runs if planned.run.id == run_id)
            self._finish(active, run.why_failed())

    def runs_to_prune(self) -> list[str]:
        """Report new evaluations to the study. Returns the ids of the runs to stop."""
        if self.process.heartbeat([active.trial for active in self._active.values()]):
            fail_abandoned_trials(self.study)  # of searches on other machines
        stopped = []
        for active in list(self._active.values()):
            with self._unless_lost(active):
                if not active.pruned and self._report(active):
                    stopped.append(active.runs[0].run.id)
        return stopped

    def best(self) -> str:
        """Return a text about the best trial for the live view."""
        return self.gate.note() if self.gate else best_text(self.study, self.label)

    def _is_open(self) -> bool:
        return self.gate is None or self.gate.opens()

    @contextmanager
    def _unless_lost(self, active: ActiveTrial) -> Iterator[None]:
        """Give up a trial that another search has taken for abandoned, and repeats."""
        try:
            yield
        except (RuntimeError, ValueError):  # Optuna's, for a trial that is finished
            number = active.trial.number
            if self.study.get_trials(deepcopy=False)[number].state.name == "RUNNING":
                raise
            self._active.pop(number, None)
            console.print(f"{active.title}  was taken over by another search")

    # --- Trials ----------------------------------------------------------------------------------

    def _left(self) -> int:
        trials = self.study.get_trials(deepcopy=False)
        return self.trials - sum(counted(trial) for trial in trials)

    def _ask(self) -> PlannedRun | None:
        """Ask the study for a trial. Returns its first run, or None if it needs no training."""
        self._enqueue_start()
        trial = self.study.ask()
        self.process.claim(trial)
        before = self.study.get_trials(deepcopy=False)[: trial.number]
        if sum(counted(t) for t in before) >= self.trials:  # another search was quicker
            self._discard(trial, "another search had the last trial")
            return None
        values = self.planner.propose(trial)
        active = ActiveTrial(trial, values, self.planner.plan(values))
        run_ids = [planned.run.id for planned in active.runs]
        trial.set_user_attr(RUNS, run_ids)
        equal = self._equal(trial.number, run_ids)
        if equal is not None:
            self._discard(trial, f"proposes what trial {equal.number} has")
            return None
        self._active[trial.number] = active
        unfinished = [p for p in active.runs if not p.complete()]
        for planned in unfinished:
            planned.title = active.title + _suffix(planned.title)
            self._active_by_run[planned.run.id] = active
            active.open.add(planned.run.id)
        if not unfinished:
            self._report(active)
            self._complete(active)
            return None
        active.waiting = unfinished[1:]
        return unfinished[0]

    def _equal(self, number: int, run_ids: list[str]) -> FrozenTrial | None:
        """Return the trial before trial `number` that has the same runs and counts, or None.

        Another search may be planning such a trial at this moment, so this waits for its runs.
        """
        end = time.monotonic() + PLANNING
        while True:
            before = self.study.get_trials(deepcopy=False)[:number]
            for trial in before:
                if trial.user_attrs.get(RUNS) == run_ids and counted(trial):
                    return trial
            unplanned = {
                t.number
                for t in before
                if t.state.name == "RUNNING" and not {RUNS, UNCOUNTED} & t.user_attrs.keys()
            }
            if unplanned <= self._never_planned:
                return None
            if time.monotonic() > end:
                self._never_planned |= unplanned
                return None
            time.sleep(0.02)

    def _enqueue_start(self) -> None:
        """Enqueue the setting that the planner has for the next trial, if any."""
        trials = self.study.get_trials(deepcopy=False)
        if any(trial.state.name == "WAITING" for trial in trials):
            return  # the trials of a killed search come first
        start = self.planner.start(len(trials))
        if start is not None:
            self.study.enqueue_trial(start)

    def _discard(self, trial: optuna.Trial, why: str) -> None:
        """Fail a trial that does not count as one of the search."""
        from optuna.trial import TrialState

        trial.set_user_attr(WHY, why)
        trial.set_user_attr(UNCOUNTED, True)
        self.study.tell(trial, state=TrialState.FAIL)

    def _report(self, active: ActiveTrial) -> bool:
        """Report the best value so far at each new evaluation. Returns whether to prune the trial.

        A second objective is that of the evaluation with the best value.

        Only the first run reports. The step of a report is the percentage of the run's steps. Its
        value, the distance of evaluations on one data set, ranks runs as the objective does but is
        never the objective.
        """
        run = active.runs[0].run
        evaluations = run.read_evaluations()
        if len(evaluations) <= active.reported:
            return False
        record = run.read_config()
        # The reports of a script whose number of steps is not known have its steps, not percent.
        known = record["identity"]["steps"] if record else None
        steps = known or 100
        metric, sign = self.planner.metric, sign_of(self.study)
        best, best_line, stops = sign * math.inf, evaluations[0], False
        for index, evaluation in enumerate(evaluations):
            value = number(evaluation, metric)
            if value is not None and sign * value < sign * best:
                best, best_line = value, evaluation
            percent = round(100 * evaluation["step"] / steps)
            if index < active.reported or evaluation["step"] == 0 or not math.isfinite(best):
                continue
            if self._fronts is None:
                active.trial.report(best, percent)
            elif self._prunes:
                second = self.planner.early(run, best_line)
                if second is not None:
                    stops |= self._fronts.stops(active.trial, percent, [best, second])
        active.reported = len(evaluations)
        step = evaluations[-1]["step"]
        if not self._prunes or (known and step >= known):
            return False
        collapsed = is_collapsing([Evaluation.of(e, metric) for e in evaluations], known or step)
        stops = stops if self._fronts is not None else active.trial.should_prune()
        if collapsed or stops:
            active.pruned = True
            cause = "collapsed" if collapsed else "pruned"
            active.trial.set_user_attr(WHY, f"{cause} at step {step}")
        return active.pruned

    def _complete(self, active: ActiveTrial) -> None:
        """Finish a trial whose runs are all done."""
        results = [r for planned in active.runs if (r := planned.run.read_result()) is not None]
        if len(results) < len(active.runs):
            self._finish(active, "the trial has no distance, as a result.json is damaged")
            return
        judges = [judge for result in results if (judge := result.get("judge"))]
        flags = sorted({flag for judge in judges for flag in judge["flags"]})
        if flags:
            active.trial.set_user_attr("flags", flags)
        values = self.planner.measure(results)
        if not values:
            self._finish(active, self.planner.why_not_measured(results))
            return
        runs = [planned.run for planned in active.runs]
        dead = 0.0 if alive(flags) else self._violation(values[0])
        set_constraints(active.trial, dead, self.planner.violations(runs))
        self.planner.illustrate(active.trial, runs)
        self._finish(active, values=values)

    def _violation(self, value: float) -> float:
        """Return how far a trial that is not alive violates this constraint, which is its loss."""
        loss = as_loss(value, more_is_better=sign_of(self.study) < 0)
        return min(max(loss, 1e-9), 1e9)

    def _finish(
        self, active: ActiveTrial, why: str = "", values: list[float] | None = None
    ) -> None:
        """Finish a trial in the study and print its line.

        values: the objectives of a complete trial; why: "pruned", or the cause of a failure.
        """
        from optuna.trial import TrialState

        trial = active.trial
        del self._active[trial.number]
        if values is None and why != "pruned":
            trial.set_user_attr(WHY, why)
        state = TrialState.COMPLETE if values else TrialState.FAIL
        if why == "pruned":
            state = TrialState.PRUNED
        finished = self.study.tell(trial, values if values else None, state)
        outcome = outcome_text(self.study, finished, self.label, self.second)
        console.print(f"{active.title}  {outcome}")
        self.on_result()


def best_text(study: optuna.Study, label: str) -> str:
    """Return a text about the best trial so far; it is empty for two objectives."""
    trials = study.get_trials(deepcopy=False)
    candidates = [trial for trial in trials if feasible(trial)]
    if len(study.directions) > 1 or not any(trial.values for trial in trials):
        return ""
    if not candidates:
        met = " and meets the constraint" if constrained(trials) else ""
        return f"no trial is alive{met} yet"
    best = best_of(study, candidates)
    return f"best {label} {best.values[0]:,.4g} in trial {best.number}"


def outcome_text(study: optuna.Study, trial: FrozenTrial, label: str, second: str) -> str:
    """Return the objectives of a finished trial, or why it has none, and the best trial so far."""
    objectives = zip((label, second), trial.values or [], strict=False)
    result = ", ".join(f"{name} {value:,.4g}" for name, value in objectives)
    if trial.state.name != "COMPLETE":
        result = trial.user_attrs.get(WHY, "failed")
    elif outside := violated(trial):
        result += f", violates {outside}"
    best = best_text(study, label)
    return f"{result}{f'  ({best})' if best else ''}"


def _suffix(title: str) -> str:
    """Return the text that distinguishes the runs of one trial, if there are several."""
    return f" {title}" if title else ""
