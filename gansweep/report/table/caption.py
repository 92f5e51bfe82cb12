"""The caption of a report: sentences on the training, the data, the metrics and the marks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any

from gansweep.components import WHOLE, is_option
from gansweep.config import DEFAULTS, HYPERPARAMETERS, ordered, parameter
from gansweep.plugins import METRICS
from gansweep.report.table.cell import BEST, TIE, least_difference
from gansweep.report.table.collect import Results, failed_trials
from gansweep.report.table.cut_off import cut_off, longer_command
from gansweep.report.table.judged import distance, legend
from gansweep.report.table.outcome import Outcome, warnings_of
from gansweep.report.table.text import format_count, format_data, format_param, format_value
from gansweep.store.check import number
from gansweep.store.records import steps_per_epoch
from gansweep.training.metrics.equilibrium import FLAGS, alive

# The parameters in the documents' tables. Every report shows these in columns or in the caption.
ALWAYS_SHOWN = (
    "gen", "disc", "gen_drop", "disc_drop", "smooth", "alpha", "batch_size", "z_dim", "lr", "beta1",
)  # fmt: skip


def caption(results: Results) -> list[str]:
    """Return the sentences of the caption.

    The sentences give the shared parameters, the data of each picture column, the meaning of the
    metrics and marks, hardware and versions, the runs by status, and results that were cut off.
    """
    lines = []
    if shared := _shared(results):
        lines.append(f"All rows: {shared}.")
    for picture in results.pictures:
        outcomes = [run for row in results.rows for run in row.cells[picture].runs]
        lines.append(f"{picture}: {_data(outcomes)}.")
    everything = results.outcomes()
    identities: list[Mapping[str, Any]] = [o.config["identity"] for o in everything if o.config]
    if any(identity.get("parametrization") == "mup" for identity in identities):
        lines.append(
            "Learning rates are given for full width; the rate of each layer at this width is "
            "derived from it (parametrization=mup)."
        )
    judged = [o.judge for o in everything if o.judge]
    scripts = any(identity.get("command") is not None for identity in identities)
    lines += [f"{line}." for line in legend(judged, by_scripts=scripts)]
    lines += [f"{line}." for line in (*_metric_columns(results), *_marks(results))]
    lines += [f"{line}." for picture in results.pictures for line in none_alive(results, picture)]
    if place := _place(everything):
        lines.append(place)
    lines.append(_count(everything))
    lines += [f"{line}." for line in (*_failed(results), *_outside(results))]
    lines += [f"{line}." for line in cut_off(results)]
    return lines


def _metric_columns(results: Results) -> list[str]:
    """Explain the metrics in columns of their own, apart from those that `legend` explains."""
    columns = {column.name for table in results.tables for column in table.columns}
    if results.search:  # the columns of the objectives have the labels of the metrics
        columns |= {m.name for m in METRICS if m.label in columns}
    judged = [run.judge for run in results.outcomes() if run.judge]
    explained = {name for j in judged for name in (j["primary"], j["score"].get("published"))}
    return [
        f"{m.label}: {', '.join(filter(None, (m.help.rstrip('.'), METRICS.better(m.name))))}"
        for m in METRICS
        if m.name in columns and m.name not in explained
    ]


def _marks(results: Results) -> list[str]:
    """Explain the marks that the tables use, and the uncertainty of the values."""
    cells = [cell for row in results.rows for cell in row.cells.values() if cell.values]
    marks = {cell.mark for cell in cells}
    lines = ["bold marks the best of a column"] if BEST in marks else []
    single = all(len(cell.values) == 1 for cell in cells)
    if TIE in marks:
        reason = "new latents alone can cause" if single else "a test over seeds cannot confirm"
        lines.append(f"≈ marks a value where {reason} the difference from the best (p ≥ 0.05)")
    lines += [line for picture in results.pictures for line in _noise(results, picture)]
    if BEST in marks and single:
        lines.append(
            "each row has a single seed: differences between seeds are larger, and "
            "gansweep confirm measures these"
        )
    return lines


def _noise(results: Results, picture: str) -> list[str]:
    """State the smallest significant difference of two rows, from the median standard error.

    Cells with a run that is not alive do not count. Returns nothing for fewer than two cells, and
    for cells with different metrics.
    """
    cells = [row.cells[picture] for row in results.rows]
    known = [cell for cell in cells if cell.error and all(run.alive for run in cell.judged)]
    if len(known) < 2 or len({cell.metric for cell in known}) > 1:
        return []
    error = median(cell.error or 0 for cell in known)
    least = distance(known[0].metric, least_difference(error, error), error)
    several = any(len(cell.values) > 1 for cell in known)
    source = "seeds" if several else "latents"
    label = METRICS.entry(known[0].metric).label
    return [f"{picture}: differences below {least} in {label} can be due to the {source} alone"]


def none_alive(results: Results, picture: str) -> list[str]:
    """Count the flags of a column in which no run is alive, and suggest other settings."""
    judged = [run for row in results.rows for run in row.cells[picture].judged]
    if not judged or any(run.alive for run in judged):
        return []
    counts = Counter(word for run in judged for word in warnings_of(run))
    found = ", ".join(_counted(word, count) for word, count in counts.most_common())
    if any(alive(run.flags) for run in judged):
        constraint = results.search.search.get("constraint") if results.search else None
        return [f"{picture}: no run is alive and meets {constraint or 'the constraint'} ({found})"]
    steps = _steps(judged)
    after = f" after {_span(steps)} steps" if steps else ""
    late = counts[FLAGS["never started"].word] > len(judged) / 2
    remedy = _more_steps(results, judged) if late else "a lower learning rate"
    return [f"{picture}: no run is alive{after} ({found}); try {remedy}"]


def _counted(word: str, count: int) -> str:
    """Return `2 collapsed`, `1 violates lr<1`, `2 violate lr<1`."""
    return f"{count} {word if count == 1 else word.replace('violates', 'violate', 1)}"


def _more_steps(results: Results, judged: list[Outcome]) -> str:
    """Return the remedy for runs that never learned, with the command that trains them longer.

    A higher learning rate is named too, unless a lower one has the better value.
    """
    longer = longer_command(results, judged, best_only=False)
    remedy = f"more steps ({longer})" if longer else "more steps"
    lead = min(judged, key=lambda run: METRICS.sign(run.primary) * (run.value or 0.0))
    rate, *rates = (
        number(run.config["params"] if run.config else {}, "lr") or 0.0 for run in (lead, *judged)
    )
    return remedy if max(rates) > rate else f"{remedy} or a higher learning rate"


def _failed(results: Results) -> list[str]:
    """Name the failed trials of a search by the reason: `2 trials failed (0, 1): …`."""
    by_reason: dict[str, list[str]] = {}
    for trial, why in failed_trials(results).items():
        by_reason.setdefault(why.rstrip("."), []).append(trial)
    return [
        f"{format_count(len(trials), 'trial')} failed ({', '.join(trials)}): {why}"
        for why, trials in by_reason.items()
    ]


def _outside(results: Results) -> list[str]:
    """State the constraint of a search, and how many of the rows violate it."""
    constraint = results.search.search.get("constraint") if results.search else None
    if not constraint:
        return []
    rows = [row for row in results.rows if any(run.outside for run in row.runs())]
    violate = "1 trial violates it" if len(rows) == 1 else f"{len(rows)} trials violate it"
    return [f"Constraint: {constraint}; {violate if rows else 'no trial violates it'}"]


def _shared(results: Results) -> str:
    """Return the parameters that all rows share and no column shows: `alpha 0.2, batch size 32`."""
    columns = [column for table in results.tables for column in table.columns]
    shown = {name for column in columns for name in column.name.split(" / ")}
    shown |= {name for row in results.rows for name in row.absent}  # parameters of later versions
    rows = [row.params for row in results.rows]
    parts = []
    for name in ordered(rows[0]):
        if not (name in HYPERPARAMETERS or is_option(name)):
            continue
        param = parameter(name)
        if any(rows[0].get(kind) is not None for kind in WHOLE) and rows[0][name] is None:
            continue  # a parameter of gansweep's own training
        if name in shown or param.group == "budget" or name == "width":
            continue
        if rows[0][name] == "auto":  # another line has the precision that was chosen
            continue
        texts = {format_param(name, params) for params in rows}
        default = DEFAULTS.get(name)
        if len(texts) == 1 and (name in ALWAYS_SHOWN or rows[0][name] not in (None, default)):
            parts.append(f"{param.label} {texts.pop()}")
    return ", ".join(parts)


def _data(outcomes: list[Outcome]) -> str:
    """Describe data, length, widths and seeds: `mnist5k, 5,000 images of 28×28, 600 steps …`."""
    configs = [o.config for o in outcomes if o.config]
    if not configs:
        return "no run has a readable configuration"
    identities: list[Mapping[str, Any]] = [c["identity"] for c in configs]
    names = dict.fromkeys(map(format_data, configs))
    images = _span((c["data"]["images"] for c in configs), "{:,}")
    sizes = " and ".join(sorted({f"{c['data']['size']}×{c['data']['size']}" for c in configs}))
    steps = f", {_span(steps)} steps" if (steps := _steps(outcomes)) else ""
    epochs = {
        round(c["identity"]["steps"] / per_epoch, 1)
        for c in configs
        if c["identity"]["steps"] and (per_epoch := steps_per_epoch(c))
    }
    passes = f" ({_span(epochs)} epochs)" if epochs else ""
    own = [i for i in identities if i.get("command") is None]  # a script's widths are unknown
    widths = [_span(i[name] for i in own) for name in ("gen_width", "disc_width")] if own else []
    width = f", width G {widths[0]}, D {widths[1]}" if widths else ""
    seeds = sorted({o.seed for o in outcomes})
    return (
        f"{' and '.join(names)}, {images} images of {sizes}{steps}{passes}{width}, "
        f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"
    )


def _steps(outcomes: Iterable[Outcome]) -> list[int]:
    """Return the numbers of steps of runs; a script without {steps} shows its own at its end."""
    found = []
    for run in outcomes:
        planned = run.config["identity"]["steps"] if run.config else None
        steps = planned or (run.result.get("steps") if run.result else None)
        found += [steps] if steps else []
    return found


def _span(values: Iterable[float], form: str = "") -> str:
    """Return the range of the values, `20 to 40`, or `20` if all are equal."""
    ordered = sorted(set(values))
    ends = dict.fromkeys([ordered[0], ordered[-1]])
    return " to ".join(form.format(v) if form else format_value(v) for v in ends)


def _place(outcomes: list[Outcome]) -> str:
    """State device, precision, versions and commits of the finished runs."""
    done = [o for o in outcomes if o.status == "done"]
    places = [o.environment for o in done if o.environment]
    if not places:
        return ""

    def all_of(values: Iterable[object]) -> str:
        return ", ".join(sorted({str(v) for v in values}))

    devices = all_of(f"{place['device']} ({place['hardware']})" for place in places)
    known = [p for o in done if o.config and (p := o.config["identity"]["precision"])]
    precision = f" in {all_of(known)}" if known else ""
    torch = all_of(place["packages"].get("torch") for place in places)
    commits = all_of(place["commit"] or "commit unknown" for place in places)
    version = all_of(place["gansweep"] for place in places)
    return f"Trained on {devices}{precision}, torch {torch}, gansweep {version} ({commits})."


def _count(outcomes: list[Outcome]) -> str:
    """Count the runs by status, and give the range of their training times."""
    runs = {o.run_id: o for o in outcomes}
    done = [o.result for o in runs.values() if o.result and o.status == "done"]
    counts: dict[str, int] = {}
    for o in runs.values():
        counts[o.status] = counts.get(o.status, 0) + 1
    text = ", ".join(f"{n} {status}" for status, n in counts.items())
    seconds = [r["training_seconds"] for r in done]
    if not seconds:
        return f"Runs: {text or 'none'}."
    return f"Runs: {text}; training took {_span(round(s) for s in seconds)} s per run."
