"""`python -m gansweep versus A B`: is the difference of two rows real? Trains the missing seeds."""

from __future__ import annotations

import argparse
import re
import shlex
from dataclasses import dataclass, field, replace
from statistics import fmean, stdev

from gansweep.commands.again import PLAN, RETRY, missing_runs, train
from gansweep.commands.as_json import add_json, only_json
from gansweep.config import DEFAULTS, Config, from_record, ordered, with_values
from gansweep.launch.task import PlannedRun
from gansweep.planning.identity import plan_run
from gansweep.planning.plan import Preparer, keep_record, shown_params, take_common
from gansweep.plugins import METRICS
from gansweep.report.table.address import ON, ONE, one_run
from gansweep.report.table.difference import POWER, compare
from gansweep.report.table.judged import distance
from gansweep.report.table.outcome import Outcome, read_outcome
from gansweep.report.table.replicates import spread
from gansweep.store.answers import VersusAnswer, VersusSide
from gansweep.store.check import number
from gansweep.store.errors import INTERRUPTED, UserError, one_line_errors
from gansweep.store.find_run import by_row
from gansweep.store.json_files import print_json
from gansweep.store.manifest import Manifest, Row, Table, read_manifest
from gansweep.store.records import RunConfig
from gansweep.store.run import Run
from gansweep.terminal.console import console
from gansweep.training.metrics.registered import primary_and_second

EPILOG = """The seeds that both rows have count, and further ones are trained on both sides. A row
that was named as the best of its sweep was chosen by the scores of its own seeds, partly by chance:
these do not count then, and with --fresh never.
"""


@dataclass
class Side:
    """One of the two rows. seeds: those of its own; chosen: whether its score has chosen it."""

    name: str
    config: Config
    picture: str
    seeds: set[int]
    used: set[int]
    chosen: bool
    runs: list[Run] = field(default_factory=list)
    records: list[RunConfig] = field(default_factory=list)

    def outcomes(self) -> list[Outcome]:
        return [read_outcome(run) for run in self.runs]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m gansweep versus",
        description="Test whether the difference of two rows is real, by several seeds of each. "
        "The missing seeds are trained; a repeated command resumes them.",
        epilog=EPILOG,
    )
    add = parser.add_argument
    add("a", metavar="A", help=ONE)
    add("b", metavar="B", help="another row")
    add(
        "overrides", nargs="*", metavar="name=value",
        help=f"{RETRY}: also retry runs that failed before; {PLAN}: list the runs, train none",
    )  # fmt: skip
    add("--seeds", type=int, default=5, help="seeds of each row (default %(default)s)")
    add("--fresh", action="store_true", help="count only seeds that the rows do not have yet")
    add("--on", metavar="PICTURES", help=ON)
    add("--out", default=DEFAULTS["out"], help="folder of runs (default %(default)s)")
    add("--reports", default=DEFAULTS["reports"], help="folder of reports (default %(default)s)")
    add_json(parser)
    args = parser.parse_intermixed_args(argv)
    only_json(args.json)
    with one_line_errors():
        if unknown := [word for word in args.overrides if word not in (RETRY, PLAN)]:
            raise UserError(f"{unknown[0]} cannot be changed here; {RETRY} and {PLAN} are valid")
        if args.seeds < 2:
            raise UserError(f"--seeds {args.seeds} is too few; 2 or more")
        a, b = (_side(text, args) for text in (args.a, args.b))
        _plan(a, b, args)
        manifest = _manifest(a, b, args)
        titles = manifest.titles
        jobs = [PlannedRun(r, titles[r.id], True, a.config.data.name) for r in (*a.runs, *b.runs)]
        todo, counts = missing_runs(jobs, retry=RETRY in args.overrides)
        console.print(f"versus {args.a} {args.b}: {args.seeds} seeds each, {counts}")
        if PLAN in args.overrides:
            for job in jobs:
                console.print(f"  {job.run.id}  {job.title}  {job.run.status()}")
            return
        for run, record in zip((*a.runs, *b.runs), (*a.records, *b.records), strict=True):
            keep_record(run, record)
        interrupted = train(manifest, todo, a.config)
        answer = _answer(a, b, manifest, all(job.complete() for job in jobs))
        _print(answer)
        _report(manifest, answer, args)
    if args.json:
        print_json(answer)
    if interrupted:
        raise SystemExit(INTERRUPTED)
    raise SystemExit(0 if answer["complete"] else 1)


def _side(text: str, args: argparse.Namespace) -> Side:
    """Return a row by its name. Raises UserError if there is none, or if it cannot be trained."""
    text = by_row(text, args.out)
    named = one_run(text, args.out, args.on)
    record = named.run.read_config()
    if record is None or "params" not in record:
        raise UserError(f"{text}: {named.run.config} is missing or damaged")
    config = replace(from_record(record["params"]), out=str(args.out))
    if config.judge == "false":
        config = replace(config, judge="true")
    seeds = used = {config.seed}
    if named.sweep:
        manifest = read_manifest(args.out, named.sweep)
        seeds = set(map(_seed, manifest.rows[named.row].runs[named.picture]))
        rows = [ids for row in manifest.rows for ids in row.runs.values()]
        used = {_seed(run_id) for ids in rows for run_id in ids}
    chosen = bool(named.sweep) and not text.rpartition("/")[2].isdigit()
    return Side(text, config, named.picture or "Output", seeds, used, chosen)


def _seed(run_id: str) -> int:
    return int(run_id.rpartition("-s")[2])


def _plan(a: Side, b: Side, args: argparse.Namespace) -> None:
    """Plan the runs of both sides. Raises UserError for rows that cannot be compared."""
    if a.config.data != b.config.data:
        names = " and ".join(side.config.data.name for side in (a, b))
        raise UserError(f"{a.name} and {b.name} are trained on different data ({names})")
    last = max(a.used | b.used)
    common: list[int] = []
    if not (args.fresh or a.chosen or b.chosen):
        common = sorted(a.seeds | b.seeds)
        last = max(common)
    further = range(last + 1, last + 1 + args.seeds)
    common = [*common, *further][: args.seeds]
    prepared = Preparer()
    for side in (a, b):
        fresh = args.fresh or a.chosen or b.chosen
        for seed in sorted({*common, *(() if fresh else side.seeds)}):
            config = with_values(side.config, {"seed": seed})
            run, record = plan_run(config, prepared(config))
            side.runs.append(run)
            side.records.append(record)
    if {run.id for run in a.runs} & {run.id for run in b.runs}:
        raise UserError(f"{a.name} and {b.name} have the same settings")


def _answer(a: Side, b: Side, manifest: Manifest, complete: bool) -> VersusAnswer:
    """Return what the runs say so far."""
    metric = primary_and_second(a.config.data.name, a.config.best_by)[0]
    sides = [_values(side, metric) for side in (a, b)]
    sign = METRICS.sign(metric)
    found = compare(sides[0]["values"], sides[1]["values"], sign)
    return {
        "verdict": found.verdict if found else None,
        "metric": metric,
        "less_is_better": sign > 0,
        "a": sides[0],
        "b": sides[1],
        "difference": found.difference if found else None,
        "interval": [found.low, found.high] if found else None,
        "p": found.p if found else None,
        "test": found.test if found else None,
        "noise_floor": found.floor if found else None,
        "seeds_needed": found.needed if found else None,
        "complete": complete,
        "manifest": manifest.name,
    }


def _values(side: Side, metric: str) -> VersusSide:
    outcomes = side.outcomes()
    values = [v for o in outcomes if (v := number(o.score, metric)) is not None]
    return {
        "name": side.name,
        "runs": [run.id for run in side.runs],
        "seeds": [_seed(run.id) for run in side.runs],
        "values": values,
        "mean": fmean(values) if values else None,
        "deviation": stdev(values) if len(values) > 1 else None,
        "dead": sum(not outcome.alive for outcome in outcomes),
        "failed": sum(run.failed() for run in side.runs),
    }


def _print(answer: VersusAnswer) -> None:
    """Print the values, the verdict, the noise floor and the seeds that it would take."""
    metric = answer["metric"]
    entry = METRICS[metric]
    for letter, side in (("A", answer["a"]), ("B", answer["b"])):
        dead = f", {side['dead']} not alive" if side["dead"] else ""
        failed = f", {side['failed']} failed" if side["failed"] else ""
        value = spread(side["values"], entry.digits)
        console.print(f"{letter} {side['name']}: {entry.label} {value}{dead}{failed}")
    if answer["verdict"] is None:
        console.print("too few runs to compare: each row needs two")
        return
    gap, floor = answer["difference"] or 0.0, answer["noise_floor"] or 0.0
    low, high = answer["interval"] or [0.0, 0.0]
    shown, least = distance(metric, abs(gap)), distance(metric, floor)
    ends = f"{distance(metric, low)} to {distance(metric, high)}"
    words = {"tie": f"a tie: they differ by {shown}"}
    said = words.get(answer["verdict"], f"A is {answer['verdict']} by {shown}")
    console.print(f"{said} (p {answer['p']:.2g}, {answer['test']}; B - A: 95 % interval {ends})")
    console.print(f"noise floor: with these seeds, differences below {least} can be chance")
    needed = answer["seeds_needed"]
    count = "more than 1,000 seeds" if needed is None else f"{needed} seeds"
    console.print(
        f"a difference of {shown} is found with {count} of each row in {POWER:.0%} of cases"
    )
    if answer["a"]["dead"] != answer["b"]["dead"]:
        console.print("runs that are not alive count by their distances: see their pictures")


def _manifest(a: Side, b: Side, args: argparse.Namespace) -> Manifest:
    """Return the manifest of the comparison, with a row for each side."""
    rows = [Row(shown_params(side.config)) for side in (a, b)]
    picture = a.picture if a.picture == b.picture else "Output"
    for row, letter, side in zip(rows, "AB", (a, b), strict=True):
        row.runs[picture] = [run.id for run in side.runs]
        row.facts = {"side": f"{letter}: {side.name}"}
    common = take_common(rows)
    varying = ordered(dict.fromkeys(name for row in rows for name in row.params))
    words = [args.a, args.b, "--seeds", str(args.seeds)]
    words += ["--fresh"] if args.fresh else []
    words += ["--on", args.on] if args.on else []
    for name in ("out", "reports"):
        if getattr(args, name) != DEFAULTS[name]:
            words += [f"--{name}", getattr(args, name)]
    names = (re.sub(r"[^\w.]+", "-", side.name).strip("-.") for side in (a, b))
    return Manifest(
        name=f"versus-{'-'.join(names)}" + ("-fresh" if args.fresh else ""),
        title=f"{a.name} versus {b.name}",
        command=shlex.join(["python", "-m", "gansweep", "versus", *words]),
        pictures=[picture],
        common=common,
        tables=[Table(varying or ["lr"], [0, 1], facts=["side"])],
        rows=rows,
        titles={
            run.id: f"{letter} seed={_seed(run.id)}"
            for letter, side in zip("AB", (a, b), strict=True)
            for run in side.runs
        },
    )


def _report(manifest: Manifest, answer: VersusAnswer, args: argparse.Namespace) -> None:
    """Write the table with the verdict beside each side."""
    from gansweep.report import write_report

    opposite = {"better": "worse", "worse": "better", "tie": "tie"}
    if answer["verdict"] is not None:
        p = f" (p {answer['p']:.2g})"
        manifest.rows[0].facts["verdict"] = answer["verdict"] + p
        manifest.rows[1].facts["verdict"] = opposite[answer["verdict"]] + p
        manifest.tables[0].facts = ["side", "verdict"]
        manifest.write(args.out)
    write_report(manifest.name, out=args.out, reports=args.reports).announce()
