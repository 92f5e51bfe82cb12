"""`python -m gansweep data NAME…`: prepare data sets before a sweep."""

from __future__ import annotations

import argparse

from gansweep.config import check
from gansweep.machine import cache_folder
from gansweep.params import DataConfig
from gansweep.plugins import DATASETS
from gansweep.store.errors import UserError, one_line_errors
from gansweep.terminal.console import console
from gansweep.training.data import prepare


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m gansweep data",
        description="Prepare data sets in the cache, so that sweeps start without this work.",
        epilog="Data sets: " + "; ".join(f"{entry.name}: {entry.help}" for entry in DATASETS),
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="data sets; without NAME, list all data sets"
    )
    parser.add_argument("--root", help="where the files are (data.root)")
    parser.add_argument("--size", type=int, default=28, help="pixels, 28 or 128 (default 28)")
    parser.add_argument("--channels", type=int, choices=(1, 3), help="grey or colour")
    parser.add_argument("--limit", type=int, help="use only the first N pictures")
    parser.add_argument(
        "--holdout", type=float, default=DataConfig.holdout,
        help="share of the pictures that is held out for the judge (default %(default)s)",
    )  # fmt: skip
    parser.add_argument("--labels", action="store_true", help="with the classes, for labels=true")
    parser.add_argument("--download", action="store_true", help="download missing files")
    args = parser.parse_args(argv)
    with one_line_errors():
        for entry in DATASETS if not args.names else ():
            console.print(f"{entry.name:<10} {entry.help}")
        for name in args.names:
            DATASETS[name]  # an unknown name raises UserError before any work
        check("limit", args.limit)
        check("data.holdout", args.holdout)
        if not 4 <= args.size <= 1024:
            raise UserError(f"--size {args.size} is out of range; valid: 4 to 1024 pixels")
        for name in args.names:
            spec = DataConfig(
                name, args.root, args.channels, download=args.download, holdout=args.holdout
            )
            try:
                ready = prepare(spec, args.size, args.limit, labels=args.labels)
            except UserError as error:
                raise UserError(_in_options(str(error))) from None
            console.print(
                f"{name}: {ready.images:,} pictures to train on are ready in {cache_folder()}"
            )


def _in_options(message: str) -> str:
    """Return a message with this command's options in the place of a sweep's parameters."""
    for parameter, option in (
        ("data.download=true", "--download"),
        ("data.root=", "--root "),
        ("data.root", "--root"),
    ):
        message = message.replace(parameter, option)
    return message
