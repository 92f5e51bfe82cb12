"""`python -m gansweep extend SWEEP --steps N`: train finished runs longer, from their final states.

A longer run has the id of a run that was planned with this length at once, and on a CPU its
weights, so that either is trained only once.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from gansweep.commands.again import PLAN, RETRY, missing_runs, train
from gansweep.commands.slots import (
    HELP,
    add_config_dir,
    slots_in_command,
    take_slots,
    workers_of,
)
from gansweep.config import DEFAULTS, Config, check, effective, from_record, with_values
from gansweep.launch.task import PlannedRun
from gansweep.planning.identity import plan_run
from gansweep.planning.plan import Preparer, keep_record, shown_params, take_common
from gansweep.planning.row_list import select_rows
from gansweep.report.table.collect import Reader, Results, collect
from gansweep.report.table.columns import ReportRow
from gansweep.report.table.outcome import Outcome
from gansweep.report.table.select import Selection, select
from gansweep.store.errors import INTERRUPTED, Held, UserError, one_line_errors
from gansweep.store.extension import begin, final_state
from gansweep.store.find_run import SWEEP, find_sweep
from gansweep.store.manifest import Manifest, Row, Table, read_manifest
from gansweep.store.records import RunConfig
from gansweep.store.run import Run
from gansweep.template import template_of
from gansweep.terminal.console import console
from gansweep.training.network_source import changed_networks

FROM_START = "--from-start"
EPILOG = f"""examples:
  python -m gansweep extend lr-beta1-baea07 --steps 3000 --where "label=='still improving'"
  python -m gansweep extend latest --epochs 40 --top 3 plan=true

Without --where, --top and --rows, all rows are trained longer. A run keeps its final state within
the bound of keep_states=; where it is gone, {FROM_START} trains the run from its first step.
"""


@dataclass
class Extension:
    """A run that is to be trained longer.

    parent: the finished run; before: its steps; run, record: the longer run and its config.json;
    steps: the steps of the longer run; gone: whether the parent has no final state any more.
    """

    row: ReportRow
    picture: str
    parent: Outcome
    before: int
    run: Run
    record: RunConfig
    config: Config
    steps: int
    gone: bool

    @property
    def title(self) -> str:
        """The run in words: `row 3 data=mnist5k seed=1`."""
        return f"row {self.row.number} data={self.config.data.name} seed={self.config.seed}"


@dataclass
class Chosen:
    """The runs to train longer, and why other runs of the chosen rows are left out."""

    extensions: list[Extension] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m gansweep extend",
        description="Train finished runs longer, from their final states. A repeated command "
        "resumes interrupted runs.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("sweep", help=SWEEP)
    add(
        "overrides", nargs="*", metavar="name=value",
        help=f"{RETRY}: also retry runs that failed before; {PLAN}: list the runs, train none; "
        f"{HELP}",
    )  # fmt: skip
    add("--steps", type=int, metavar="N", help="steps of the longer runs, counted from the first")
    add("--epochs", type=int, metavar="N", help="or their epochs")
    add("--where", metavar="CONDITION", help="only rows that satisfy it, as in gansweep report")
    add("--top", type=int, metavar="N", help="only the N best rows")
    add("--rows", metavar="ROWS", help="only these rows, as in 0,3-5")
    add("--on", metavar="PICTURES", help="only this picture column (default: all)")
    add(
        FROM_START, action="store_true", dest="from_start",
        help="train runs whose final state is gone from their first step",
    )  # fmt: skip
    add("--out", default=DEFAULTS["out"], help="folder of runs (default %(default)s)")
    add("--reports", default=DEFAULTS["reports"], help="folder of reports (default %(default)s)")
    add_config_dir(parser)
    args = parser.parse_intermixed_args(argv)
    with one_line_errors():
        take_slots(args)
        _check(args)
        manifest = read_manifest(args.out, find_sweep(args.sweep, args.out))
        chosen = choose(manifest, args)
        if PLAN in args.overrides:
            _preview(manifest, chosen, args)
            return
        interrupted, done = _extend(manifest, chosen, args)
    if interrupted:
        raise SystemExit(INTERRUPTED)
    raise SystemExit(0 if done else 1)


def _check(args: argparse.Namespace) -> None:
    """Raise UserError for options that are missing or not valid."""
    if unknown := [word for word in args.overrides if word not in (RETRY, PLAN)]:
        raise UserError(f"{unknown[0]} cannot be changed here: only the length of a run can")
    if (args.steps is None) == (args.epochs is None):
        raise UserError("give the new length, --steps N or --epochs N")
    for name in ("steps", "epochs"):
        check(name, getattr(args, name))
    if args.top is not None and args.top < 1:
        raise UserError(f"--top {args.top} is too few; 1 or more")


def choose(manifest: Manifest, args: argparse.Namespace) -> Chosen:
    """Return the runs of the chosen rows that can be trained longer.

    Raises UserError for a selection that is not valid, and if no run is left.
    """
    results = collect([manifest], Reader(args.out))
    rows = select_rows(args.rows, len(manifest.rows))
    for table in results.tables:
        table.rows = [row for row in table.rows if row.number in rows]
    results.tables = [table for table in results.tables if table.rows]
    results = select(results, Selection(where=args.where, best=args.top, on=args.on))
    chosen = Chosen()
    prepared = Preparer()
    seen: set[str] = set()
    for row, picture, parent in _runs(results, args.on):
        if parent.run_id in seen:
            continue
        seen.add(parent.run_id)
        try:
            chosen.extensions.append(_extension(row, picture, parent, args, prepared))
        except UserError as error:
            chosen.left_out.append(f"row {row.number} ({parent.run_id}): {error}")
    if not chosen.extensions:
        reason = chosen.left_out[0] if chosen.left_out else "the chosen rows have no runs"
        raise UserError(f"no run of {manifest.name} can be trained longer: {reason}")
    return chosen


def _runs(results: Results, on: str | None) -> Iterator[tuple[ReportRow, str, Outcome]]:
    for row in sorted(results.rows, key=lambda row: row.number):
        for picture, cell in row.cells.items():
            for run in cell.runs if on in (None, picture) else ():
                yield row, picture, run


def _extension(
    row: ReportRow, picture: str, parent: Outcome, args: argparse.Namespace, prepared: Preparer
) -> Extension:
    """Return the longer run of a finished run. Raises UserError if there cannot be one."""
    folder = Run(args.out, parent.run_id)
    if parent.status != "done" or parent.config is None or parent.result is None:
        raise UserError(parent.note or f"it is {parent.status}")
    identity = parent.config["identity"]
    before = parent.result.get("steps", identity["steps"]) or 0
    config = replace(from_record(parent.config["params"]), out=str(args.out))
    _check_length(config, before, identity["steps"])
    longer = with_values(config, {"steps": args.steps, "epochs": args.epochs})
    run, record = plan_run(longer, prepared(longer))
    planned: dict[str, Any] = {**record["identity"]}
    lengths = dict.fromkeys(("steps", "epochs"))
    if {**planned, **lengths} != {**identity, **lengths}:
        raise UserError("its data or its code have changed since it was trained")
    if changed := changed_networks(folder, config):
        raise UserError(f"the code of {changed[0]} has changed since it was trained")
    steps = planned["steps"]
    if steps <= before:
        raise UserError(f"it has {before:,} steps already, and {steps:,} are asked for")
    gone = final_state(folder) is None
    return Extension(row, picture, parent, before, run, record, longer, steps, gone)


def _check_length(config: Config, before: int, planned: int | None) -> None:
    """Raise UserError if a longer run would not begin with the steps of this one."""
    if config.command is not None:
        template = template_of(config.command)
        if not template.resumes or "steps" not in template.asked():
            raise UserError("its script can be trained longer only with {resume} and {steps}")
    if planned is not None and before < planned:
        raise UserError(f"early_stop has ended it at step {before:,}, and would end it again")
    if effective(config)["schedule"] is not None:
        raise UserError(
            f"its schedule ends at step {before:,} (lr_end, penalty_end), so that the steps of a "
            "longer run differ from the first one on"
        )


def _preview(manifest: Manifest, chosen: Chosen, args: argparse.Namespace) -> None:
    """Print the runs for `plan=true`, without training or writing anything."""
    console.print(_announced(manifest, chosen))
    for extension in chosen.extensions:
        run = extension.run
        how = f"continues {extension.parent.run_id}"
        if run.complete():
            how = "done"
        elif extension.gone:
            how = "from the start" if args.from_start else f"final state gone: {FROM_START}"
        length = f"{extension.before} → {extension.steps} steps"
        console.print(f"  {run.id}  {extension.title}  {length}  {how}")


def _announced(manifest: Manifest, chosen: Chosen) -> str:
    lines = [f"  left out: {line}" for line in chosen.left_out]
    rows = len({e.row.number for e in chosen.extensions})
    count = len(chosen.extensions)
    head = f"extend {manifest.name}: {rows} row{'s' * (rows > 1)}, {count} run{'s' * (count > 1)}"
    return "\n".join([head, *lines])


def _extend(manifest: Manifest, chosen: Chosen, args: argparse.Namespace) -> tuple[bool, bool]:
    """Train the longer runs, and write the report. Returns whether it was interrupted, or all done.

    Raises UserError for runs whose final state is gone, unless --from-start is given.
    """
    from gansweep.report import write_report
    from gansweep.report.render.terminal import print_table

    judged = {e.run.id: e.config.judge != "false" for e in chosen.extensions}
    data = {e.run.id: e.config.data.name for e in chosen.extensions}
    jobs = [PlannedRun(e.run, e.title, judged[e.run.id], data[e.run.id]) for e in chosen.extensions]
    todo, counts = missing_runs(jobs, retry=RETRY in args.overrides)
    wanted = {job.run.id for job in todo}
    lost = [e for e in chosen.extensions if e.gone and e.run.id in wanted and not e.run.complete()]
    if lost and not args.from_start:
        raise UserError(
            f"{len(lost)} of {len(jobs)} runs have no final state any more ({lost[0].title} is the "
            f"first; see keep_states=): {FROM_START} trains these from their first step"
        )
    console.print(f"{_announced(manifest, chosen)}\n  {counts}")
    for extension in chosen.extensions:
        if extension.run.id in wanted:
            keep_record(extension.run, extension.record)
            try:
                if not extension.gone:
                    begin(extension.run, Run(args.out, extension.parent.run_id), extension.before)
            except Held:
                continue  # another command trains it, and its result is awaited
    longer = _manifest(manifest, chosen, args)
    config = chosen.extensions[0].config
    interrupted = train(longer, todo, config, partial(workers_of, args))
    report = write_report(longer.name, out=args.out, reports=args.reports)
    print_table(report.results.tables)
    for extension in chosen.extensions:
        if extension.run.failed():
            console.print(f"{extension.title}  {extension.run.describe_failure()}")
    report.announce()
    return interrupted, all(job.complete() for job in jobs)


def _manifest(manifest: Manifest, chosen: Chosen, args: argparse.Namespace) -> Manifest:
    """Return the manifest of the longer runs, with a row for each extended row."""
    rows: list[Row] = []
    columns: dict[str, None] = {}
    of = {row: table for table in manifest.tables for row in table.rows}
    by_row: dict[int, list[Extension]] = {}
    for extension in chosen.extensions:
        by_row.setdefault(extension.row.number, []).append(extension)
    facts: dict[str, None] = {}
    for number, extensions in by_row.items():
        lengths = dict.fromkeys(f"{e.before:,} → {e.steps:,}" for e in extensions)
        row = Row(
            {**shown_params(extensions[0].config)},
            facts={"from row": str(number), "steps": " / ".join(lengths)},
        )
        for extension in extensions:
            row.runs.setdefault(extension.picture, []).append(extension.run.id)
        for picture in row.runs:
            if text := extensions[0].row.cells[picture].headline():
                row.facts[f"{picture} before"] = text
        facts |= dict.fromkeys(row.facts)
        columns |= dict.fromkeys(of[number].columns)
        rows.append(row)
    common = take_common(rows)
    return Manifest(
        name=f"{manifest.name}-extend-{_length(args)}",
        title=f"{manifest.title}: trained longer",
        command=shlex.join(["python", "-m", "gansweep", "extend", *_words(manifest, args)]),
        pictures=[p for p in manifest.pictures if any(p in row.runs for row in rows)],
        common=common,
        tables=[
            Table(
                [name for name in columns if name not in ("steps", "epochs")],
                list(range(len(rows))),
                facts=list(facts),
            )
        ],
        rows=rows,
        titles={e.run.id: e.title for e in chosen.extensions},
    )


def _length(args: argparse.Namespace) -> str:
    return f"steps-{args.steps}" if args.epochs is None else f"epochs-{args.epochs}"


def _words(manifest: Manifest, args: argparse.Namespace) -> list[str]:
    """Return the arguments of the command that resumes these runs."""
    words = [manifest.name]
    for name in ("steps", "epochs", "where", "top", "rows", "on"):
        if getattr(args, name) is not None:
            words += [f"--{name}", str(getattr(args, name))]
    for name in ("out", "reports"):
        if getattr(args, name) != DEFAULTS[name]:
            words += [f"--{name}", getattr(args, name)]
    words += slots_in_command(args)
    return [*words, FROM_START] if args.from_start else words
