"""`python -m gansweep rate SWEEP`: rank the rows by eye, from votes on pairs of their pictures."""

from __future__ import annotations

import argparse

from rich.table import Table

from gansweep.commands.serve import add_arguments, serve
from gansweep.store.errors import one_line_errors
from gansweep.store.find_run import find_sweep
from gansweep.terminal.console import console


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m gansweep rate",
        description="Show pairs of pictures of a sweep in the browser, without saying which rows "
        "they are, and take votes. The votes rank the rows, and the ranking is compared with the "
        "metric's: does the eye agree? The votes are kept in outputs/sweeps/NAME/votes.jsonl.",
    )
    add_arguments(parser)
    parser.add_argument("--on", metavar="PICTURES", help="the picture column (default: the first)")
    parser.add_argument(
        "--show", action="store_true", help="print the ranking of the votes so far, ask for none"
    )
    args = parser.parse_args(argv)
    with one_line_errors():
        from gansweep.report.gallery.rating import Rating, column_to_rate
        from gansweep.report.table.votes import Votes

        name = find_sweep(args.sweep, args.out)
        column, rated = column_to_rate(name, args.out, args.on)
        votes = Votes.of(args.out, name, column.heading)
        rating = Rating(column, rated, votes, f"{name}: which is better?")
        if not args.show:
            with rating.server(args.port) as server:
                serve(server, f"pairs of {name}", args.browser)
        _print(rating)


def _print(rating: object) -> None:
    """Print the ranking by eye beside that of the metric."""
    from gansweep.report.gallery.rating import Rating
    from gansweep.report.table.eye import agreement, ranking

    assert isinstance(rating, Rating)
    column, rated, votes = rating.column, rating.rated, rating.votes
    rows = [place for place in ranking(column, rated, votes) if place.place is not None]
    if rows:
        table = Table(box=None, pad_edge=False)
        for heading in ("by eye", "row", "votes", f"by {column.label or 'value'}"):
            table.add_column(heading, justify="right")
        table.add_column("")
        for place in rows:
            by_value = "–" if place.by_value is None else f"{place.by_value:g}"
            table.add_row(
                str(place.place), str(place.rated.row), str(place.votes), by_value, place.rated.text
            )
        console.print(table)
    console.print(agreement(column, votes), highlight=False, soft_wrap=True)
