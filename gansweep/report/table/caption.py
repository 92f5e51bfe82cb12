"""What was really run, in words: the part of a report that keeps its pictures honest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any

from gansweep.config import DEFAULTS, HYPERPARAMETERS
from gansweep.plugins import DATASETS, METRICS
from gansweep.report.table.cell import BEST, TIE, least_difference
from gansweep.report.table.collect import Results
from gansweep.report.table.cut_off import cut_off
from gansweep.report.table.judged import distance, legend
from gansweep.report.table.outcome import Outcome, warnings_of
from gansweep.report.table.text import format_param, format_value
from gansweep.store.records import steps_per_epoch
from gansweep.training.metrics.equilibrium import FLAGS

# Always told, as columns or in the caption: the documents' own columns.
TOLD = (
    "gen", "disc", "gen_drop", "disc_drop", "smooth", "alpha", "batch_size", "z_dim", "lr", "beta1",
)  # fmt: skip


def caption(results: Results) -> list[str]:
    """Sentences: one for what all rows share, one a data set, one for where it ran, the gaps."""
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
            "Learning rates are those of full width, from which each layer's own follows at this "
            "width (parametrization=mup)."
        )
    judged = [o.judge for o in everything if o.judge]
    lines += [f"{line}." for line in (*legend(judged), *_marks(results))]
    lines += [f"{line}." for picture in results.pictures for line in _dead(results, picture)]
    if place := _place(everything):
        lines.append(place)
    lines.append(_count(everything))
    lines += [f"{line}." for line in cut_off(results)]
    return lines


def _marks(results: Results) -> list[str]:
    """What bold and ≈ mean, where they stand, and what a single seed leaves open."""
    cells = [cell for row in results.rows for cell in row.cells.values() if cell.values]
    marks = {cell.mark for cell in cells}
    lines = ["in bold the best of its column"] if BEST in marks else []
    single = all(len(cell.values) == 1 for cell in cells)
    if TIE in marks:
        how = "fresh latents alone can make the difference" if single else "by a test over seeds"
        lines.append(f"≈ not told apart from the best: {how} (p ≥ 0.05)")
    lines += [line for picture in results.pictures for line in _noise(results, picture)]
    if BEST in marks and single:
        lines.append("one seed a row: other seeds differ by more than that, gansweep confirm tells")
    return lines


def _noise(results: Results, picture: str) -> list[str]:
    """The least difference of two rows that is more than chance, by the errors of the alive."""
    cells = [row.cells[picture] for row in results.rows]
    known = [cell for cell in cells if cell.error and all(run.alive for run in cell.judged)]
    if len(known) < 2 or len({cell.metric for cell in known}) > 1:
        return []
    error = median(cell.error or 0 for cell in known)
    least = distance(known[0].metric, least_difference(error, error), error)
    several = any(len(cell.values) > 1 for cell in known)
    over = "seeds" if several else "latents of the same weights"
    label = METRICS.entry(known[0].metric).label
    return [f"{picture}: {label} differs by {least} between {over} by chance"]


def _dead(results: Results, picture: str) -> list[str]:
    """Where no run of a column is alive: how they ended, and what else to try."""
    judged = [run for row in results.rows for run in row.cells[picture].judged]
    if not judged or any(run.alive for run in judged):
        return []
    counts = Counter(word for run in judged for word in warnings_of(run))
    ends = ", ".join(f"{count} {word}" for word, count in counts.most_common())
    steps = [run.config["identity"]["steps"] for run in judged if run.config]
    after = f" after {_span(steps)} steps" if steps else ""
    late = counts[FLAGS["never started"].word] > len(judged) / 2
    remedy = "more steps or a higher learning rate" if late else "a lower learning rate"
    return [f"{picture}: nothing is alive{after} ({ends}); try {remedy}"]


def _shared(results: Results) -> str:
    """`alpha 0.2, batch size 32`: what no table shows because every row has it."""
    columns = [column for table in results.tables for column in table.columns]
    shown = {name for column in columns for name in column.name.split(" / ")}
    rows = [row.params for row in results.rows]
    parts = []
    for name, param in HYPERPARAMETERS.items():
        if name in shown or param.group == "budget" or name == "width":
            continue
        if name not in rows[0]:  # a manifest from before this parameter was there
            continue
        texts = {format_param(name, params) for params in rows}
        if len(texts) == 1 and (name in TOLD or rows[0][name] not in (None, DEFAULTS[name])):
            parts.append(f"{param.label} {texts.pop()}")
    return ", ".join(parts)


def _data(outcomes: list[Outcome]) -> str:
    """`mnist5k, 5,000 images of 28×28, 600 steps (3.8 epochs), widths G 0.125 and D 0.25`."""
    configs = [o.config for o in outcomes if o.config]
    if not configs:
        return "nothing is known of its data yet"
    identities = [c["identity"] for c in configs]
    names = dict.fromkeys(_named(c["data"]["name"]) for c in configs)
    images = _span((c["data"]["images"] for c in configs), "{:,}")
    sizes = " and ".join(sorted({f"{c['data']['size']}×{c['data']['size']}" for c in configs}))
    steps = _span(i["steps"] for i in identities)
    epochs = _span(round(c["identity"]["steps"] / steps_per_epoch(c), 1) for c in configs)
    widths = [_span(i["gen_width"] for i in identities), _span(i["disc_width"] for i in identities)]
    seeds = sorted({o.seed for o in outcomes})
    return (
        f"{' and '.join(names)}, {images} images of {sizes}, "
        f"{steps} steps ({epochs} epochs), width G {widths[0]}, D {widths[1]}, "
        f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"
    )


def _named(data_set: str) -> str:
    """With what its name does not say."""
    note = DATASETS[data_set].note if data_set in DATASETS else ""
    return f"{data_set} ({note})" if note else data_set


def _span(values: Iterable[float], form: str = "") -> str:
    """`20`, or `20 to 40`."""
    ordered = sorted(set(values))
    ends = dict.fromkeys([ordered[0], ordered[-1]])
    return " to ".join(form.format(v) if form else format_value(v) for v in ends)


def _place(outcomes: list[Outcome]) -> str:
    """Device, precision, versions and commit of the finished runs."""
    done = [o for o in outcomes if o.status == "done"]
    places = [o.environment for o in done if o.environment]
    if not places:
        return ""

    def all_of(values: Iterable[object]) -> str:
        return ", ".join(sorted({str(v) for v in values}))

    devices = all_of(f"{place['device']} ({place['hardware']})" for place in places)
    precision = all_of(o.config["identity"]["precision"] for o in done if o.config)
    torch = all_of(place["packages"].get("torch") for place in places)
    commits = all_of(place["commit"] or "no checkout" for place in places)
    version = all_of(place["gansweep"] for place in places)
    return f"Trained on {devices} in {precision}, torch {torch}, gansweep {version} ({commits})."


def _count(outcomes: list[Outcome]) -> str:
    runs = {o.run_id: o for o in outcomes}
    done = [o.result for o in runs.values() if o.result and o.status == "done"]
    counts: dict[str, int] = {}
    for o in runs.values():
        counts[o.status] = counts.get(o.status, 0) + 1
    text = ", ".join(f"{n} {status}" for status, n in counts.items())
    seconds = [r["training_seconds"] for r in done]
    if not seconds:
        return f"Runs: {text or 'none'}."
    return f"Runs: {text}; training took {_span(round(s) for s in seconds)} s a run."
