"""A search by workers on a cluster: each runs trials of the study, and this process follows it."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING, Any

from gansweep.launch.follow import Crew, Workers, goes_on, live
from gansweep.launch.progress import SweepProgress, render, run_progress
from gansweep.launch.stop_request import StopRequest
from gansweep.report.stored_study import RUNS, counted
from gansweep.report.table.text import format_value
from gansweep.search.plan import SearchPlan
from gansweep.search.search import best_text, outcome_text
from gansweep.search.study import fail_abandoned_trials
from gansweep.store.errors import UserError
from gansweep.store.passwords import without_password
from gansweep.store.run import Run
from gansweep.store.work import Work, stop_asked
from gansweep.terminal.console import console

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

LOOK = 2.0  # seconds between two looks at the study


def join(plan: SearchPlan) -> Work:
    """Return what workers are told: the words of the command with which each joins the search.

    Raises UserError for a password in `storage=`, which must not stand in a file.
    """
    storage = plan.settings.storage
    if storage is not None and without_password(storage) != storage:
        raise UserError(
            "storage=…: workers read the password from ~/.pgpass or from the variable PGPASSWORD: "
            "leave it out of the URL"
        )
    words = shlex.split(plan.command)[3:]  # after `python -m gansweep`
    own = ("hydra/launcher=", "hydra.launcher.", "name=")
    kept = [word for word in words if not word.startswith(own)]
    return Work(arguments=[*kept, f"name={plan.name}"])


def follow_search(
    plan: SearchPlan, study: optuna.Study, label: str, second: str, workers: Workers
) -> bool:
    """Follow a search until it has all its trials, and submit the workers that are missing.

    label, second: the names of the objectives. Returns whether it was interrupted. Raises UserError
    if the workers end and train nothing.
    """
    settings = plan.settings
    known = {t.number for t in study.get_trials(deepcopy=False) if t.state.is_finished()}
    crew, request = Crew(workers, plan.folder), StopRequest()
    with request.listening(), live() as view:
        while True:
            fail_abandoned_trials(study)
            trials = study.get_trials(deepcopy=False)
            for trial in trials:
                if trial.state.is_finished() and trial.number not in known:
                    known.add(trial.number)
                    if counted(trial):
                        outcome = outcome_text(study, trial, label, second)
                        console.print(f"{_title(plan, trial)}  {outcome}")
            running = [t for t in trials if t.state.name == "RUNNING"]
            done = sum(counted(t) for t in trials) - len(running)
            open_trials = settings.trials - done
            if open_trials <= 0:
                return False
            progress = _progress(plan, trials, running, open_trials)
            stopped = stop_asked(settings.out, plan.name)
            if request.times or (stopped and not progress.running):
                break
            if not stopped:
                free = open_trials - len(running)
                crew.staff(free, open_trials, (done, frozenset(t.number for t in running)))
            if view is not None:
                progress.note = "  ".join(filter(None, (best_text(study, label), crew.note())))
                view.show(render(progress))
            end = time.monotonic() + LOOK
            while not request.times and time.monotonic() < end:
                time.sleep(0.1)
    if not request.times and settings.fail_fast:
        return False
    console.print(goes_on(plan.name) if request.times else "gansweep stop: the search has stopped")
    return True


def _title(plan: SearchPlan, trial: FrozenTrial) -> str:
    """Return the number and the values of a trial, as its runs have them: rounded."""
    values: dict[str, Any] = {}
    for dimension in plan.space.dimensions:
        if dimension.name in trial.params:
            values |= dimension.values(trial.params[dimension.name])
    shown = " ".join(f"{name}={format_value(value)}" for name, value in values.items())
    return f"trial {trial.number}  {shown}"


def _progress(
    plan: SearchPlan, trials: list[FrozenTrial], running: list[FrozenTrial], open_trials: int
) -> SweepProgress:
    """Return the progress of the search, with a line for each run that is being trained."""
    states = [t.state.name for t in trials if counted(t)]
    lines = []
    for trial in running:
        for run_id in trial.user_attrs.get(RUNS, []):
            run = Run(plan.settings.out, run_id)
            if run.status() == "running":
                lines.append(run_progress(run, _title(plan, trial)))
    return SweepProgress(
        plan.name,
        done=states.count("COMPLETE"),
        failed=states.count("FAIL"),
        pruned=states.count("PRUNED"),
        waiting=max(0, open_trials - len(lines)),
        running=sorted(lines, key=lambda line: line.slot),
    )
