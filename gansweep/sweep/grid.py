"""What `-m` does: plan, prepare the data, train what is missing, build the table."""

from __future__ import annotations

import functools
import shlex
import time
from typing import TYPE_CHECKING, Any

from gansweep.console import console
from gansweep.errors import INTERRUPTED, one_line_errors
from gansweep.job import train_planned
from gansweep.overrides import as_arguments, read_axes
from gansweep.run import damaged, read_json
from gansweep.sweep.manifest import manifest_path
from gansweep.sweep.plan import Job, Plan, make_plan

if TYPE_CHECKING:
    from hydra.types import HydraContext
    from omegaconf import DictConfig


def sweep(arguments: list[str], master: DictConfig, context: HydraContext) -> None:
    """Plan and train a sweep, then write its report.

    Exits with 0 if all chosen rows are done, 1 if some failed, 2 for bad input and 130 after
    Ctrl-C; the table is written in each case but the third.
    """
    with one_line_errors():
        plan = _plan(arguments, master, context)
        _announce(plan)
        todo = [job for job in plan.jobs if not job.run.complete()]
        started = time.monotonic()
        interrupted = False
        try:
            _launch(todo, plan, master, context)
        except KeyboardInterrupt:
            interrupted = True
            console.print("\ninterrupted: what is finished is kept")
        _report(plan, todo, time.monotonic() - started)
    if interrupted:
        console.print(f"to go on: {plan.manifest.command}")
        raise SystemExit(INTERRUPTED)
    if not all(job.run.complete() for job in plan.jobs):
        raise SystemExit(1)


def _plan(arguments: list[str], master: DictConfig, context: HydraContext) -> Plan:
    from omegaconf import OmegaConf

    def compose(groups: dict[str, str]) -> dict[str, Any]:
        chosen = [f"{group}={choice}" for group, choice in groups.items()]
        config = context.config_loader.load_sweep_config(master, chosen)
        container = OmegaConf.to_container(config, resolve=False)
        assert isinstance(container, dict)
        del container["hydra"]
        return OmegaConf.to_container(OmegaConf.create(container), resolve=True)  # type: ignore[return-value]

    task_arguments = [a for a in arguments if not a.startswith("hydra.mode=")]
    command_line = shlex.join(["python", "-m", "gansweep", "-m", *task_arguments])
    profile = master.hydra.runtime.choices["profile"]
    plan = make_plan(read_axes(arguments, multirun=True), compose, profile, command_line)

    path = manifest_path(plan.settings.out, plan.manifest.name)
    earlier = read_json(path)
    if earlier is not None and earlier.get("command") != command_line:
        console.print(
            f"sweep {plan.manifest.name}: replaces the plan of {earlier.get('command')!r}; "
            "its runs are kept (name=… keeps both tables)"
        )
    plan.manifest.write(plan.settings.out)
    return plan


def _announce(plan: Plan) -> None:
    manifest = plan.manifest
    done = sum(job.run.complete() for job in plan.jobs)
    rows = _count(len(manifest.rows), "row")
    if len(plan.chosen) < len(manifest.rows):
        rows = f"{len(plan.chosen)} of {rows}"
    console.print(
        f"sweep {manifest.name}: {rows}, {_count(len(plan.jobs), 'run')} "
        f"({', '.join(manifest.pictures)}), {done} done, {len(plan.jobs) - done} to train"
    )
    for job in plan.jobs:
        if damaged(job.run.result):
            console.print(f"  {job.run.result} is damaged: the run is trained again")
    invalid = [(i, why) for i, row in enumerate(manifest.rows) for why in row.invalid.values()]
    for i, why in dict(invalid).items():
        console.print(f"  row {i} is left out: {why}")


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _launch(todo: list[Job], plan: Plan, master: DictConfig, context: HydraContext) -> None:
    """Hand the jobs to Hydra's launcher, whichever is chosen."""
    if not todo:
        return
    from hydra.core.plugins import Plugins

    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=context,
        task_function=functools.partial(
            train_planned, titles={job.run.id: job.title for job in todo}
        ),
        config=master,
    )
    overrides = [as_arguments({"out": plan.settings.out, "run_id": job.run.id}) for job in todo]
    launcher.launch(overrides, initial_job_idx=0)


def _report(plan: Plan, todo: list[Job], seconds: float) -> None:
    from gansweep.report import write_report
    from gansweep.report.terminal import print_table

    settings, manifest = plan.settings, plan.manifest
    report = write_report(manifest.name, out=settings.out, reports=settings.reports)
    print_table(report.tables, rows=plan.chosen)
    done = [job for job in todo if job.run.complete()]
    failed = [job for job in todo if job.run.status() == "failed"]
    if todo:
        console.print(f"{len(done)} of {_count(len(todo), 'run')} trained in {seconds:.0f} s")
    for job in failed:
        failure = read_json(job.run.failure) or {}
        console.print(f"failed: {job.title}: {failure.get('error')} (log: {job.run.log})")
    console.print(f"table: {report.path}")
