"""Rank the rows of a picture column by the votes of an eye, beside the rank by its metric."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from gansweep.plugins import METRICS
from gansweep.report.table.picture_column import PictureColumn
from gansweep.report.table.votes import Votes, bradley_terry, places, ranks, spearman

AGREES, IN_PART = 0.7, 0.3  # least rank correlations
LEAST_VOTES = 6  # per row, without which there is no verdict: docs/reports.md has a simulation


class Rated(NamedTuple):
    """A row that can be rated: its picture is that of its best run."""

    run: str
    row: int
    path: Path
    text: str
    value: float | None


class Place(NamedTuple):
    """A row in the ranking by eye. place: None without a vote; by_value: its rank by the metric."""

    rated: Rated
    place: int | None
    votes: int
    by_value: float | None


def rated_rows(column: PictureColumn) -> list[Rated]:
    """Return the rows of a picture column that have a picture."""
    found = []
    for row in column.rows:
        if not column.has_picture(row):
            continue
        run = column.shown(row)
        if run.picture is not None:
            value = fmean(column.cell(row).values) if column.judged(row) else None
            found.append(Rated(run.run_id, row.number, run.picture, column.value(row), value))
    return found


def ranking(column: PictureColumn, rated: Sequence[Rated], votes: Votes) -> list[Place]:
    """Return the rows by their strength in the votes, those without a vote last."""
    known = {row.run for row in rated}
    cast = [vote for vote in votes.read() if vote[0] in known and vote[1] in known]
    strengths = bradley_terry(cast)
    place = places(strengths)
    valued = [row for row in rated if row.value is not None and row.run in place]
    sign = METRICS.sign(column.metric) if column.metric else 1
    by_value = ranks([sign * (row.value or 0.0) for row in valued])
    order = dict(zip((row.run for row in valued), by_value, strict=True))
    count = {row.run: sum(row.run in vote[:2] for vote in cast) for row in rated}
    rows = [Place(row, place.get(row.run), count[row.run], order.get(row.run)) for row in rated]
    return sorted(rows, key=lambda row: (row.place is None, row.place or 0, row.rated.row))


def agreement(column: PictureColumn, votes: Votes) -> str:
    """Say how many votes there are, and how far they agree with the metric."""
    cast = len(votes.read())
    both = [
        r for r in ranking(column, rated_rows(column), votes) if r.place is not None and r.by_value
    ]
    rho = spearman([r.place or 0 for r in both], [r.by_value or 0.0 for r in both])
    words = f"{cast} {'vote' if cast == 1 else 'votes'} on {column.heading}"
    if rho is None:
        return f"{words}: too few to compare them with the metric"
    if 2 * cast < min(LEAST_VOTES, len(both) - 1) * len(both):
        return f"{words}, fewer than {LEAST_VOTES} a row: rank correlation so far {rho:.2f}"
    verdict = "contradicts"
    if rho >= IN_PART:
        verdict = "agrees with" if rho >= AGREES else "agrees in part with"
    return (
        f"{words}: the eye {verdict} {column.label}, Spearman's rank correlation {rho:.2f} "
        f"over {len(both)} rows"
    )


def by_eye(column: PictureColumn, votes: Votes) -> dict[str, int]:
    """Return the place by eye of each run that was voted on; empty without votes."""
    found = ranking(column, rated_rows(column), votes)
    return {each.rated.run: each.place for each in found if each.place is not None}
