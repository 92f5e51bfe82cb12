"""`python -m gansweep report SWEEP…`: build tables and galleries from the files of sweeps."""

from __future__ import annotations

import argparse
from pathlib import Path

from gansweep.commands.as_json import add_json, only_json, report_answer
from gansweep.config import DEFAULTS, PARAMS
from gansweep.report.formats import FORMATS
from gansweep.report.render.terminal import print_best, print_table
from gansweep.report.table.select import Selection
from gansweep.report.write import USUAL, update_block, write_report
from gansweep.store.errors import UserError, one_line_errors
from gansweep.store.find_run import SWEEP, find_sweep
from gansweep.store.json_files import print_json
from gansweep.terminal.console import console

EPILOG = """examples:
  python -m gansweep report lr-beta1-baea07 --plots
  python -m gansweep report first second --to compared --sort fd_lenet --columns lr,beta1,fd_lenet
  python -m gansweep report readme_table --where 'lr<1e-4 and gen==1' --best 5

--where, --sort and --columns accept the names of parameters (lr, beta1, gen, …), metrics (fd_lenet,
fd_random, …) and results; the error for an unknown name lists all names.
"""


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m gansweep report",
        description="Build the results table of a sweep, or one table of several sweeps, from "
        "the results that their runs have so far.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("sweep", nargs="+", help=SWEEP)
    add("--out", default=DEFAULTS["out"], help="folder of runs (default %(default)s)")
    add("--reports", default=DEFAULTS["reports"], help="folder of reports (default %(default)s)")
    add("--to", type=Path, metavar="DIR", help="folder of this report (default REPORTS/NAME)")
    add(
        "--format", default=",".join(USUAL), metavar="LIST",
        help="formats, separated by commas (default %(default)s); "
        + "; ".join(entry.help for entry in FORMATS),
    )  # fmt: skip
    add("--where", metavar="CONDITION", help="only rows that satisfy the condition")
    add(
        "--sort", metavar="COLUMNS", help="sort rows by these columns; lr:desc: in descending order"
    )
    add("--best", type=int, metavar="N", help="only the N best rows, best first")
    add("--on", metavar="PICTURES", help="the picture column that ranks rows (default: the first)")
    add("--columns", metavar="COLUMNS", help="show these columns, not those that vary")
    add(
        "--group-seeds", action=argparse.BooleanOptionalAction, default=True,
        help="show the seeds of a row as mean ± std with the best and worst pictures (default)",
    )  # fmt: skip
    add(
        "--plots",
        action="store_true",
        help="also draw maps of thumbnails, quality by parameter, curves and pictures over time",
    )
    add(
        "--single",
        action="store_true",
        help="also write the gallery as one file NAME.html, with its pictures, to pass on",
    )
    add(
        "--storage", metavar="URL",
        help="URL of a search's database with its password, which no file contains",
    )  # fmt: skip
    add(
        "--thumbnail", choices=PARAMS["thumbnail"].names(), default=DEFAULTS["thumbnail"],
        help="pictures to show (default %(default)s)",
    )  # fmt: skip
    add(
        "--update", type=Path, metavar="README.md",
        help="also replace the table between <!-- gansweep:SWEEP --> and <!-- /gansweep:SWEEP -->",
    )  # fmt: skip
    add_json(parser)
    args = parser.parse_args(argv)
    only_json(args.json)
    with one_line_errors():
        formats = [name.strip() for name in args.format.split(",") if name.strip()]
        for name in formats:
            FORMATS[name]  # an unknown format raises UserError before anything is written
        if not formats:
            raise UserError(f"--format is empty; valid: {', '.join(FORMATS.names())}")
        if args.single and "single" not in formats:
            formats.append("single")
        if args.best is not None and args.best < 1:
            raise UserError(f"--best {args.best} is too few; 1 or more")
        report = write_report(
            [find_sweep(name, args.out) for name in args.sweep],
            out=args.out,
            reports=args.reports,
            to=args.to,
            formats=formats,
            plots=args.plots,
            thumbnail=args.thumbnail,
            grouped=args.group_seeds,
            selection=Selection(args.where, args.sort, args.columns, args.best, args.on),
            storage=args.storage,
        )
        changed = update_block(report, args.update) if args.update else False
    if args.json:
        print_json(report_answer(report))
        return
    print_table(report.results.tables)
    print_best(report.results, args.out)
    report.announce()
    if args.update:
        console.print(f"{args.update}: {'updated' if changed else 'already up to date'}")
