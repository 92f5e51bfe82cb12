"""A grid sweep (`-m`): plan, prepare the data, train the missing runs, write the report."""

from __future__ import annotations

import itertools
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gansweep.config import from_record
from gansweep.launch.local import IsolatedTask
from gansweep.launch.names import BY_WORKERS, LAUNCHER
from gansweep.launch.on_done import run_on_done
from gansweep.launch.task import PlannedRun, SweepTask
from gansweep.planning.changed import report_changed_networks
from gansweep.planning.compose import command_of, composer
from gansweep.planning.overrides import as_arguments, as_given, read_axes
from gansweep.planning.packing import check_packing, fastest
from gansweep.planning.plan import Plan, make_plan
from gansweep.planning.search_path import choices_of
from gansweep.plugins import METRICS
from gansweep.store.answers import PlanAnswer, PlannedRunAnswer
from gansweep.store.errors import INTERRUPTED, UserError, one_line_errors
from gansweep.store.json_files import print_json
from gansweep.store.manifest import manifest_path
from gansweep.store.run import NO_JSON, Run, now, read_json
from gansweep.store.weights import size_of, weight_files, weights_in_words
from gansweep.store.work import withdraw_stop
from gansweep.terminal.console import console
from gansweep.training.job import one_line
from gansweep.training.metrics.registered import PUBLISHED

if TYPE_CHECKING:
    from hydra.types import HydraContext
    from omegaconf import DictConfig


def sweep(arguments: list[str], master: DictConfig, context: HydraContext) -> None:
    """Plan and train a sweep, then write its report.

    Exits with 0 if all chosen rows are done, 1 if some are not, 2 for bad input and 130 after
    Ctrl-C or SIGTERM. The report is written in each case except bad input.
    """
    with one_line_errors():
        chosen = master.hydra.runtime.choices["hydra/launcher"]
        plan = _plan(arguments, master, context)
        by_workers = master.hydra.launcher._target_ in BY_WORKERS
        for name in ("fail_fast", "jobs_per_device"):
            if chosen != LAUNCHER and not by_workers and getattr(plan.settings, name):
                raise UserError(f"{name} is for hydra/launcher={LAUNCHER}, not for {chosen}")
        check_packing(plan.settings, chosen, [record["params"] for record in plan.records])
        if plan.measured and chosen not in (LAUNCHER, "basic"):
            console.print(
                "precision=auto was measured on this machine: if the jobs run on other hardware, "
                "write precision=bf16 or precision=fp32"
            )
        todo = _todo(plan)
        if plan.settings.plan:
            _preview(plan, todo, chosen)
            return
        at_most = _at_most(plan, todo) if plan.settings.packing == "speed" else None
        launcher = _launcher(plan, chosen, master, context, at_most) if todo else None
        _announce(plan, todo)
        verb = "trained or judged" if _finished(todo) else "trained"
        plan.write()
        withdraw_stop(plan.settings.out, plan.manifest.name)
        for job in todo:
            job.forget_failures()
        started = time.monotonic()
        interrupted = False
        try:
            if launcher is not None:
                _launch(launcher, chosen, todo)
        except KeyboardInterrupt:
            interrupted = True
            console.print("\ninterrupted: finished runs are kept")
        table = _report(plan, todo, verb, time.monotonic() - started)
        runs = [job.run for job in plan.jobs]
        run_on_done(plan.settings.on_done, plan.manifest.name, runs, table, interrupted=interrupted)
    if interrupted:
        retry = " retry=failed" if plan.settings.retry else ""
        console.print(f"to resume: {plan.manifest.command}{retry}")
        raise SystemExit(INTERRUPTED)
    if not all(job.complete() for job in plan.jobs):
        if any(job.run.status() in ("planned", "interrupted") for job in plan.jobs):
            console.print(f"to resume: {plan.manifest.command}")
        raise SystemExit(1)


def _plan(arguments: list[str], master: DictConfig, context: HydraContext) -> Plan:
    arguments = as_given(arguments)
    compose, command = composer(master, context), command_of(arguments, master)
    profile = master.hydra.runtime.choices["profile"]
    choices = choices_of(master, context)
    axes = read_axes(arguments, multirun=True, choices=choices)
    return make_plan(axes, compose, profile, command, choices)


def _todo(plan: Plan) -> list[PlannedRun]:
    """Return the runs to train, to judge or to measure.

    With retry=failed these include the failed and damaged runs, and those with a failed metric.
    """
    if plan.settings.retry != "failed":
        return [job for job in plan.jobs if not job.complete() and not job.run.failed()]
    for job in plan.jobs:
        job.again = job.failed_metrics()
    return [j for j in plan.jobs if not j.complete() or j.run.read_result() is None or j.again]


def _finished(todo: list[PlannedRun]) -> list[PlannedRun]:
    """Return the trained runs that only need to be judged, or to be measured by further metrics."""
    return [job for job in todo if job.run.complete() and job.run.read_result() is not None]


def _to_judge(finished: list[PlannedRun]) -> str:
    """Describe the runs that were trained with judge=false, and those that lack a metric."""
    unjudged = sum(not job.run.judged() for job in finished)
    text = f", {unjudged} to judge by their final weights" if unjudged else ""
    if missing := [names for job in finished if (names := job.to_measure())]:
        metrics = ", ".join(dict.fromkeys(itertools.chain(*missing)))
        text += f", {len(missing)} to measure by {metrics}"
    return text


def _announce(plan: Plan, todo: list[PlannedRun]) -> None:
    manifest = plan.manifest
    rows = _count(len(manifest.rows), "row")
    if len(plan.chosen) < len(manifest.rows):
        rows = f"{len(plan.chosen)} of {rows}"
    wanted = {job.run.id for job in todo}
    missing = [job for job in plan.jobs if job.run.id in wanted or not job.complete()]
    failed = len(missing) - len(todo)
    finished = _finished(todo)
    left = f", {failed} failed before (retry=failed trains them again)" if failed else ""
    console.print(
        f"sweep {manifest.name}: {rows}, {_count(len(plan.jobs), 'run')} "
        f"({', '.join(manifest.pictures)}), {len(plan.jobs) - len(missing)} done{left}, "
        f"{len(todo) - len(finished)} to train{_to_judge(finished)}"
    )
    if plan.data:
        console.print(plan.data)
    earlier = read_json(manifest_path(plan.settings.out, manifest.name)) or {}
    if earlier.get("command", manifest.command) != manifest.command and not plan.settings.plan:
        console.print(
            f"sweep {manifest.name}: replaces the plan of {earlier['command']!r}; "
            "its runs are kept (name=… keeps both tables)"
        )
    for job in plan.jobs:
        _, fault = job.run.examine(job.run.result)
        if fault:
            chosen = job.run.id in wanted
            remedy = "the run is trained again" if chosen else "retry=failed trains the run again"
            why = "" if fault == NO_JSON else f" ({fault})"
            console.print(f"  {job.run.result} is damaged{why}: {remedy}")
    if (judge := plan.settings.judge) in PUBLISHED:
        metric = PUBLISHED[judge]
        results = [job.run.read_result() for job in plan.jobs if job.complete()]
        judges = [result.get("judge") for result in results if result is not None]
        without = sum(judge is None or metric not in judge["score"] for judge in judges)
        if without:
            console.print(
                f"  {METRICS[metric].label} is missing in {_count(without, 'finished run')}: "
                f"python -m gansweep judge RUN --{judge} computes it"
            )
    done = [
        (job.run, from_record(record["params"]))
        for job, record in zip(plan.jobs, plan.records, strict=True)
        if job.run.complete()
    ]
    report_changed_networks(done)
    for i, row in enumerate(manifest.rows):
        for why in dict.fromkeys(row.invalid.values()):
            console.print(f"  row {i} is left out: {why}")


def _preview(plan: Plan, todo: list[PlannedRun], launcher: str) -> None:
    """Print for `plan=true` the runs to train and to judge, the counts and the expected time."""
    from gansweep.launch.progress import clock
    from gansweep.launch.slots import make_estimates, make_pool
    from gansweep.store.estimate import cost_of, total_seconds

    _announce(plan, todo)
    records = {job.run.id: record for job, record in zip(plan.jobs, plan.records, strict=True)}
    task = _task(plan)
    if launcher != LAUNCHER:  # another launcher's machines may have other devices
        task = replace(task, device="cpu")
    pool = make_pool(task)
    estimates = make_estimates(task, pool)
    slots = pool.most_jobs() if launcher == LAUNCHER else 1
    times = []
    listed: list[PlannedRunAnswer] = []
    finished = _finished(todo)
    for job in finished:
        metrics = ", ".join(job.to_measure())
        action = f"to measure by {metrics}" if metrics else "to judge"
        console.print(f"  {job.run.id}  {job.title}  {action}")
        listed.append(_listed(job, action.split()[1]))
    to_train = [job for job in todo if not job.run.complete()]
    for job in to_train:
        record = records[job.run.id]
        seconds = estimates.seconds(cost_of(record), record["identity"]["steps"])
        times.append(seconds)
        listed.append(_listed(job, "train", seconds))
        status = job.run.status()
        state = "to train" if status == "planned" else f"to train ({status})"
        about = f"  about {clock(seconds)}" if seconds is not None else ""
        console.print(f"  {job.run.id}  {job.title}  {state}{about}")
    statuses = Counter(job.run.status() for job in plan.jobs)
    done = sum(job.complete() for job in plan.jobs)
    invalid = sum(len(plan.manifest.rows[i].invalid) for i in plan.chosen)
    console.print(
        f"to run {len(to_train)}{_to_judge(finished)}, done {done}, failed {statuses['failed']}, "
        f"duplicate {plan.duplicates}, invalid {invalid}"
    )
    total = total_seconds(times, slots)
    if plan.settings.json:
        acting = {run["id"] for run in listed}
        listed += [_listed(job, "none") for job in plan.jobs if job.run.id not in acting]
        print_json(_answer(plan, listed, total))
    if words := weights_in_words(plan.settings.out, [job.run.id for job in plan.jobs]):
        console.print(f"on disk: {words}")
    if to_train:
        where = _count(slots, "slot") if launcher == LAUNCHER else "one job at a time"
        known = sum(seconds is not None for seconds in times)
        console.print(
            f"estimated time: {clock(total)} in {where}, "
            f"from earlier runs similar to {known} of the {len(to_train)}"
            if total is not None
            else f"estimated time: unknown, no earlier run is similar ({where})"
        )


def _listed(job: PlannedRun, action: str, seconds: float | None = None) -> PlannedRunAnswer:
    return {
        "id": job.run.id, "title": job.title, "action": action, "status": job.run.status(),
        "seconds": seconds,
    }  # fmt: skip


def _answer(plan: Plan, listed: list[PlannedRunAnswer], seconds: float | None) -> PlanAnswer:
    """Return the plan for --json."""
    counts = Counter(run["action"] for run in listed)
    counts["duplicate"] = plan.duplicates
    runs = [job.run for job in plan.jobs]
    return {
        "name": plan.manifest.name,
        "command": plan.manifest.command,
        "rows": len(plan.manifest.rows),
        "runs": listed,
        "counts": dict(counts),
        "invalid": {
            str(i): "; ".join(dict.fromkeys(plan.manifest.rows[i].invalid.values()))
            for i in plan.chosen
            if plan.manifest.rows[i].invalid
        },
        "seconds": seconds,
        "weights_bytes": size_of(path for run in runs for path in weight_files(run)),
    }


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _task(plan: Plan) -> SweepTask:
    settings = plan.settings
    params = [record["params"] for record in plan.records]
    devices = {p["device"] for p in params}
    threads = [p["threads"] for p in params if p["threads"] is not None]
    return SweepTask(
        name=plan.manifest.name,
        out=settings.out,
        planned=now(),
        jobs_per_device=settings.jobs_per_device,
        fail_fast=settings.fail_fast,
        device=devices.pop() if len(devices) == 1 else "auto",
        threads=max(threads, default=None),
    )


def _at_most(plan: Plan, todo: list[PlannedRun]) -> int | None:
    """Return how many runs at a time train fastest, by the first run to train."""
    to_train = [job.run.id for job in todo if not job.run.complete()]
    records = {record["id"]: record for record in plan.records}
    return fastest(_task(plan), records[to_train[0]], len(to_train)) if to_train else None


def _launcher(
    plan: Plan, chosen: str, master: DictConfig, context: HydraContext, at_most: int | None
) -> Any:
    """Return the chosen Hydra launcher."""
    from hydra.core.plugins import Plugins

    task = replace(_task(plan), at_most=at_most)
    if chosen not in ("basic", LAUNCHER):  # a cluster's launcher does not isolate runs
        task = IsolatedTask(**vars(task))
    return Plugins.instance().instantiate_launcher(
        hydra_context=context, task_function=task, config=master
    )


def _launch(launcher: Any, chosen: str, todo: list[PlannedRun]) -> None:
    """Train the runs of `todo`.

    An exception of a cluster's launcher, for example about a lost job, is printed and not raised:
    the other jobs have results, and the report must still be written.
    """
    # Absolute: a cluster's jobs may start in another folder.
    runs = [
        as_arguments({"out": str(job.run.folder.parents[1].resolve()), "run_id": job.run.id})
        for job in todo
    ]
    try:
        returns = launcher.launch(runs, initial_job_idx=0)
    except Exception as error:
        if chosen in ("basic", LAUNCHER) or isinstance(error, UserError | OSError):
            raise  # a bug in gansweep, or an error that the user can correct
        first = one_line(error)[:300]
        console.print(f"the launcher failed: {type(error).__name__}: {first}")
        console.print("to resume the unfinished runs, type the command again")
        return
    for job, returned in zip(todo, returns, strict=True):
        # All other failed jobs have printed and recorded their error.
        if returned.status.name == "FAILED" and job.run.status() in ("planned", "interrupted"):
            console.print(f"{job.title}  was lost: {one_line(returned._return_value)[:300]}")


def _report(plan: Plan, todo: list[PlannedRun], verb: str, seconds: float) -> Path:
    """Write and print the report; return the path of its table."""
    from gansweep.report import write_report
    from gansweep.report.render.terminal import print_best, print_table

    settings, manifest = plan.settings, plan.manifest
    report = write_report(
        manifest.name,
        out=settings.out,
        reports=settings.reports,
        thumbnail=settings.thumbnail,
    )
    print_table(report.results.tables, rows=plan.chosen)
    done = [job for job in todo if job.complete()]
    failed = [job for job in plan.jobs if job.run.failed()]
    if todo:
        console.print(f"{len(done)} of {_count(len(todo), 'run')} {verb} in {seconds:.0f} s")
    for job in failed:
        _print_failure(job.run, job.title)
    print_best(report.results, settings.out)
    report.announce()
    return report.path


def _print_failure(run: Run, title: str) -> None:
    """Print why a run has failed, also with quiet=true."""
    failure = run.read_failure()
    if console.quiet:
        print(f"{title}  {run.describe_failure()}", file=sys.stderr)
    console.print(f"{title}  {run.describe_failure()}")
    # Such a run has recorded no exception: only its log can explain the end.
    if failure and failure.get("cause") in ("killed", "crashed"):
        for line in failure.get("log", []):
            console.print(f"    {line}")
