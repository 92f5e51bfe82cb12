"""`python -m gansweep.report SWEEP`: build a sweep's table from its files."""

from __future__ import annotations

import argparse
from pathlib import Path

from gansweep.config import DEFAULTS, PARAMS
from gansweep.console import console
from gansweep.errors import one_line_errors
from gansweep.report.terminal import print_table
from gansweep.report.write import update_block, write_report


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m gansweep.report",
        description="Build the results table of a sweep, as far as its runs are.",
    )
    parser.add_argument("sweep", help="the sweep's name, as its last line of output shows it")
    parser.add_argument(
        "--out", default=DEFAULTS["out"], help="folder of runs (default %(default)s)"
    )
    parser.add_argument(
        "--reports", default=DEFAULTS["reports"], help="folder of reports (default %(default)s)"
    )
    parser.add_argument(
        "--update", type=Path, metavar="README.md",
        help="also replace the table between <!-- gansweep:SWEEP --> and <!-- /gansweep:SWEEP -->",
    )  # fmt: skip
    parser.add_argument(
        "--thumbnail", choices=PARAMS["thumbnail"].names(), default=DEFAULTS["thumbnail"],
        help="whose pictures to show (default %(default)s)",
    )  # fmt: skip
    args = parser.parse_args(argv)
    with one_line_errors():
        report = write_report(
            args.sweep, out=args.out, reports=args.reports, thumbnail=args.thumbnail
        )
        changed = update_block(report, args.update) if args.update else False
    print_table(report.tables)
    console.print(f"table: {report.path}")
    if args.update:
        console.print(f"{args.update}: {'updated' if changed else 'already up to date'}")


if __name__ == "__main__":
    main()
