"""Adds the results of earlier sweeps to a study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gansweep.config import from_record, value_of
from gansweep.report.stored_study import RUNS, UNCOUNTED, VIOLATIONS, constraints_of
from gansweep.search.samplers import has_named_constraints
from gansweep.search.study import constraint_attributes
from gansweep.store.errors import UserError
from gansweep.store.manifest import read_manifest
from gansweep.store.run import Run
from gansweep.training.metrics.equilibrium import alive

if TYPE_CHECKING:
    import optuna

    from gansweep.search.gan_planner import GanPlanner


def warm_start(study: optuna.Study, planner: GanPlanner, sweeps: list[str], out: str) -> int:
    """Add the finished settings of earlier sweeps that lie in the space. Returns their number.

    A setting is added if all its runs are done and alive. Added trials do not count as trials of
    the search.
    """
    known = {tuple(t.user_attrs.get(RUNS, ())) for t in study.get_trials(deepcopy=False)}
    added = 0
    for sweep in sweeps:
        rows = read_manifest(out, sweep).rows
        for run_id in dict.fromkeys(r for row in rows for runs in row.runs.values() for r in runs):
            setting = _setting(planner, Run(out, run_id))
            if setting is None or tuple(setting["user_attrs"][RUNS]) in known:
                continue
            known.add(tuple(setting["user_attrs"][RUNS]))
            setting["user_attrs"]["from"] = sweep
            _add(study, setting)
            added += 1
    return added


def _setting(planner: GanPlanner, run: Run) -> dict[str, Any] | None:
    """Return the arguments of the trial that the planner would plan with the run's parameters.

    Returns None if there is no such trial, or if its runs are not all done and alive.
    """
    record = run.read_config()
    if record is None or "params" not in record or not run.complete():
        return None
    try:
        config = from_record(record["params"])
    except UserError:  # this version does not know a value
        return None
    space, base = planner.space, planner.bases[0]
    values = {name: value_of(config, name) for name in space.names()}
    proposed, distributions = space.proposed(values, base), space.distributions(values, base)
    if not all(_contains(distributions[name], proposed[name]) for name in proposed):
        return None
    # The parameters that are not searched are equal too if the planner plans this very run.
    runs = planner.runs(values)
    if run.id not in [r.id for r in runs] or not all(r.complete() for r in runs):
        return None
    results = [result for r in runs if (result := r.read_result()) is not None]
    verdicts = [judge for result in results if (judge := result.get("judge"))]
    if len(verdicts) < len(runs) or not all(alive(judge["flags"]) for judge in verdicts):
        return None
    measured = planner.measure(results)
    if not measured:
        return None
    attributes = {RUNS: [r.id for r in runs], UNCOUNTED: True, "command": record.get("command")}
    if violations := planner.violations(runs):
        attributes |= constraint_attributes(0.0, violations)
    return {
        "params": proposed,
        "distributions": distributions,
        "values": measured,
        "user_attrs": attributes,
    }


def _add(study: optuna.Study, setting: dict[str, Any]) -> None:
    from optuna.trial import create_trial

    if VIOLATIONS in setting["user_attrs"]:
        constraints = constraints_of(setting["user_attrs"])
        if has_named_constraints():
            setting = {**setting, "constraints": constraints}
        else:  # the samplers of Optuna 4 store the sum themselves, but only of a trial they propose
            total = sum(max(0.0, violation) for violation in constraints.values())
            setting = {**setting, "system_attrs": {"constraints": [total]}}
    study.add_trial(create_trial(**setting))


def _contains(distribution: Any, value: Any) -> bool:
    try:
        return bool(distribution._contains(distribution.to_internal_repr(value)))
    except ValueError:
        return False
