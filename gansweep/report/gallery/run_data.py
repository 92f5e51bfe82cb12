"""Gathers what the gallery shows of one run: its pictures over training, curves and facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gansweep.config import HYPERPARAMETERS, PARAMS
from gansweep.plugins import DATASETS, METRICS
from gansweep.report.gallery.words import short, steps_of, words_of
from gansweep.report.render.files import link_picture
from gansweep.report.render.real_images import RUNS
from gansweep.report.table.columns import RESULTS, ReportRow
from gansweep.report.table.judged import distance
from gansweep.report.table.outcome import Outcome
from gansweep.report.table.text import format_param, heading_of
from gansweep.store.check import number
from gansweep.store.records import EvaluationLine, MetricsLine
from gansweep.store.report_records import PageDetails, PageRun, Series
from gansweep.store.run import Run

MAX_POINTS = 400  # of a curve
ENOUGH = 50  # runs
UNFINISHED = ("running", "interrupted")


@dataclass
class RunReader:
    """Reads runs for the page. out: the output folder; folder: that of the report."""

    out: str | Path
    folder: Path

    def entry(self, row: str, title: str, place: int, run: Outcome) -> PageRun:
        """Link the pictures of a run into the report's folder, and return the entry of the run.

        row: the key of its row; title: the heading of its view; place: that of its picture column.
        """
        source = Run(self.out, run.run_id)
        target = self.folder / RUNS / run.run_id
        target.mkdir(parents=True, exist_ok=True)
        url = f"{RUNS}/{quote(run.run_id)}"
        full = link_picture(run.picture, target / "samples.png") if run.picture else False
        steps = {
            step: f"{url}/{path.name}"
            for step, path in source.sample_pictures().items()
            if link_picture(path, target / path.name)
        }
        equilibrium = run.equilibrium["step"] if run.equilibrium else None
        if equilibrium and link_picture(source.best_picture, target / "best.png"):
            steps[equilibrium] = f"{url}/best.png"
        nearest = equilibrium and link_picture(source.nearest, target / "nearest.png")
        found: PageRun = {
            "title": title,
            "row": row,
            "picture": place,
            "seed": run.seed,
            "status": run.status,
            "value": run.value,
            "text": run.headline,
            "words": words_of(run),
            "note": run.note,
            "full": f"{url}/samples.png" if full else None,
            "steps": [list(step) for step in sorted(steps.items())],
            "equilibrium": equilibrium,
            "nearest": f"{url}/nearest.png" if nearest else None,
        }
        if run.status in UNFINISHED:
            found["progress"], found["words"] = progress(source, run)
        return found

    def details(self, run: Outcome, row: ReportRow, names: list[str]) -> PageDetails:
        """Return what the page loads when a run is opened. names: the parameters to list."""
        source = Run(self.out, run.run_id)
        params = [
            [heading_of(name), format_param(name, row.params)]
            for name in names
            if name in row.params and (name in HYPERPARAMETERS or name not in PARAMS)
        ]
        facts = [["run", run.run_id], ["seed", str(run.seed)]]
        for entry in RESULTS:
            value = entry.build(run)
            if value is not None:
                facts.append([entry.heading, entry.text(value)])
        facts += [[label, f"{value:.4g}"] for label, value in run.measured()]
        if run.environment:
            environment = run.environment
            facts.append(["device", f"{environment['device']} ({environment['hardware']})"])
            facts.append(["torch", environment["packages"].get("torch") or "–"])
            facts.append(["gansweep", environment["gansweep"]])
        return {
            "params": params,
            "facts": facts,
            "command": run.config.get("command", "") if run.config else "",
            "series": [*_losses(source), *_distances(source, run)],
            "log": source.log_tail(20) if run.status != "done" else [],
        }


def progress(source: Run, run: Outcome) -> tuple[float | None, list[str]]:
    """Return the share of its steps that an unfinished run has trained, and its results in words.

    The share is None, and the list is empty, as long as nothing is known.
    """
    steps, lines, words = steps_of(run), source.read_metrics(last=1), []
    share = None
    if lines:
        step = lines[-1]["step"]
        words.append(f"step {step} of {steps}" if steps else f"step {step}")
        share = min(1.0, step / steps) if steps else None
    name = run.config["data"]["name"] if run.config else ""
    metric = str(DATASETS.entry(name).metrics[0]) if name in DATASETS else ""
    evaluations = source.read_evaluations() if metric else []
    values = [number(line, metric) for line in evaluations if line["step"] > 0]
    if known := [value for value in values if value is not None]:
        label = short(METRICS.entry(metric).label)
        words.append(f"{label} {distance(metric, known[-1])} so far")
    return share, words


def untrained(out: str | Path, runs: Sequence[Outcome]) -> float | None:
    """Return the median of the primary metric before the training; None if no run has it.

    The median is that of ENOUGH of the runs, as untrained generators differ little.
    """
    values = []
    for run in runs[:: -(-len(runs) // ENOUGH) or 1]:
        lines = Run(out, run.run_id).read_evaluations()
        if lines and lines[0]["step"] == 0:
            values.append(number(lines[0], run.primary))
    known = sorted(value for value in values if value is not None)
    return known[len(known) // 2] if known else None


def real_against_real(runs: Sequence[Outcome]) -> tuple[float | None, int | None]:
    """Return the median of the primary metric of real images, and their number in that run.

    Both are None if no run has it.
    """
    found = [
        (value, run.score.get("real_n"))
        for run in runs
        if (value := number(run.score, "real_value")) is not None
    ]
    found.sort(key=lambda each: each[0])
    return found[len(found) // 2] if found else (None, None)


def _losses(source: Run) -> list[Series]:
    records = _thinned(source.read_metrics())
    return [
        series
        for name, label in (("loss_d", "loss D"), ("loss_g", "loss G"))
        if (series := _series(records, name, label, "losses"))
    ]


def _distances(source: Run, run: Outcome) -> list[Series]:
    evaluations = source.read_evaluations()
    known = dict.fromkeys([*METRICS.names(), run.primary])
    names = [n for n in known if any(n in record for record in evaluations)]
    curves = []
    for name in names:
        label = METRICS.entry(name).label
        group = "distance" if name == run.primary or len(names) == 1 else label
        if series := _series(evaluations, name, label, group):
            curves.append(series)
    return curves


def _thinned(records: list[MetricsLine]) -> list[MetricsLine]:
    """Return at most MAX_POINTS records, evenly chosen. The last one is among them."""
    stride = -(-len(records) // MAX_POINTS) or 1
    return records[::-1][::stride][::-1]


def _series(
    records: Sequence[MetricsLine | EvaluationLine], name: str, label: str, group: str
) -> Series | None:
    """Return one curve for `curves.js`, or None if no record has a finite number `name`."""
    ys: list[Any] = [number(record, name) for record in records]
    if all(y is None for y in ys):
        return None
    return {"name": label, "group": group, "x": [record["step"] for record in records], "y": ys}
