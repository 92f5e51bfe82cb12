"""Build the command line of a sweep from Python values: `lr=[0.1, 0.2]` is `lr=0.1,0.2`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gansweep.planning.overrides import LISTS, VERBATIM, as_arguments, in_quotes
from gansweep.store.errors import UserError

NAME = re.compile(r"[A-Za-z_][\w.]*(/\w+)*")
VALUES = "a number, text, True, False, None, a path, or a list of these"


@dataclass(frozen=True)
class Interval:
    """A range of a search, both ends included."""

    low: float
    high: float
    log: bool = False

    def __str__(self) -> str:
        """Return the interval as the command line has it."""
        text = f"interval({_number(self.low)},{_number(self.high)})"
        return f"tag(log,{text})" if self.log else text


def interval(low: float, high: float, *, log: bool = False) -> Interval:
    """Return the range of a searched parameter: `lr=gs.interval(1e-5, 1e-2, log=True)`.

    Both ends are included. log: whether the scale of the range is logarithmic. A sweep with an
    interval is a search.
    """
    return Interval(low, high, log)


def arguments(parameters: Mapping[str, Any]) -> list[str]:
    """Return `name=value` for each parameter, where a list has commas between its values.

    A Python `range` becomes `range(start,stop,step)`. NumPy's numbers and arrays, and the columns
    of pandas, count as numbers and lists. Raises UserError for a name or a value that no command
    line can have; the command itself checks all else.
    """
    words = []
    for name, value in parameters.items():
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise UserError(f"{name!r} is no name of a parameter, such as lr or gen.features")
        words.append(f"{name}={_texts(name, value)}")
    return words


def _texts(name: str, value: Any) -> str:
    """Return the value or the values of a parameter."""
    if hasattr(value, "tolist"):  # NumPy, pandas and torch
        value = value.tolist()
    if isinstance(value, Interval):
        return str(value)
    if isinstance(value, range) and name not in LISTS:
        return f"range({value.start},{value.stop},{value.step})"
    if not isinstance(value, list | tuple | range):
        return _text(name, value)
    if not value:
        raise UserError(f"{name} has no values: the list is empty")
    return ",".join(_text(name, item) for item in value)


def _text(name: str, value: Any) -> str:
    """Return one value, with quotes where the command line needs them."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if value is not None and not isinstance(value, str | int | float):
        raise UserError(f"{name}: {value!r} is {type(value).__name__}; write {VALUES}")
    if name in LISTS and isinstance(value, str):  # its commas separate items: rows="0-5,34"
        return value
    if name in VERBATIM and isinstance(value, str):  # its own quotes and commas need others
        return in_quotes(value)
    return as_arguments({name: value})[0].partition("=")[2]


def _number(value: float) -> str:
    """Return the end of an interval. Raises UserError if it is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"interval: {value!r} is no number")
    return _text("interval", value)
