"""Does a value that was read from a file have the type that the records declare?

No library does it here. pydantic reads no TypedDict of Python's own before 3.12. msgspec does, but
takes NaN for a number, and stops at a field that it does not know or drops it without a word. Both
would end that the contract needs the standard library alone.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import types
import typing
from collections.abc import Mapping
from typing import Any

MOST = 1e100  # of a number in a file: sums and squares of such numbers are finite
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
    """What keeps `value` from being of a type, with its place, in words; empty if nothing does.

    kind: a TypedDict or a dataclass (an object with these fields), or what one of their fields is
    declared as. A field that the type does not know is no fault: a newer version may have written
    it. Numbers must be finite.
    """
    if kind is Any:
        return ""
    origin, parts, has_fields = _made_of(kind)
    if origin in (typing.Union, types.UnionType):
        faults = [fault(value, part, place) for part in parts]
        return "" if "" in faults else faults[0]
    if has_fields:
        return _fault_of_object(value, kind, place)
    if not _is_a(value, origin or kind):
        return f"{place or 'it'} is {_shown(value)}, not {NAMES[origin or kind]}"
    inner: list[tuple[object, str]] = []
    if not parts or parts[-1] is Any:
        return ""
    if isinstance(value, dict):
        inner = [(item, f"{place}.{key}") for key, item in value.items()]
    elif isinstance(value, list):
        inner = [(item, f"{place}[{number}]") for number, item in enumerate(value)]
    return next((found for item, where in inner if (found := fault(item, parts[-1], where))), "")


@functools.cache
def _made_of(kind: Any) -> tuple[Any, tuple[Any, ...], bool]:
    """What a generic type is made of, and has it fields? To ask anew takes most of the time."""
    has_fields = dataclasses.is_dataclass(kind) or typing.is_typeddict(kind)
    return typing.get_origin(kind), typing.get_args(kind), has_fields


def _fault_of_object(value: object, kind: Any, place: str) -> str:
    if not isinstance(value, dict):
        return f"{place or 'it'} is {_shown(value)}, not an object"
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
    """The declared types of the fields, and the fields that must be there."""
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
    """Is it a finite number, a whole one if `kind` is int? Truth values are none."""
    kinds = int if kind is int else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds):
        return False
    return abs(value) < MOST


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return NAMES[type(value)]
    text = json.dumps(value)
    return text if len(text) <= 30 else f"{text[:30]}…"


def number(record: Mapping[str, Any], name: str) -> float | None:
    """The finite number that a record has under a name; None if it has none."""
    value = record.get(name)
    return value if is_number(value) else None
