"""Runs a search (`hydra/sweeper=gansweep_search`): command line, study, trials and report."""

from __future__ import annotations

import math
import shlex
import time
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gansweep.declare import items
from gansweep.launch.names import BY_WORKERS, LAUNCHER, WORKER
from gansweep.launch.on_done import run_on_done
from gansweep.launch.task import SweepTask
from gansweep.planning.data_choice import of_one
from gansweep.planning.identity import plan_run
from gansweep.planning.packing import check_packing, fastest
from gansweep.report.stored_study import RUNS, counted, feasible, violated
from gansweep.report.table.text import format_count, format_value
from gansweep.search.budget import UNLIMITED, further_gain, seconds_of
from gansweep.search.by_eye import Eye, EyePlanner
from gansweep.search.by_workers import follow_search, join
from gansweep.search.gan_planner import GanPlanner
from gansweep.search.objectives import EYE, Objective, quality, second_objective
from gansweep.search.plan import SearchPlan, read_plan, shared_by_trials
from gansweep.search.samplers import has_named_constraints
from gansweep.search.search import Search
from gansweep.search.standings import ranked_trials, write_manifest
from gansweep.search.study import (
    SearchProcess,
    check_study,
    fail_abandoned_trials,
    open_study,
)
from gansweep.search.warm_start import warm_start
from gansweep.store.errors import INTERRUPTED, UserError, one_line_errors
from gansweep.store.estimate import cost_of, total_seconds
from gansweep.store.manifest import read_manifest
from gansweep.store.run import Run, now
from gansweep.store.work import withdraw_stop
from gansweep.terminal.console import console

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import optuna
    from hydra.types import HydraContext
    from omegaconf import DictConfig

    from gansweep.config import Config
    from gansweep.launch.follow import Workers
    from gansweep.launch.sweep import LocalSweep

PROGRAM = "python -m gansweep"
MANIFEST_INTERVAL = 10.0  # seconds, at least, between two writings of the manifest


def optimize(arguments: list[str], master: DictConfig, context: HydraContext) -> None:
    """Run a search, then write its report.

    Exits with 1 if a trial has failed, 2 for a UserError, 130 if the search was interrupted.
    """
    with one_line_errors():
        chosen = master.hydra.runtime.choices["hydra/launcher"]
        by_workers = master.hydra.launcher._target_ in BY_WORKERS
        if chosen not in (LAUNCHER, WORKER) and not by_workers:
            raise UserError(
                "a search trains on this machine's slots, or with slots=slurm on a cluster, and "
                f"not by hydra/launcher={chosen}"
            )
        plan = read_plan(arguments, master, context)
        check_packing(plan.settings, chosen, [vars(base) for base in plan.bases])
        check_study(plan.settings, second_objective(plan.settings.objective) is not None)
        if plan.settings.objective == EYE and chosen != LAUNCHER:
            raise UserError("objective=eye trains on the slots of one machine: leave out slots=")
        for sweep in items(plan.settings.warm_start):
            read_manifest(plan.settings.out, sweep)
        if plan.settings.plan:
            _preview(plan, local=chosen == LAUNCHER)
            return
        if chosen != WORKER:
            withdraw_stop(plan.settings.out, plan.name)
        workers = _workers(plan, master, context) if by_workers else None
        interrupted = _run(plan, workers)
        if chosen != WORKER:  # the command that started the search writes the report
            table = _report(plan)
            trials = plan.study.get_trials(deepcopy=False) if plan.study is not None else []
            run_ids = dict.fromkeys(run for t in trials for run in t.user_attrs.get(RUNS, ()))
            runs = [Run(plan.settings.out, run_id) for run_id in run_ids]
            run_on_done(plan.settings.on_done, plan.name, runs, table, interrupted=interrupted)
    if interrupted:
        if chosen != WORKER:
            console.print(f"to resume: {plan.command}")
        raise SystemExit(INTERRUPTED)
    if plan.failed():
        raise SystemExit(1)


def _task(plan: SearchPlan) -> SweepTask:
    settings = plan.settings
    return SweepTask(
        name="",
        out=settings.out,
        planned=now(),
        jobs_per_device=settings.jobs_per_device,
        fail_fast=settings.fail_fast,
        device=plan.bases[0].device,
        threads=plan.bases[0].threads,
    )


def _workers(plan: SearchPlan, master: DictConfig, context: HydraContext) -> Workers:
    """Return the workers of the chosen launcher, and tell them how to join the search."""
    from hydra.core.plugins import Plugins

    task = replace(_task(plan), name=plan.name)
    launcher: Any = Plugins.instance().instantiate_launcher(
        hydra_context=context, task_function=task, config=master
    )
    join(plan).write(plan.settings.out, plan.name)
    return launcher.workers


def _run(plan: SearchPlan, workers: Workers | None) -> bool:
    """Train until the study has all its trials. Returns whether the search was interrupted.

    workers: those of a cluster, which train in the place of this machine's slots.
    """
    settings = plan.settings
    label, direction = quality(plan.bases)
    second = second_objective(settings.objective)
    shared = shared_by_trials(plan.space, plan.bases, plan.prepared, settings)
    plan.folder.mkdir(parents=True, exist_ok=True)
    directions = [direction, *([second.direction] if second else [])]
    study = open_study(settings, plan.name, plan.folder, directions, shared)
    study.set_metric_names([label, *([second.label] if second else [])])
    plan.study = study
    eye = Eye(plan, study) if settings.objective == EYE else None
    planner = GanPlanner(plan) if eye is None else EyePlanner(plan, study, eye.votes)
    if settings.warm_start:
        names = items(settings.warm_start)
        added = warm_start(study, planner, names, settings.out)
        console.print(
            f"warm start: {format_count(added, 'finished setting')} of {', '.join(names)} "
            f"{'was' if added == 1 else 'were'} added"
        )
    abandoned = fail_abandoned_trials(study)
    trials = study.get_trials(deepcopy=False)
    done = sum(counted(t) for t in trials)
    console.print(
        f"search {plan.name}: {_length(settings)}, {done} finished or "
        f"running, over {', '.join(plan.space.names())}; sampler {settings.sampler}, pruner "
        f"{_pruner(settings, second)}"
    )
    if settings.constraint:
        console.print(f"  constraint: {settings.constraint}")
    if not plan.typed_data:
        console.print(of_one(" and ".join(b.data.name for b in plan.bases), plan.profile))
    if abandoned:
        console.print(
            "  1 unfinished trial of a killed search is retried"
            if abandoned == 1
            else f"  {abandoned} unfinished trials of a killed search are retried"
        )
    write_manifest(plan, study, label)  # another machine may have run all the trials
    if done >= settings.trials and (eye is None or not eye.missing()):
        return False

    if workers is not None:
        try:
            return follow_search(plan, study, label, second.label if second else "", workers)
        finally:
            write_manifest(plan, study, label)

    from gansweep.launch.local import prepare
    from gansweep.launch.sweep import LocalSweep

    task = _task(plan)
    if settings.packing == "speed":
        base = plan.bases[0]
        record = plan_run(base, plan.prepared(base))[1]
        task = replace(task, at_most=fastest(task, record, max(1, settings.trials - done)))
    prepare(task)
    written = time.monotonic()

    def on_result() -> None:
        nonlocal written
        # The page of a search by eye shows the rows of the manifest.
        if eye is not None or time.monotonic() - written > MANIFEST_INTERVAL:
            write_manifest(plan, study, label)
            written = time.monotonic()

    process = SearchProcess(plan.folder)
    search = Search(
        study, planner, process, trials=settings.trials, label=label,
        second=second.label if second else "", on_result=on_result,
        seconds=math.inf if settings.budget is None else seconds_of(settings.budget), gate=eye,
    )  # fmt: skip

    def start() -> LocalSweep:
        sweep = LocalSweep(task, [], feed=search)
        sweep.name = plan.name
        return sweep

    try:
        with eye.page() if eye is not None else nullcontext():
            train(study, start)
    except KeyboardInterrupt:
        console.print("\ninterrupted; finished trials are kept")
        return True
    finally:
        with suppress(OSError):  # a full disk has been reported already
            process.close()
            write_manifest(plan, study, label)
    return False


def _pruner(settings: Config, second: Objective | None) -> str:
    """Return the pruner in words, with what it cannot do."""
    if second is None or settings.pruner == "none":
        return settings.pruner
    if not has_named_constraints():
        return "none, as two objectives need Optuna 5"
    if second.early is not None:
        return settings.pruner
    return f"for collapsed trials only, as only the end of a run shows its {second.label}"


def _length(settings: Config) -> str:
    """Return how long a search is: `40 trials`, `2h`, or `40 trials within 2h`."""
    trials = "" if settings.trials == UNLIMITED else format_count(settings.trials, "trial")
    return " within ".join(part for part in (trials, settings.budget) if part)


def train(study: optuna.Study, start: Callable[[], LocalSweep]) -> None:
    """Train until the study has all its trials.

    start: makes the sweep of the next round. A further round is needed if another search on the
    study was killed meanwhile, because the running trials of that search had counted.
    """
    while True:
        start().run()
        if not fail_abandoned_trials(study):
            return


def _preview(plan: SearchPlan, local: bool) -> None:
    """Print the space (`plan=true`) without training anything, and the expected time.

    local: whether it trains on the slots of this machine, whose earlier runs tell the time.
    """
    console.print(f"search {plan.name}: {_length(plan.settings)}")
    if plan.settings.constraint:
        console.print(f"  constraint: {plan.settings.constraint}")
    for dimension in plan.space.dimensions:
        if dimension.choices:
            text = ", ".join(format_value(choice) for choice in dimension.choices)
        else:
            text = f"{format_value(dimension.low)} to {format_value(dimension.high)}"
            text += f" in steps of {format_value(dimension.step)}" if dimension.step else ""
            text += ", logarithmic" if dimension.log else ""
        console.print(f"  {dimension.name}: {text}")
    if local and plan.settings.trials != UNLIMITED:
        console.print(_expected(plan))


def _expected(plan: SearchPlan) -> str:
    """Return the expected time in words, if all trials take as long as the first one."""
    from gansweep.launch.progress import clock
    from gansweep.launch.slots import make_estimates, make_pool

    planner, task = GanPlanner(plan), _task(plan)
    pool = make_pool(task)
    estimates = make_estimates(task, pool)
    first = plan.space.defaults(plan.bases[0]) or planner.design[0]
    records = [plan_run(config, data)[1] for config, data in planner.configs(first)]
    seconds = [estimates.seconds(cost_of(r), r["identity"]["steps"]) for r in records]
    total = total_seconds(seconds * plan.settings.trials, pool.most_jobs())
    where = format_count(pool.most_jobs(), "slot")
    if total is None:
        return f"estimated time: unknown, no earlier run is similar ({where})"
    shorter = "" if plan.settings.pruner == "none" else ", less with pruning"
    return f"estimated time: {clock(total)} in {where}{shorter}"


def _report(plan: SearchPlan) -> Path | None:
    """Write the report, and return the path of its table; None if there is nothing to show."""
    from gansweep.report import write_report
    from gansweep.report.render.terminal import print_best
    from gansweep.report.table.best import weights_of
    from gansweep.report.table.cut_off import places

    assert plan.study is not None
    shown = ranked_trials(plan.study)
    if not shown:
        console.print("no trial has finished yet")
        return None
    out = plan.settings.out
    absent = sum(not Run(out, t.user_attrs[RUNS][0]).config.exists() for t in shown)
    if absent:  # machines may share a study without sharing a folder
        console.print(
            f"the runs of {format_count(absent, 'trial')} are not in {out}/runs: another machine "
            "trained them"
        )
    if absent == len(shown):
        return None
    report = write_report(
        plan.name,
        out=out,
        reports=plan.settings.reports,
        thumbnail=plan.settings.thumbnail,
        storage=plan.settings.storage,
    )
    trials = plan.study.get_trials(deepcopy=False)
    states = [t.state.name for t in trials if counted(t)]
    violating = sum(bool(violated(t)) for t in trials if counted(t))
    constraint = plan.settings.constraint
    verb = "violates" if violating == 1 else "violate"
    outside = f"; {violating} {verb} the constraint {constraint}" if constraint else ""
    console.print(
        f"{format_count(states.count('COMPLETE'), 'trial')} complete, "
        f"{states.count('PRUNED')} pruned, "
        f"{states.count('FAIL')} failed{outside}"
    )
    complete = [t for t in trials if t.state.name == "COMPLETE" and counted(t) and feasible(t)]
    if plan.settings.budget and len(plan.study.directions) == 1:
        minimize = plan.study.direction.name == "MINIMIZE"
        if gain := further_gain(complete, minimize, quality(plan.bases)[0]):
            console.print(gain)
    for line in report.best:
        console.print(line)
    if len(report.best) == 2:  # the sentence on the best setting, and its command
        for cell in report.results.rows[0].cells.values():
            found = [weights_of(run, out) for run in cell.judged[:1]]
            for path in filter(None, found):
                console.print(f"its generator: {path}")
        again = shlex.join(["confirm", plan.name, *places(plan.command)])
        console.print(f"the best of many trials is partly luck; new seeds tell: {PROGRAM} {again}")
    elif not report.best:
        print_best(report.results, out)
    report.announce()
    return report.path
