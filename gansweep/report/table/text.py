"""Format parameters, durations and headings for tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gansweep.components import is_option, label_of
from gansweep.config import PARAMS, parameter
from gansweep.notation import format_value
from gansweep.plugins import DATASETS
from gansweep.store.manifest import NOT_APPLICABLE

UNKNOWN = "–"


def format_param(name: str, params: dict[str, Any]) -> str:
    """Format a parameter: `5e-5` for a number, n/a for a parameter without effect.

    The result is UNKNOWN if a newer version has added the parameter and the run is older.
    """
    value = params.get(name)
    if name not in PARAMS and not is_option(name) and value is None:
        return NOT_APPLICABLE if name in params else UNKNOWN
    if value is None:
        return parameter(name).null_label or NOT_APPLICABLE
    return format_value(value)


def format_data(config: Mapping[str, Any]) -> str:
    """Return the data set of a config.json, with its note or its options in parentheses."""
    name = config["data"]["name"]
    note = DATASETS.entry(name).note if name in DATASETS else ""
    options = config.get("params", {}).get("options") or {}
    own = [f"{label_of(n)[5:]} {format_value(v)}" for n, v in options.items()
           if n.startswith("data.")]  # fmt: skip
    inside = ", ".join(filter(None, [note, *own]))
    return f"{name} ({inside})" if inside else name


def format_count(number: int, noun: str) -> str:
    """Return a number with its noun: `1 trial`, `2 trials`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def format_seconds(seconds: float) -> str:
    """Format a duration: 14 s, 3 min 5 s, 18 h 4 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def slug(heading: str) -> str:
    """Return a picture column's heading for file names: `drawn-face` for `Drawn Face Output`."""
    return re.sub(r"[^a-z0-9]+", "-", heading.lower().removesuffix("output")).strip("-")


def heading_of(column: str) -> str:
    """Return the heading of a column; that of merged parameters is short, as in the documents.

    For example, `gen_drop / disc_drop` has the heading `gen/disc drop`.
    """
    names = column.split(" / ")
    if not all(name in PARAMS or is_option(name) for name in names):  # of a newer version
        return column
    labels = [parameter(name).label for name in names]
    if len(labels) == 1:
        return labels[0]
    words = [label.split() for label in labels]
    if len({tuple(w[1:]) for w in words}) == 1:
        return " ".join(["/".join(w[0] for w in words), *words[0][1:]])
    return " / ".join(labels)
