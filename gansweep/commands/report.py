"""`python -m gansweep report SWEEP…`: build tables and galleries from the files of sweeps."""

from __future__ import annotations

import argparse
from pathlib import Path

from gansweep.config import DEFAULTS, PARAMS
from gansweep.report.formats import FORMATS
from gansweep.report.render.terminal import print_table
from gansweep.report.table.select import Selection
from gansweep.report.write import USUAL, update_block, write_report
from gansweep.store.errors import UserError, one_line_errors
from gansweep.store.find_run import SWEEP, find_sweep
from gansweep.terminal.console import console

EPILOG = """examples:
  python -m gansweep report lr-beta1-baea07 --plots
  python -m gansweep report first second --to compared --sort fd_lenet --columns lr,beta1,fd_lenet
  python -m gansweep report readme_table --where 'lr<1e-4 and gen==1' --best 5

--where, --sort and --columns know the parameters (lr, beta1, gen, …), the metrics (fd_lenet,
fd_random, …) and the results; an unknown name is refused with all that there are.
"""


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m gansweep report",
        description="Build the results table of a sweep, or one of several sweeps, as far as "
        "their runs are.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("sweep", nargs="+", help=SWEEP)
    add("--out", default=DEFAULTS["out"], help="folder of runs (default %(default)s)")
    add("--reports", default=DEFAULTS["reports"], help="folder of reports (default %(default)s)")
    add("--to", type=Path, metavar="DIR", help="this report's own folder (default REPORTS/NAME)")
    add(
        "--format", default=",".join(USUAL), metavar="LIST",
        help="one or several, with commas between them (default %(default)s); "
        + "; ".join(entry.help for entry in FORMATS),
    )  # fmt: skip
    add("--where", metavar="CONDITION", help="only rows for which it holds")
    add("--sort", metavar="COLUMNS", help="in the order of these; lr:desc falls")
    add("--best", type=int, metavar="N", help="only the N best rows, the best first")
    add("--on", metavar="PICTURES", help="the picture column that ranks rows (default: the first)")
    add("--columns", metavar="COLUMNS", help="show these instead of what varies")
    add(
        "--group-seeds", action=argparse.BooleanOptionalAction, default=True,
        help="several seeds of a row as mean ± std with the best and the worst picture (default)",
    )  # fmt: skip
    add(
        "--plots",
        action="store_true",
        help="also draw maps of thumbnails, quality by parameter, curves and pictures over time",
    )
    add(
        "--storage", metavar="URL",
        help="of a search whose database needs a password: no file keeps it",
    )  # fmt: skip
    add(
        "--thumbnail", choices=PARAMS["thumbnail"].names(), default=DEFAULTS["thumbnail"],
        help="whose pictures to show (default %(default)s)",
    )  # fmt: skip
    add(
        "--update", type=Path, metavar="README.md",
        help="also replace the table between <!-- gansweep:SWEEP --> and <!-- /gansweep:SWEEP -->",
    )  # fmt: skip
    args = parser.parse_args(argv)
    with one_line_errors():
        formats = [name.strip() for name in args.format.split(",") if name.strip()]
        for name in formats:
            FORMATS[name]  # refuses an unknown one before anything is written
        if not formats:
            raise UserError(f"--format is empty; valid: {', '.join(FORMATS.names())}")
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
    print_table(report.results.tables)
    report.announce()
    if args.update:
        console.print(f"{args.update}: {'updated' if changed else 'already up to date'}")
