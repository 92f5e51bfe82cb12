"""The trials of a search as rows of a table, the best first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gansweep.config import from_record
from gansweep.planning.plan import shown_params, take_common
from gansweep.report.stored_study import RUNS, WHY, counted, feasible, value_text
from gansweep.store.manifest import Manifest, Row, Table
from gansweep.store.run import Run, read_json

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

    from gansweep.search.plan import SearchPlan

SECOND = {"quality+time": "training seconds", "quality+size": "parameters"}  # second objectives


def standings(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that have runs: the best first, then those that are dead, were pruned, failed."""
    order = {"COMPLETE": 0, "PRUNED": 2, "FAIL": 3, "RUNNING": 4}
    shown = [
        t
        for t in study.get_trials(deepcopy=False)
        if t.user_attrs.get(RUNS)
        and t.state.name in order
        and (t.state.name == "COMPLETE" or counted(t))
    ]

    def key(trial: FrozenTrial) -> tuple[float, float, int]:
        rank = order[trial.state.name]
        if rank == 0 and not feasible(trial):
            rank = 1
        values = trial.values or list(trial.intermediate_values.values())[-1:] or [float("inf")]
        return rank, values[0], trial.number

    return sorted(shown, key=key)


def write_manifest(plan: SearchPlan, study: optuna.Study, label: str) -> None:
    """The manifest of a table of all trials so far, the best first."""
    rows = []
    pruned = {}
    ranks = standings(study)
    for trial in ranks:
        run_ids = trial.user_attrs[RUNS]
        params = (read_json(Run(plan.settings.out, run_ids[0]).config) or {}).get("params")
        if params is None:
            continue
        facts = {"trial": str(trial.number)}
        values = trial.values or []
        facts[label] = value_text(trial) if values else "–"
        if len(values) > 1:
            facts[SECOND[plan.settings.objective]] = f"{values[1]:,.0f}"
        why = trial.user_attrs.get(WHY, "")
        if trial.state.name == "PRUNED":
            facts[label] = why
            pruned[run_ids[0]] = why
        row = Row(shown_params(from_record(params)), facts=facts)
        for place, run_id in enumerate(run_ids):
            picture = plan.labels[place // plan.settings.seeds_per_trial]
            row.runs.setdefault(picture, []).append(run_id)
        rows.append(row)
    if not rows:
        return
    facts_shown = list(dict.fromkeys(name for row in rows for name in row.facts))
    Manifest(
        name=plan.name,
        title=plan.title,
        command=plan.command,
        pictures=list(dict.fromkeys(plan.labels)),
        common=take_common(rows),
        tables=[Table(plan.space.names(), list(range(len(rows))), facts=facts_shown)],
        rows=rows,
        titles={run_id: f"trial {t.number}" for t in ranks for run_id in t.user_attrs[RUNS]},
        pruned=pruned,
        search={"storage": plan.settings.storage, "label": label},
    ).write(plan.settings.out)
