"""Writes the trials of a search as the rows of a table, the best first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gansweep.config import HYPERPARAMETERS, from_record
from gansweep.planning.plan import shown_params, take_common
from gansweep.report.stored_study import (
    RUNS,
    WHY,
    counted,
    feasible,
    sign_of,
    value_text,
    violated,
)
from gansweep.report.table.votes import places_by_eye
from gansweep.search.objectives import EYE, second_objective
from gansweep.store.errors import UserError
from gansweep.store.find_run import TRIAL
from gansweep.store.manifest import Manifest, Row, Table
from gansweep.store.passwords import without_password
from gansweep.store.run import Run
from gansweep.store.sweep_records import SearchRecord
from gansweep.training.metrics.registered import primary_and_second

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

    from gansweep.search.plan import SearchPlan


def ranked_trials(
    study: optuna.Study, places: Mapping[str, int] | None = None
) -> list[FrozenTrial]:
    """Return the trials that have runs, ranked.

    places: of a search by eye the place of each run in the votes, which comes before the objective.

    Complete trials that meet all constraints come first, from the best to the worst. Then come
    complete trials that do not, pruned, failed and running trials.
    """
    sign = sign_of(study)
    order = {"COMPLETE": 0, "PRUNED": 2, "FAIL": 3, "RUNNING": 4}
    shown = [
        t
        for t in study.get_trials(deepcopy=False)
        if t.user_attrs.get(RUNS)
        and t.state.name in order
        and (t.state.name == "COMPLETE" or counted(t))
    ]

    def key(trial: FrozenTrial) -> tuple[float, float, float, int]:
        rank = order[trial.state.name]
        if rank == 0 and not feasible(trial):
            rank = 1
        values = trial.values or list(trial.intermediate_values.values())[-1:]
        place = (places or {}).get(trial.user_attrs[RUNS][0], math.inf)
        return rank, place, sign * values[0] if values else math.inf, trial.number

    return sorted(shown, key=key)


def write_manifest(plan: SearchPlan, study: optuna.Study, label: str) -> None:
    """Write the manifest: one table of all trials so far, the best first.

    label: the column of the first objective. Nothing is written before the first trial has a run.
    """
    metric = primary_and_second(plan.bases[0].data.name, plan.bases[0].best_by)[0]
    rows = []
    pruned = {}
    failed = {}
    outsiders: dict[str, str] = {}
    second = second_objective(plan.settings.objective)
    storage = plan.settings.storage
    by_eye = plan.settings.objective == EYE
    places = places_by_eye(plan.settings.out, plan.name, plan.labels[0]) if by_eye else {}
    trials = ranked_trials(study, places)
    for trial in trials:
        run_ids = trial.user_attrs[RUNS]
        record = Run(plan.settings.out, run_ids[0]).read_config()
        if record is None or "params" not in record:
            continue
        facts = {TRIAL: str(trial.number)}
        if by_eye:
            facts["by eye"] = str(places.get(run_ids[0], "–"))
        values = trial.values or []
        facts[label] = value_text(trial, metric) if values else "–"
        if second is not None:
            facts[second.label] = second.text(values[1]) if len(values) > 1 else "–"
        why = trial.user_attrs.get(WHY, "")
        if trial.state.name == "PRUNED":
            facts[label] = why
            pruned[run_ids[0]] = why
        if trial.state.name == "FAIL":
            facts[label] = "failed"
            failed[str(trial.number)] = why.removeprefix("failed: ")
        if outside := violated(trial):
            outsiders |= dict.fromkeys(run_ids, outside)
        row = Row(table_params(record["params"]), facts=facts)
        for index, run_id in enumerate(run_ids):
            picture = plan.labels[index // plan.settings.seeds_per_trial]
            row.runs.setdefault(picture, []).append(run_id)
        rows.append(row)
    if not rows:
        return
    fact_names = list(dict.fromkeys(name for row in rows for name in row.facts))
    Manifest(
        name=plan.name,
        title=plan.title,
        command=plan.command,
        pictures=list(dict.fromkeys(plan.labels)),
        common=take_common(rows),
        tables=[Table(plan.space.names(), list(range(len(rows))), facts=fact_names)],
        rows=rows,
        titles={run_id: f"trial {t.number}" for t in trials for run_id in t.user_attrs[RUNS]},
        pruned=pruned,
        search={
            "storage": storage and without_password(storage),
            "label": label,
            "metric": metric,
            "failed": failed,
            **_constraint(plan, outsiders),
            **({"eye": True} if by_eye else {}),
        },
    ).write(plan.settings.out)


def _constraint(plan: SearchPlan, outside: dict[str, str]) -> SearchRecord:
    if plan.settings.constraint is None:
        return {}
    return {"constraint": plan.settings.constraint, "outside": outside}


def table_params(recorded: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that a table may show.

    Values that this version does not know are shown as they were recorded.
    """
    try:
        return shown_params(from_record(recorded))
    except UserError:
        return {name: value for name, value in recorded.items() if name in HYPERPARAMETERS}
