"""From a proposed setting to planned runs, and from their results to values for the study."""

from __future__ import annotations

import math
import zlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gansweep.config import Config
from gansweep.launch.task import PlannedRun
from gansweep.planning.changed import report_changed_networks
from gansweep.planning.compose import with_values
from gansweep.planning.identity import plan_run
from gansweep.planning.plan import keep_record
from gansweep.plugins import SAMPLERS
from gansweep.report.stored_study import ERROR
from gansweep.search.objectives import second_objective
from gansweep.search.plan import SearchPlan
from gansweep.search.search import mean_distance
from gansweep.store.run import Run, read_json
from gansweep.training.data import Prepared
from gansweep.training.metrics.registered import primary_and_second

if TYPE_CHECKING:
    import optuna

STARTING = 10  # trials before a model proposes: TPE's own number


class GanPlanner:
    """Makes GAN runs of proposals; see `search.Planner`."""

    def __init__(self, plan: SearchPlan) -> None:
        self.space = plan.space
        self.bases = plan.bases
        self.prepared = plan.prepared
        self.seeds = plan.settings.seeds_per_trial
        self.metric = primary_and_second(plan.bases[0].data.name)[0]
        self.second = second_objective(plan.settings.objective)
        self.models = SAMPLERS[plan.settings.sampler].model
        self._reported: set[str] = set()  # of networks that have changed
        self.seed = zlib.crc32(f"{plan.name} {plan.settings.seed}".encode())  # of the design

    def propose(self, trial: optuna.Trial) -> dict[str, Any]:
        return self.space.propose(trial, self.bases[0])

    def start(self, number: int) -> dict[str, Any] | None:
        """The defaults, then settings that fill the space: where a model knows nothing yet."""
        if number >= STARTING or not self.models:
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
            runs.append(PlannedRun(run, " ".join(parts), judged=True))
            if not self._reported & {f"gen={config.gen}", f"disc={config.disc}"} and run.complete():
                self._reported |= set(report_changed_networks([(run, config)]))
        return runs

    def measure(self, results: list[dict[str, Any]]) -> list[float]:
        if not all(r.get("judge") for r in results):
            return []
        scores = [r["judge"]["score"][r["judge"]["primary"]] for r in results]
        by_data = [scores[i : i + self.seeds] for i in range(0, len(scores), self.seeds)]
        measured = [mean_distance(by_data)]
        if self.second is None:
            return measured
        second = self.second.value(results)
        return [] if second is None else [*measured, second]

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
            picture = run.best_picture if run.best_picture.is_file() else run.picture
            if picture.is_file():
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
