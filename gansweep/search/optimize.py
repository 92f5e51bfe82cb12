"""`hydra/sweeper=gansweep_search`: from a command line to a study, its trials and the report."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from gansweep.launch.names import LAUNCHER
from gansweep.launch.task import SweepTask
from gansweep.planning.overrides import items
from gansweep.report.stored_study import RUNS, counted
from gansweep.report.table.text import format_value
from gansweep.search.gan_planner import GanPlanner
from gansweep.search.objectives import quality, second_objective
from gansweep.search.plan import SearchPlan, read_plan, shared_by_trials
from gansweep.search.search import Search
from gansweep.search.standings import standings, write_manifest
from gansweep.search.study import Searcher, check_study, open_study, tell_the_dead
from gansweep.search.warm_start import warm_start
from gansweep.store.errors import INTERRUPTED, UserError, one_line_errors
from gansweep.store.manifest import read_manifest
from gansweep.store.run import Run, now
from gansweep.terminal.console import console

if TYPE_CHECKING:
    from collections.abc import Callable

    import optuna
    from hydra.types import HydraContext
    from omegaconf import DictConfig

    from gansweep.launch.sweep import LocalSweep

REWRITE = 10.0  # seconds between two writings of the manifest, at least


def optimize(arguments: list[str], master: DictConfig, context: HydraContext) -> None:
    """Search, then write the report. Exit codes are those of a sweep."""
    with one_line_errors():
        chosen = master.hydra.runtime.choices["hydra/launcher"]
        if chosen != LAUNCHER:
            raise UserError(
                f"a search trains on this machine's slots (hydra/launcher={LAUNCHER}); several "
                "machines may work on one study: give each the same command and storage=URL"
            )
        plan = read_plan(arguments, master, context)
        check_study(plan.settings, second_objective(plan.settings.objective) is not None)
        for sweep in items(plan.settings.warm_start):
            read_manifest(plan.settings.out, sweep)
        if plan.settings.plan:
            _preview(plan)
            return
        interrupted = _run(plan)
        _report(plan)
    if interrupted:
        console.print(f"to go on: {plan.command}")
        raise SystemExit(INTERRUPTED)
    if plan.failed():
        raise SystemExit(1)


def _run(plan: SearchPlan) -> bool:
    """Train until the study has its trials. Returns whether it was interrupted."""
    settings = plan.settings
    label, direction = quality(plan.bases)
    second = second_objective(settings.objective)
    meant = shared_by_trials(plan.space, plan.bases, plan.prepared, settings)
    plan.folder.mkdir(parents=True, exist_ok=True)
    directions = [direction, *([second.direction] if second else [])]
    study = open_study(settings, plan.name, plan.folder, directions, meant)
    study.set_metric_names([label, *([second.label] if second else [])])
    plan.study = study
    planner = GanPlanner(plan)
    if settings.warm_start:
        names = items(settings.warm_start)
        told_already = warm_start(study, planner, names, settings.out)
        console.print(
            f"warm start: {told_already} finished settings of {', '.join(names)} are told"
        )
    dead = tell_the_dead(study)
    trials = study.get_trials(deepcopy=False)
    done = sum(counted(t) for t in trials)
    console.print(
        f"search {plan.name}: {settings.trials} trials, {done} told, "
        f"over {', '.join(plan.space.names())}; sampler {settings.sampler}, pruner "
        f"{settings.pruner if second is None else 'none, as there are two objectives'}"
    )
    if dead:
        console.print(f"  {dead} trials of a search that ended are tried again")
    write_manifest(plan, study, label)  # another machine may have had all the trials
    if done >= settings.trials:
        return False

    from gansweep.launch.local import prepare
    from gansweep.launch.sweep import LocalSweep

    task = SweepTask(
        name="",
        out=settings.out,
        planned=now(),
        jobs_per_device=settings.jobs_per_device,
        fail_fast=settings.fail_fast,
        device=plan.bases[0].device,
        threads=plan.bases[0].threads,
    )
    prepare(task)
    written = time.monotonic()

    def told() -> None:
        nonlocal written
        if time.monotonic() - written > REWRITE:
            write_manifest(plan, study, label)
            written = time.monotonic()

    searcher = Searcher(plan.folder)
    search = Search(study, planner, searcher, trials=settings.trials, label=label, on_told=told)

    def start() -> LocalSweep:
        sweep = LocalSweep(task, [], feed=search)
        sweep.name = plan.name
        return sweep

    try:
        train(study, start)
    except KeyboardInterrupt:
        console.print("\ninterrupted: what is finished is kept")
        return True
    finally:
        with suppress(OSError):  # a full disk has been told already
            searcher.close()
            write_manifest(plan, study, label)
    return False


def train(study: optuna.Study, start: Callable[[], LocalSweep]) -> None:
    """Train until the study has its trials.

    Another search on this study may die meanwhile, and with it trials that were counted.
    """
    while True:
        start().run()
        if not tell_the_dead(study):
            return


def _preview(plan: SearchPlan) -> None:
    """`plan=true`: the space, without training anything."""
    console.print(f"search {plan.name}: {plan.settings.trials} trials")
    for dimension in plan.space.dimensions:
        if dimension.choices:
            what = ", ".join(format_value(choice) for choice in dimension.choices)
        else:
            what = f"{format_value(dimension.low)} to {format_value(dimension.high)}"
            what += f" in steps of {format_value(dimension.step)}" if dimension.step else ""
            what += ", logarithmic" if dimension.log else ""
        console.print(f"  {dimension.name}: {what}")


def _report(plan: SearchPlan) -> None:
    from gansweep.report import write_report

    assert plan.study is not None
    shown = standings(plan.study)
    if not shown:
        console.print("no trial has ended yet")
        return
    out = plan.settings.out
    absent = sum(not Run(out, t.user_attrs[RUNS][0]).config.exists() for t in shown)
    if absent:  # a shared study, but folders of their own
        console.print(f"{absent} trials were trained elsewhere: their runs are not in {out}/runs")
    if absent == len(shown):
        return
    report = write_report(
        plan.name,
        out=out,
        reports=plan.settings.reports,
        thumbnail=plan.settings.thumbnail,
        storage=plan.settings.storage,
    )
    trials = plan.study.get_trials(deepcopy=False)
    states = [t.state.name for t in trials if counted(t)]
    console.print(
        f"{states.count('COMPLETE')} trials complete, {states.count('PRUNED')} pruned, "
        f"{states.count('FAIL')} failed"
    )
    for line in report.best:
        console.print(line)
    report.announce()
