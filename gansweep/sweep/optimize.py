"""`hydra/sweeper=optuna`: from a command line to a study, trained trials and their report."""

from __future__ import annotations

import hashlib
import json
import math
import time
import zlib
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from gansweep.config import DEFAULTS, PARAMS, Config
from gansweep.console import console
from gansweep.data import Prepared
from gansweep.errors import INTERRUPTED, UserError, one_line_errors
from gansweep.identity import fault_of, plan_run
from gansweep.job import SweepTask
from gansweep.overrides import items, read_axes
from gansweep.report.text import format_value
from gansweep.run import Run, now, read_json
from gansweep.sweep.compose import command_of, composer
from gansweep.sweep.manifest import manifest_path
from gansweep.sweep.plan import (
    SETTINGS,
    Expander,
    PlannedRun,
    Preparer,
    keep_record,
    make_config,
    profile_of,
    settings_of,
    with_values,
)
from gansweep.sweep.recipe import read_recipe
from gansweep.sweep.search import Search, mean_distance
from gansweep.sweep.space import DECIDING, Space, has_effect, is_searched, read_space
from gansweep.sweep.standings import SECOND, standings, write_manifest
from gansweep.sweep.study import (
    ERROR,
    RUNS,
    Searcher,
    counted,
    open_study,
    tell_the_dead,
)
from gansweep.sweep.warm_start import warm_start

if TYPE_CHECKING:
    import optuna
    from hydra.types import HydraContext
    from omegaconf import DictConfig

STARTING = 10  # trials before a model proposes: TPE's own number
MODELS = ("tpe", "gp")  # samplers that learn a model, and begin at random otherwise
REWRITE = 10.0  # seconds between two writings of the manifest, at least


def optimize(arguments: list[str], master: DictConfig, context: HydraContext) -> None:
    """Search, then write the report. Exit codes are those of a sweep."""
    with one_line_errors():
        chosen = master.hydra.runtime.choices["hydra/launcher"]
        if chosen != "local":
            raise UserError(
                "a search trains on this machine's slots (hydra/launcher=local); several machines "
                "may work on one study: give each the same command and storage=URL"
            )
        plan = read_plan(arguments, master, context)
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


@dataclass
class SearchPlan:
    """A search as the command line means it. bases: a configuration a data set."""

    name: str
    title: str
    command: str
    settings: Config
    space: Space
    bases: list[Config]
    labels: list[str]
    prepared: Preparer
    study: optuna.Study | None = None

    @property
    def folder(self) -> Path:
        return manifest_path(self.settings.out, self.name).parent

    def failed(self) -> bool:
        """Has any trial failed?"""
        assert self.study is not None
        return any(
            t.state.name == "FAIL" and counted(t) for t in self.study.get_trials(deepcopy=False)
        )


def read_plan(arguments: list[str], master: DictConfig, context: HydraContext) -> SearchPlan:
    """Raises UserError for anything that cannot be searched."""
    searched = [a for a in arguments if is_searched(a)]
    axes = read_axes([a for a in arguments if a not in searched], multirun=True)
    values = settings_of(axes)
    several = [a.name for a in axes if len(a.values) > 1 and a.name.split(".")[0] != "data"]
    if several:
        hint = "seeds_per_trial=N trains each setting several times" if "seed" in several else ""
        raise UserError(f"{', '.join(several)}: one value each in a search; {hint}".rstrip("; "))
    recipe = read_recipe(values["sweep"]) if values.get("sweep") else None
    names = items(values.get("search"))
    if recipe is not None:
        if not recipe.search:
            raise UserError(
                f"sweep={recipe.name} is a list of rows: leave out hydra/sweeper=optuna"
            )
        given = {a.split("=")[0] for a in (*searched, *arguments)} | set(names)
        searched += [f"{n}={text}" for n, text in recipe.search.items() if text and n not in given]
        names += [n for n, text in recipe.search.items() if not text and n not in given]
    if both := [axis.name for axis in axes if axis.name in names]:
        raise UserError(f"search={both[0]}, and {both[0]} has one value: leave out one of them")
    compose = composer(master, context)
    profile = profile_of(axes, recipe, master.hydra.runtime.choices["profile"])
    settings = make_config(compose({"profile": profile}), values)
    if settings.rows is not None:
        raise UserError("rows=… chooses from a row list, which a search has not")
    prepared = Preparer()
    ((_, _, cells),) = Expander(axes, recipe, compose, profile, roles=("digits",)).rows()
    bases = [cell.config for cell in cells]
    if any(base.judge == "false" for base in bases):
        raise UserError("judge=false: a search needs the judge's distances")
    space = read_space(searched, names, bases[0])
    if not space.dimensions:
        raise UserError("nothing to search: write lr=interval(1e-5,1e-2), or search=lr,beta1")
    _check_effects(space, bases)
    _check_ends(space, bases, prepared)
    command = command_of(arguments, master)
    digest = hashlib.sha256(json.dumps(_meant(space, bases, prepared, settings)).encode())
    default = recipe.name if recipe else "search-" + "-".join(space.names()[:4])
    # What may change from call to call changes no name.
    lasting = {a.split("=")[0] for a in arguments} - {*SETTINGS} | {
        n for n in ("objective", "seeds_per_trial") if values.get(n, DEFAULTS[n]) != DEFAULTS[n]
    }
    overridden = recipe is None or lasting
    name = values.get("name") or (f"{default}-{digest.hexdigest()[:6]}" if overridden else default)
    title = recipe.title if recipe else "Search over " + ", ".join(space.names())
    labels = [prepared.label(base) for base in bases]
    return SearchPlan(name, title, command, settings, space, bases, labels, prepared)


def _meant(
    space: Space, bases: list[Config], prepared: Preparer, settings: Config
) -> dict[str, Any]:
    """What all trials of a study share."""
    searched = space.names()
    fixed = [
        {n: getattr(base, n) for n, p in PARAMS.items() if p.identity and n not in searched}
        | {"data": prepared(base).sha256}
        for base in bases
    ]
    return {
        "space": space.describe(),
        "settings": json.loads(json.dumps(fixed)),
        "objective": settings.objective,
        "seeds per trial": settings.seeds_per_trial,
    }


def _check_effects(space: Space, bases: list[Config]) -> None:
    """Refuse what changes nothing, unless another searched parameter decides about that."""
    if any(name in DECIDING for name in space.names()):
        return
    for dimension in space.dimensions:
        if not any(has_effect(dimension, base) for base in bases):
            raise UserError(f"{dimension.name} has no effect beside the other parameters")


def _check_ends(space: Space, bases: list[Config], prepared: Preparer) -> None:
    """Refuse now what would fail a trial later: each end and choice beside the others' defaults."""
    for base in bases:
        for dimension in space.dimensions:
            for proposed in dimension.choices or (dimension.low, dimension.high):
                # Searched dropout is tried where a network has it; a fixed one must fit them all.
                drops = [name for name in ("gen_drop", "disc_drop") if name in space.names()]
                values = dict.fromkeys(drops, 0.0) | dimension.values(proposed)
                config = with_values(base, values)
                # Where it has none now, another network may give it one: each trial asks.
                if has_effect(dimension, config):
                    fault = fault_of(config, prepared(config))
                    if fault is not None:
                        raise fault


class GanPlanner:
    """Makes GAN runs of proposals; see `search.Planner`."""

    def __init__(self, plan: SearchPlan) -> None:
        self.space = plan.space
        self.bases = plan.bases
        self.prepared = plan.prepared
        self.seeds = plan.settings.seeds_per_trial
        self.objective = plan.settings.objective
        self.sampler = plan.settings.sampler
        self.seed = zlib.crc32(f"{plan.name} {plan.settings.seed}".encode())  # of the design

    def propose(self, trial: optuna.Trial) -> dict[str, Any]:
        return self.space.propose(trial, self.bases[0])

    def start(self, number: int) -> dict[str, Any] | None:
        """The defaults, then settings that fill the space: where a model knows nothing yet."""
        if number >= STARTING or self.sampler not in MODELS:
            return None
        defaults = self.space.defaults(self.bases[0]) if number == 0 else None
        return defaults or self.design[number]

    @cached_property
    def design(self) -> list[dict[str, Any]]:
        return self.space.design(STARTING, self.seed)

    def configs(self, values: dict[str, Any]) -> list[tuple[Config, Prepared]]:
        """Of a setting: each data set in turn, with each seed."""
        found = []
        for base in self.bases:
            for i in range(self.seeds):
                config = with_values(base, {**values, "seed": base.seed + i})
                found.append((config, self.prepared(config)))
        return found

    def runs(self, values: dict[str, Any]) -> list[Run]:
        """Of a setting, without writing anything."""
        return [plan_run(config, data)[0] for config, data in self.configs(values)]

    def plan(self, values: dict[str, Any]) -> list[PlannedRun]:
        runs = []
        for config, data in self.configs(values):
            run, record = plan_run(config, data)
            keep_record(run, record)
            parts = [f"data={data.name}"] if len(self.bases) > 1 else []
            parts += [f"seed={config.seed}"] if self.seeds > 1 else []
            runs.append(PlannedRun(run, " ".join(parts)))
        return runs

    def measure(self, results: list[dict[str, Any]]) -> list[float]:
        if not all(r.get("judge") for r in results):
            return []
        scores = [r["judge"]["score"][r["judge"]["primary"]] for r in results]
        by_data = [scores[i : i + self.seeds] for i in range(0, len(scores), self.seeds)]
        measured = [mean_distance(by_data)]
        if self.objective == "quality+time":
            measured.append(fmean(r["training_seconds"] for r in results))
        if self.objective == "quality+size":
            measured.append(float(sum(results[0]["parameters"].values())))
        return measured

    def _error(self, results: list[dict[str, Any]]) -> float | None:
        """The standard error of the distance over draws of latents; None if a run has none."""
        judged = [r["judge"] for r in results]  # `measure` has seen that all are
        errors = [judge["score"].get(f"{judge['primary']}_error") for judge in judged]
        values = [judge["score"][judge["primary"]] for judge in judged]
        if None in errors or 0 in values:
            return None
        relative = math.hypot(*(e / v for e, v in zip(errors, values, strict=True))) / len(values)
        return self.measure(results)[0] * relative

    def illustrate(self, trial: optuna.Trial, runs: list[Run]) -> None:
        """What a dashboard shows beside the numbers: the pictures, and how to repeat the run."""
        from optuna.artifacts import FileSystemArtifactStore, upload_artifact

        folder = runs[0].folder.parents[1] / "sweeps" / trial.study.study_name / "artifacts"
        folder.mkdir(parents=True, exist_ok=True)
        store = FileSystemArtifactStore(str(folder))
        lines = []
        for run in runs:
            record = read_json(run.config) or {}
            lines += [f"* run `{run.id}`: `{record.get('command', '')}`"]
            picture = run.best_picture if run.best_picture.exists() else run.picture
            if picture.exists():
                upload_artifact(artifact_store=store, file_path=str(picture), study_or_trial=trial)
        error = self._error([read_json(run.result) or {} for run in runs])
        if error is not None:
            trial.set_user_attr(ERROR, error)
        trial.set_user_attr("command", (read_json(runs[0].config) or {}).get("command", ""))
        try:
            from optuna_dashboard import save_note
        except ImportError:
            return  # its notes are its own; the command stands in the attributes
        save_note(trial, "\n".join(lines))


def objective_label(plan: SearchPlan) -> str:
    """`FD (LeNet)`, or what a mean over several data sets is called."""
    from gansweep.judge.metrics import METRICS
    from gansweep.judge.reference import metrics_of

    labels = [METRICS[metrics_of(plan.prepared(base))[0]].label for base in plan.bases]
    return labels[0] if len(labels) == 1 else "mean of " + " and ".join(labels)


def _run(plan: SearchPlan) -> bool:
    """Train until the study has its trials. Returns whether it was interrupted."""
    settings = plan.settings
    objectives = 2 if settings.objective in SECOND else 1
    if objectives > 1 and settings.sampler in ("cmaes",):
        raise UserError(f"sampler={settings.sampler} knows one objective; use tpe or nsga2")
    meant = _meant(plan.space, plan.bases, plan.prepared, settings)
    plan.folder.mkdir(parents=True, exist_ok=True)
    study = open_study(settings, plan.name, plan.folder, objectives, meant)
    label = objective_label(plan)
    study.set_metric_names([label, *([SECOND[settings.objective]] if objectives > 1 else [])])
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
        f"{settings.pruner if objectives == 1 else 'none, as there are two objectives'}"
    )
    if dead:
        console.print(f"  {dead} trials of a search that ended are tried again")
    write_manifest(plan, study, label)  # another machine may have had all the trials
    if done >= settings.trials:
        return False

    from gansweep.launch.local import LocalSweep, prepare

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
    try:
        while True:
            sweep = LocalSweep(task, [], feed=search)
            sweep.name = plan.name
            sweep.run()
            # Another search on this study may have died meanwhile, and with it trials that counted.
            if not tell_the_dead(study):
                break
    except KeyboardInterrupt:
        console.print("\ninterrupted: what is finished is kept")
        return True
    finally:
        with suppress(OSError):  # a full disk has been told already
            searcher.close()
            write_manifest(plan, study, label)
    return False


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
    absent = sum(read_json(Run(out, t.user_attrs[RUNS][0]).config) is None for t in shown)
    if absent:  # a shared study, but folders of their own
        console.print(f"{absent} trials were trained elsewhere: their runs are not in {out}/runs")
    if absent == len(shown):
        return
    report = write_report(
        plan.name,
        out=out,
        reports=plan.settings.reports,
        thumbnail=plan.settings.thumbnail,
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
