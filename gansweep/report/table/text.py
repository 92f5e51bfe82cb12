"""Values and headings as the documents write them."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

from gansweep.config import PARAMS
from gansweep.store.manifest import NOT_APPLICABLE


def format_param(name: str, params: dict[str, Any]) -> str:
    """A parameter as the documents write it: 0.00005, n/a where it has no effect."""
    value = params.get(name)
    if value is None:
        return PARAMS[name].null_label or NOT_APPLICABLE
    return format_value(value)


def format_value(value: Any) -> str:
    """Numbers without exponent, yes and no, text as it is."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        text = format(Decimal(repr(value)), "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)


def format_measured(value: float, digits: int, error: float | None = None) -> str:
    """A value with `digits` after the point; with no more of them than its error leaves meaning."""
    if error is not None and math.isfinite(error) and error > 0:
        digits = min(digits, _meaningful_digits(error))
    return f"{round(value, digits):,.{max(digits, 0)}f}"


def _meaningful_digits(error: float) -> int:
    """Digits after the point of a value with this standard error; negative for tens and more.

    The error keeps two digits where they are below 36, else one (the Particle Data Group's rule).
    """
    exponent = math.floor(math.log10(error))
    return (1 if error / 10**exponent < 3.55 else 0) - exponent


def format_seconds(seconds: float) -> str:
    """14 s, 3 min 5 s, 18 h 4 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def slug(heading: str) -> str:
    """A picture column's heading in a file's name: `drawn-face` for `Drawn Face Output`."""
    return re.sub(r"[^a-z0-9]+", "-", heading.lower().removesuffix("output")).strip("-")


def heading_of(column: str) -> str:
    """`gen/disc drop` for `gen_drop / disc_drop`, as the documents merge it."""
    labels = [PARAMS[name].label for name in column.split(" / ")]
    if len(labels) == 1:
        return labels[0]
    words = [label.split() for label in labels]
    if len({tuple(w[1:]) for w in words}) == 1:
        return " ".join(["/".join(w[0] for w in words), *words[0][1:]])
    return " / ".join(labels)
