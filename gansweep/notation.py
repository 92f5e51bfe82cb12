"""Write numbers as text: parameters as a person types them, measurements as exactly as they are."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any


def format_value(value: Any) -> str:
    """Write a value as a person types it: `5e-5`, `0.0025`, `100`, `yes`; text is unchanged.

    A number below 1 has the shorter one of its two spellings, and no exponent if both are equally
    long. The text is exact: it reads as the same number.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return format_float(value)
    return str(value)


def format_float(value: float) -> str:
    """Write a number as `format_value` does."""
    if not math.isfinite(value):
        return str(value)
    number = Decimal(repr(value)).normalize()
    plain = format(number, "f")
    sign, digits, exponent = number.as_tuple()
    if abs(value) >= 1 or value == 0 or not isinstance(exponent, int):
        return plain
    first, *rest = map(str, digits)
    mantissa = first + ("." + "".join(rest) if rest else "")
    short = f"{'-' if sign else ''}{mantissa}e{exponent + len(rest)}"
    return min(plain, short, key=len)


def format_measured(value: float, digits: int, error: float | None = None) -> str:
    """Format a value with `digits` decimals, or as many as its standard error supports if fewer."""
    if error is not None and math.isfinite(error) and error > 0:
        digits = min(digits, _meaningful_digits(error))
    return f"{round(value, digits):,.{max(digits, 0)}f}"


def _meaningful_digits(error: float) -> int:
    """Return the meaningful decimals for a standard error; negative if tens are not meaningful.

    The error keeps two digits if these are below 36, else one (the Particle Data Group's rule).
    """
    exponent = math.floor(math.log10(error))
    return (1 if error / 10**exponent < 3.55 else 0) - exponent
