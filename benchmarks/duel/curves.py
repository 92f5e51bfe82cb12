"""Compute from the records of contests: distances at a time, and the times to a distance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any

Record = dict[str, Any]


def at(record: Record, seconds: float) -> float:
    """Return the distance of the model that the contestant had at this time; infinity for none."""
    had = [choice["distance"] for choice in record["choices"] if choice["seconds"] <= seconds]
    return float(had[-1]) if had else math.inf


def final(record: Record) -> float:
    return at(record, math.inf)


def hindsight(record: Record) -> float:
    """Return the lowest distance of all models that the contestant took for the best one."""
    return min((float(choice["distance"]) for choice in record["choices"]), default=math.inf)


def reached(record: Record, distance: float) -> float:
    """Return the seconds until the contestant first had a model as good; infinity for never."""
    return min(
        (float(c["seconds"]) for c in record["choices"] if c["distance"] <= distance),
        default=math.inf,
    )


def middle_final(records: Sequence[Record]) -> float:
    return median(map(final, records))


def middle_reached(records: Sequence[Record], distance: float) -> float:
    """Return the median time over the seeds, of which some may never reach the distance."""
    return median(reached(record, distance) for record in records)
