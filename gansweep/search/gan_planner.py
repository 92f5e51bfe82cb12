"""Plans the GAN runs of a proposed setting, and computes the objectives from their results."""

from __future__ import annotations

import dataclasses
import itertools
import math
import zlib
from functools import cached_property
from statistics import fmean
from typing import TYPE_CHECKING, Any

from gansweep.config import Config, with_values
from gansweep.launch.task import PlannedRun
from gansweep.planning.changed import report_changed_networks
from gansweep.planning.identity import plan_run
from gansweep.planning.plan import keep_record
from gansweep.plugins import METRICS, SAMPLERS
from gansweep.report.stored_study import ERROR
from gansweep.search.constraint import violations_of
from gansweep.search.objectives import second_objective
from gansweep.search.plan import SearchPlan
from gansweep.search.standings import table_params
from gansweep.store.check import number
from gansweep.store.records import EvaluationLine, Result
from gansweep.store.run import Run
from gansweep.training.data import Prepared
from gansweep.training.metrics.registered import primary_and_second
from gansweep.training.sample_sizes import common_size

if TYPE_CHECKING:
    import optuna

LENGTH = ("batch_size", "steps", "epochs", "limit")  # what decides about a run's images
STARTUP_TRIALS = 10  # trials before a model proposes, as in Optuna's TPESampler


class GanPlanner:
    """Plans the GAN runs of proposed settings; see `planner.Planner`."""

    def __init__(self, plan: SearchPlan) -> None:
        self.space = plan.space
        self.bases = plan.bases
        self.prepared = plan.prepared
        self.seeds = plan.settings.seeds_per_trial
        self.labels = plan.labels
        self.constraint = plan.constraint
        self.metric = primary_and_second(plan.bases[0].data.name, plan.bases[0].best_by)[0]
        self.second = second_objective(plan.settings.objective)
        self.second_name = plan.settings.objective.partition("+")[2]
        self.has_model = SAMPLERS[plan.settings.sampler].model
        self._reported: set[str] = set()  # networks whose change was reported
        self.seed = zlib.crc32(f"{plan.name} {plan.settings.seed}".encode())

    def propose(self, trial: optuna.Trial) -> dict[str, Any]:
        return self.space.propose(trial, self.bases[0])

    def start(self, number: int) -> dict[str, Any] | None:
        """Return the defaults for trial 0 and then settings that fill the space.

        Returns None for later trials, and for samplers without a model.
        """
        if number >= STARTUP_TRIALS or not self.has_model:
            return None
        defaults = self.space.defaults(self.bases[0]) if number == 0 else None
        return defaults or self.design[number]

    @cached_property
    def design(self) -> list[dict[str, Any]]:
        """The settings of the first STARTUP_TRIALS trials."""
        return self.space.design(STARTUP_TRIALS, self.seed)

    def configs(self, values: dict[str, Any]) -> list[tuple[Config, Prepared]]:
        """Return the configurations of a setting, one for each data set and seed."""
        configs = []
        for base, size in zip(self.bases, self.judge_images, strict=True):
            for i in range(self.seeds):
                config = with_values(base, {**values, "seed": base.seed + i})
                if size is not None:
                    config = dataclasses.replace(config, judge_images=size)
                configs.append((config, self.prepared(config)))
        return configs

    @cached_property
    def judge_images(self) -> list[int | None]:
        """The number of images of every trial's score, for each data set."""
        return [self._score_size(base) for base in self.bases]

    def _score_size(self, base: Config) -> int | None:
        """Return the number of images of every trial's score, that of the shortest possible trial.

        Returns None if all trials have the same number anyway.
        """
        of_length = [d for d in self.space.dimensions if d.name in LENGTH]
        if not of_length:
            return None
        bounds = [[d.values(v) for v in d.choices or (d.low, d.high)] for d in of_length]
        corners = [
            with_values(base, {name: value for part in parts for name, value in part.items()})
            for parts in itertools.product(*bounds)
        ]
        return common_size((config, self.prepared(config)) for config in corners)

    def runs(self, values: dict[str, Any]) -> list[Run]:
        """Return the runs of a setting without writing anything."""
        return [plan_run(config, data)[0] for config, data in self.configs(values)]

    def plan(self, values: dict[str, Any]) -> list[PlannedRun]:
        runs = []
        for config, data in self.configs(values):
            run, record = plan_run(config, data)
            keep_record(run, record)
            parts = [f"data={data.name}"] if len(self.bases) > 1 else []
            parts += [f"seed={config.seed}"] if self.seeds > 1 else []
            runs.append(PlannedRun(run, " ".join(parts), True, data.name))
            if not self._reported & {f"gen={config.gen}", f"disc={config.disc}"} and run.complete():
                self._reported |= set(report_changed_networks([(run, config)]))
        return runs

    def measure(self, results: list[Result]) -> list[float]:
        scores = [value for value, _ in _distances(results)]
        if len(scores) < len(results):
            return []
        by_data = [scores[i : i + self.seeds] for i in range(0, len(scores), self.seeds)]
        measured = [mean_distance(by_data)]
        if self.second is None:
            return measured
        second = self.second.value(results)
        return [] if second is None else [*measured, second]

    def violations(self, runs: list[Run]) -> dict[str, float]:
        """Return by how much finished runs, in the order of `plan`, violate each condition."""
        record = runs[0].read_config() if self.constraint else None
        by_picture: dict[str, list[Run]] = {}
        for index, run in enumerate(runs):
            by_picture.setdefault(self.labels[index // self.seeds], []).append(run)
        params = table_params(record["params"]) if record else {}
        return violations_of(self.constraint, params, by_picture)

    def early(self, run: Run, best: EvaluationLine) -> float | None:
        if self.second is None or self.second.early is None:
            return None
        return self.second.early(run, best)

    def why_not_measured(self, results: list[Result]) -> str:
        names = [self.second_name] if self.second_name in METRICS else []
        for result in results:
            judge = result.get("judge")
            if not judge:
                return "a run was not judged"
            for name in (judge["primary"], *names):
                if number(judge["score"], name) is None:
                    absent = "not measured" if name not in judge["score"] else "not a finite number"
                    return f"metric {name}: {judge.get('errors', {}).get(name, absent)}"
        return f"a result has no {self.second_name or 'value'}"

    def _error(self, results: list[Result]) -> float | None:
        """Return the standard error of the distance over draws of latents.

        The relative errors of the runs are combined as those of a geometric mean. Returns None if a
        run has no error or a distance of 0.
        """
        relative = [e / value for value, e in _distances(results) if e is not None and value]
        if not results or len(relative) < len(results):
            return None
        return self.measure(results)[0] * math.hypot(*relative) / len(relative)

    def illustrate(self, trial: optuna.Trial, runs: list[Run]) -> None:
        """Add the pictures of a trial's runs and the commands that repeat them, for dashboards."""
        from optuna.artifacts import FileSystemArtifactStore, upload_artifact

        folder = runs[0].folder.parents[1] / "sweeps" / trial.study.study_name / "artifacts"
        folder.mkdir(parents=True, exist_ok=True)
        store = FileSystemArtifactStore(str(folder))
        lines = []
        for run in runs:
            lines += [f"* run `{run.id}`: `{_command(run)}`"]
            picture = run.best_picture if run.best_picture.is_file() else run.picture
            if picture.is_file():
                upload_artifact(artifact_store=store, file_path=str(picture), study_or_trial=trial)
        error = self._error([r for run in runs if (r := run.read_result()) is not None])
        if error is not None:
            trial.set_user_attr(ERROR, error)
        trial.set_user_attr("command", _command(runs[0]))
        try:
            from optuna_dashboard import save_note
        except ImportError:
            return  # only the dashboard has notes; the command is an attribute too
        save_note(trial, "\n".join(lines))


def _distances(results: list[Result]) -> list[tuple[float, float | None]]:
    """Return the distance of each judged run and its standard error, or None without one."""
    distances = []
    for result in results:
        if judge := result.get("judge"):
            score, metric = judge["score"], judge["primary"]
            value = number(score, metric)
            if value is not None:
                distances.append((value, number(score, f"{metric}_error")))
    return distances


def _command(run: Run) -> str:
    record = run.read_config()
    return record.get("command", "") if record else ""


def mean_distance(values: list[list[float]]) -> float:
    """Return the geometric mean over data sets of the arithmetic mean over seeds.

    values: for each data set the distances of its seeds. The geometric mean weighs data sets alike,
    whatever the scale of their distances. Ranks among the trials would be fairer, but each new
    trial would change the ranks of earlier trials, and a study cannot change finished values.
    """
    means = [fmean(distances) for distances in values]
    if len(means) == 1:
        return means[0]
    return math.exp(fmean(math.log(max(mean, 1e-9)) for mean in means))
