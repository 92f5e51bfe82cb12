"""`python -m gansweep confirm SWEEP`: train the best rows again with fresh seeds.

The score of the best of many rows is biased, because the row was selected partly by chance. With
`width=1`, the best rows of narrow networks are trained at full width.
"""

from __future__ import annotations

import argparse
import math
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import fmean
from typing import Any

from gansweep.commands.again import PLAN, RETRY, missing_runs, train
from gansweep.commands.as_json import add_json, only_json
from gansweep.commands.slots import (
    HELP,
    add_config_dir,
    slots_in_command,
    take_slots,
    workers_of,
)
from gansweep.components import is_option
from gansweep.config import DEFAULTS, HYPERPARAMETERS, Config, from_record, with_values
from gansweep.launch.task import PlannedRun
from gansweep.planning.identity import plan_run
from gansweep.planning.overrides import as_arguments, read_axes
from gansweep.planning.plan import Preparer, keep_record, shown_params, take_common
from gansweep.plugins import METRICS
from gansweep.report.table.collect import Reader
from gansweep.report.table.judged import distance
from gansweep.report.table.outcome import Outcome, read_outcome
from gansweep.report.table.replicates import SIGNIFICANT, difference_test, spread
from gansweep.store.answers import ConfirmAnswer
from gansweep.store.check import number
from gansweep.store.errors import INTERRUPTED, UserError, one_line_errors
from gansweep.store.find_run import SWEEP, find_sweep
from gansweep.store.json_files import print_json
from gansweep.store.manifest import Manifest, Row, Table, read_manifest
from gansweep.store.records import RunConfig
from gansweep.store.run import Run
from gansweep.terminal.console import console
from gansweep.training.metrics.registered import primary_and_second


@dataclass
class Candidate:
    """A row of the sweep. settings: its values, as typed; before: its mean score there; after: its
    scores with fresh seeds.

    alive: whether all runs with fresh seeds are alive, see `Outcome.alive`.
    """

    row: int
    settings: str
    config: Config
    before: float
    runs: list[Run] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    alive: bool = True

    def title(self, seed: int) -> str:
        """Return what the screen calls the run with this seed."""
        return " ".join(filter(None, [f"row {self.row}", self.settings, f"seed={seed}"]))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m gansweep confirm",
        description="Train a sweep's best rows again with fresh seeds, and test which differences "
        "hold. A repeated command resumes interrupted runs.",
    )
    parser.add_argument("sweep", help=SWEEP)
    parser.add_argument(
        "overrides", nargs="*", metavar="name=value",
        help="parameters to change for this training, as in width=1; retry=failed: also retry runs "
        f"that failed before; plan=true: list the runs, train none; {HELP}",
    )  # fmt: skip
    parser.add_argument(
        "--top", type=int, default=3, help="number of best rows (default %(default)s)"
    )
    parser.add_argument(
        "--seeds", type=int, default=5, help="number of fresh seeds (default %(default)s)"
    )
    parser.add_argument("--on", help="the picture column that ranks them (default: the first)")
    parser.add_argument(
        "--out", default=DEFAULTS["out"], help="folder of runs (default %(default)s)"
    )
    parser.add_argument(
        "--reports", default=DEFAULTS["reports"], help="folder of reports (default %(default)s)"
    )
    add_config_dir(parser)
    add_json(parser)
    args = parser.parse_intermixed_args(argv)
    only_json(args.json)
    with one_line_errors():
        take_slots(args)
        args.retry = RETRY in args.overrides
        args.values = _values([word for word in args.overrides if word not in (RETRY, PLAN)])
        for name, least in (("top", 1), ("seeds", 2)):
            if getattr(args, name) < least:
                raise UserError(f"--{name} {getattr(args, name)} is too few; {least} or more")
        manifest = read_manifest(args.out, find_sweep(args.sweep, args.out))
        column = args.on or manifest.pictures[0]
        if column not in manifest.pictures:
            raise UserError(f"--on {column}: no such column; valid: {', '.join(manifest.pictures)}")
        metric, candidates = best_rows(manifest, column, args.out, args.top)
        if PLAN in args.overrides:
            _preview(manifest, candidates, args)
            return
        interrupted = _train(manifest, candidates, args, column)
        done = _report(manifest, candidates, args, column, metric)
    if interrupted:
        raise SystemExit(INTERRUPTED)
    raise SystemExit(0 if done else 1)


def _values(overrides: list[str]) -> dict[str, Any]:
    """Return the typed overrides. Raises UserError for any that is no single hyperparameter."""
    values = {axis.name: axis.values[0] for axis in read_axes(overrides, multirun=False)}
    for name in values:
        if (name not in HYPERPARAMETERS and not is_option(name)) or name == "seed":
            raise UserError(
                f"{name} cannot be changed here: give hyperparameters, as in width=1 or epochs=4"
            )
    return values


def best_rows(manifest: Manifest, column: str, out: str, top: int) -> tuple[str, list[Candidate]]:
    """Return the metric, and the rows with the best mean scores in a picture column, best first.

    Runs that are not alive are left out. A line is printed for each damaged run. Raises UserError
    if no row is left.
    """
    found: list[Candidate] = []
    metric = ""
    foreign: set[str] = set()
    reader = Reader(out)
    for index in range(len(manifest.rows)):
        runs = reader.row(manifest, index).cells[column].runs
        for run in runs:
            if " damaged" in run.note:
                console.print(f"row {index} ({run.run_id}): {run.note}")
        judged = [run for run in runs if run.value is not None and run.alive]
        config = _config(index, judged[0], out) if judged else None
        if config is None:
            continue
        expected = primary_and_second(config.data.name, config.best_by)[0]
        scores = [run.value for run in judged if run.primary == expected and run.value is not None]
        if scores:
            metric = expected
            settings = " ".join(as_arguments(manifest.rows[index].params))
            found.append(Candidate(index, settings, config, fmean(scores)))
        foreign |= {run.primary for run in judged} - {expected}
    if not found and foreign:
        raise UserError(
            f"sweep {manifest.name} was judged by another version ({', '.join(sorted(foreign))}), "
            "whose distances fresh runs do not have; repeat the sweep's command to judge it again"
        )
    if not found:
        raise UserError(f"sweep {manifest.name} has no judged row that is alive in {column}")
    return metric, sorted(found, key=lambda c: METRICS.sign(metric) * c.before)[:top]


def _config(index: int, run: Outcome, out: str) -> Config | None:
    """Return the configuration of a row, or print why this version cannot train the row."""
    if run.config is None or "params" not in run.config:
        return None
    try:
        return replace(from_record(run.config["params"]), out=out)
    except UserError as error:
        console.print(f"row {index} ({run.run_id}) cannot be trained by this version: {error}")
        return None


def _train(
    manifest: Manifest, candidates: list[Candidate], args: argparse.Namespace, column: str
) -> bool:
    """Train every candidate with every fresh seed. Returns whether training was interrupted."""
    titles: dict[str, str] = {}
    for candidate, seed, run, record in _plan(manifest, candidates, args):
        keep_record(run, record)
        candidate.runs.append(run)
        titles[run.id] = candidate.title(seed)
    runs = [run for candidate in candidates for run in candidate.runs]
    jobs = [PlannedRun(run, titles[run.id], judged=True) for run in runs]
    todo, counts = missing_runs(jobs, retry=args.retry)
    console.print(
        f"confirm {manifest.name}: {len(candidates)} rows × {args.seeds} fresh seeds, {counts}"
    )
    confirmed = _manifest(manifest, candidates, args, column, titles)
    return train(confirmed, todo, candidates[0].config, partial(workers_of, args))


def _plan(
    manifest: Manifest, candidates: list[Candidate], args: argparse.Namespace
) -> Iterator[tuple[Candidate, int, Run, RunConfig]]:
    """Yield each candidate with each fresh seed, the run, and the record for its folder."""
    used = [
        int(r.rpartition("-s")[2]) for row in manifest.rows for rs in row.runs.values() for r in rs
    ]
    first = max(used) + 1
    prepared = Preparer()
    for candidate in candidates:
        for seed in range(first, first + args.seeds):
            config = with_values(candidate.config, {**args.values, "seed": seed})
            run, record = plan_run(config, prepared(config))
            yield candidate, seed, run, record


def _preview(manifest: Manifest, candidates: list[Candidate], args: argparse.Namespace) -> None:
    """Print the runs for `plan=true`, without training or writing anything."""
    console.print(f"confirm {manifest.name}: {len(candidates)} rows × {args.seeds} fresh seeds")
    for candidate, seed, run, _ in _plan(manifest, candidates, args):
        console.print(f"  {run.id}  {candidate.title(seed)}  {run.status()}")


def _name(manifest: Manifest, args: argparse.Namespace) -> str:
    """Return `NAME-confirm`, or `NAME-confirm-width-1.0` if parameters are changed."""
    changed = re.sub(r"[^\w.]+", "-", " ".join(as_arguments(args.values)))
    return f"{manifest.name}-confirm" + (f"-{changed}" if changed else "")


def _report(
    manifest: Manifest,
    candidates: list[Candidate],
    args: argparse.Namespace,
    column: str,
    metric: str,
) -> bool:
    """Print and write the table of the comparison. Returns whether all runs are done."""
    from gansweep.report import write_report
    from gansweep.report.render.terminal import print_best, print_table

    label = METRICS[metric].label
    for candidate in candidates:
        outcomes = [read_outcome(run) for run in candidate.runs]
        candidate.after = [v for o in outcomes if (v := number(o.score, metric)) is not None]
        candidate.alive = all(outcome.alive for outcome in outcomes)
    sign = METRICS.sign(metric)
    candidates.sort(key=lambda c: (not c.alive, sign * fmean(c.after) if c.after else math.inf))
    titles = {run.id: f"row {c.row} {run.id}" for c in candidates for run in c.runs}
    confirmed = _manifest(manifest, candidates, args, column, titles)
    best = candidates[0]
    for candidate, row in zip(candidates, confirmed.rows, strict=True):
        word = "best" if candidate is best else verdict(best.after, candidate.after)
        row.facts |= {
            "from row": str(candidate.row),
            f"{label} before": distance(metric, candidate.before),
            f"{label} with fresh seeds": spread(candidate.after, METRICS[metric].digits),
            "verdict": word if best.alive else "none is alive",
        }
    confirmed.tables[0].facts = list(confirmed.rows[0].facts)
    confirmed.write(args.out)
    report = write_report(confirmed.name, out=args.out, reports=args.reports)
    print_table(report.results.tables)
    print_best(report.results, args.out)
    report.announce()
    complete = all(run.complete() for candidate in candidates for run in candidate.runs)
    if args.json:
        answer: ConfirmAnswer = {
            "metric": metric, "rows": [], "complete": complete, "manifest": confirmed.name
        }  # fmt: skip
        for candidate, row in zip(candidates, confirmed.rows, strict=True):
            answer["rows"].append(
                {
                    "row": candidate.row,
                    "before": candidate.before,
                    "values": candidate.after,
                    "alive": candidate.alive,
                    "holds": row.facts["verdict"],
                    "runs": [run.id for run in candidate.runs],
                }
            )
        print_json(answer)
    return complete


def _manifest(
    manifest: Manifest,
    candidates: list[Candidate],
    args: argparse.Namespace,
    column: str,
    titles: dict[str, str],
) -> Manifest:
    """Return the manifest of the confirmation, with a row for each candidate."""
    shown = [shown_params(with_values(c.config, args.values)) for c in candidates]
    rows = [
        Row(
            {**manifest.params(c.row), **{n: params[n] for n in args.values if n in params}},
            {column: [run.id for run in c.runs]},
        )
        for c, params in zip(candidates, shown, strict=True)
    ]
    common = take_common(rows)
    of = {row: table for table in manifest.tables for row in table.rows}
    columns = dict.fromkeys(name for c in candidates for name in of[c.row].columns)
    columns |= dict.fromkeys(
        name for name in args.values if any(name in row.params for row in rows)
    )
    words = [manifest.name, *as_arguments(args.values), "--top", args.top, "--seeds", args.seeds]
    words += ["--on", args.on] if args.on else []
    for name in ("out", "reports"):
        if getattr(args, name) != DEFAULTS[name]:
            words += [f"--{name}", getattr(args, name)]
    words += slots_in_command(args)
    changed = "".join(f", {word}" for word in as_arguments(args.values))
    return Manifest(
        name=_name(manifest, args),
        title=f"{manifest.title}: the best with fresh seeds{changed}",
        command=shlex.join(["python", "-m", "gansweep", "confirm", *map(str, words)]),
        pictures=[column],
        common=common,
        tables=[Table(list(columns), list(range(len(rows))))],
        rows=rows,
        titles=titles,
    )


def verdict(best: list[float], other: list[float]) -> str:
    """Return whether the difference of two rows is significant, as a text with the p-value."""
    if len(best) < 2 or len(other) < 2:
        return "too few runs to compare"
    p = difference_test(best, other)
    shown = f"p {p:.2g}"
    return f"tie with the best ({shown})" if p >= SIGNIFICANT else f"worse ({shown})"
