"""Read how long a search may last: `budget=2h`."""

from __future__ import annotations

import re

from gansweep.store.errors import UserError

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
UNLIMITED = 1_000_000  # trials of a search that only its time ends


def seconds_of(text: str) -> float:
    """Return the seconds of a text such as `90s`, `1.5h` or `1d`. Raises UserError for others."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", text.strip())
    if match is None or not float(match[1]):
        raise UserError(f"budget={text}: write a time with its unit, as in budget=30m or budget=2h")
    return float(match[1]) * UNITS[match[2]]
