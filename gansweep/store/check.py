"""Check whether values that were read from files have the types that the records declare.

No library is used for the check. pydantic does not read Python's own TypedDict before Python 3.12.
msgspec does, but accepts NaN as a number, and either refuses unknown fields or drops them silently.
Both would also add a dependency to a package that needs only the standard library.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import types
import typing
from collections.abc import Mapping
from typing import Any

LIMIT = 1e100  # numbers in files are below it, so that their sums and squares are finite
NAMES = {
    dict: "an object",
    list: "a list",
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    types.NoneType: "null",
}


def fault(value: object, kind: Any, place: str = "") -> str:
    """Return a message that says where and how `value` violates a type; empty if it conforms.

    kind: a TypedDict or a dataclass, for an object with these fields, or the declared type of one
    of their fields; place: the path of the value in its file, for the message. Unknown fields are
    valid, because a newer version may have written them. Numbers must be finite.
    """
    if kind is Any:
        return ""
    origin, parts, has_fields = _components(kind)
    if origin in (typing.Union, types.UnionType):
        faults = [fault(value, part, place) for part in parts]
        return "" if "" in faults else faults[0]
    if has_fields:
        return _fault_of_object(value, kind, place)
    if not _is_a(value, origin or kind):
        return f"{place or 'the value'} is {_shown(value)}, not {NAMES[origin or kind]}"
    inner: list[tuple[object, str]] = []
    if not parts or parts[-1] is Any:
        return ""
    if isinstance(value, dict):
        inner = [(item, f"{place}.{key}") for key, item in value.items()]
    elif isinstance(value, list):
        inner = [(item, f"{place}[{number}]") for number, item in enumerate(value)]
    return next((found for item, where in inner if (found := fault(item, parts[-1], where))), "")


@functools.cache
def _components(kind: Any) -> tuple[Any, tuple[Any, ...], bool]:
    """Return the origin and the arguments of a generic type, and whether the type has fields.

    The result is cached, because computing it takes most of the time of a check.
    """
    has_fields = dataclasses.is_dataclass(kind) or typing.is_typeddict(kind)
    return typing.get_origin(kind), typing.get_args(kind), has_fields


def _fault_of_object(value: object, kind: Any, place: str) -> str:
    """Return how `value` violates a type with fields (see `fault`)."""
    if not isinstance(value, dict):
        return f"{place or 'the value'} is {_shown(value)}, not an object"
    hints, needed = _fields(kind)
    for name, hint in hints.items():
        where = f"{place}.{name}" if place else name
        if name in value:
            if found := fault(value[name], hint, where):
                return found
        elif name in needed:
            return f"{where} is missing"
    return ""


@functools.cache
def _fields(kind: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the declared types of the fields by name, and the names of the required fields."""
    hints = typing.get_type_hints(kind)
    if not dataclasses.is_dataclass(kind):
        return hints, kind.__required_keys__
    fields = dataclasses.fields(kind)
    missing = dataclasses.MISSING
    needed = [f.name for f in fields if f.default is missing and f.default_factory is missing]
    return {f.name: hints[f.name] for f in fields}, frozenset(needed)


def _is_a(value: object, kind: type) -> bool:
    return is_number(value, kind) if kind in (int, float) else isinstance(value, kind)


def is_number(value: object, kind: type = float) -> bool:
    """Return whether `value` is a finite number, and an integer if `kind` is int. A bool is not."""
    kinds = int if kind is int else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds):
        return False
    return abs(value) < LIMIT


def _shown(value: object) -> str:
    """Return `value` as at most 30 characters of JSON, or the name of its type."""
    if isinstance(value, dict | list):
        return NAMES[type(value)]
    text = json.dumps(value)
    return text if len(text) <= 30 else f"{text[:30]}…"


def number(record: Mapping[str, Any], name: str) -> float | None:
    """Return the finite number in a field of a record, or None if there is none."""
    value = record.get(name)
    return value if is_number(value) else None
