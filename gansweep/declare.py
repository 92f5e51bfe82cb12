"""How a parameter is declared, and the check of a value against its declaration."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gansweep.plugins import Registry
from gansweep.store.errors import UserError, choices_hint

WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


@dataclass(frozen=True)
class Param:
    """The declaration of a parameter, apart from its type and default."""

    help: str
    label: str
    choices: tuple[Any, ...] | Registry | Callable[[], list[str]] | None = None
    low: float | None = None
    high: float | None = None
    open_low: bool = False  # whether `low` itself is invalid
    open_high: bool = False  # whether `high` itself is invalid
    null: str = ""  # the meaning of null; empty if null is invalid
    null_label: str = ""  # the text of null in a table's cell
    group: str = "hyperparameters"
    resolved: bool = False  # whether the identity has another form, such as steps for epochs
    search: tuple[float, float] | None = None  # the range of search=, both ends included
    log: bool = False  # whether search= samples on a logarithmic scale
    several: bool = False  # whether the value is a list of choices with commas between them

    def names(self) -> list[str]:
        """Return the choices as they are typed; empty if there are none."""
        if isinstance(self.choices, Registry):
            return self.choices.names()
        if callable(self.choices):
            return self.choices()
        return [str(choice) for choice in self.choices or ()]

    def valid(self, name: str) -> str:
        """Return the valid values in words: `0 < lr <= 1` or `one of adam, sgd`."""
        if self.several:
            words = f"one or more of {', '.join(self.names())}"
        elif isinstance(self.choices, Registry):
            words = self.choices.valid()
        elif self.choices is not None:
            words = f"one of {', '.join(self.names())}"
        elif self.low is None and self.high is None:
            words = ""
        elif self.low is None:
            words = f"{name} {'<' if self.open_high else '<='} {self.high}"
        elif self.high is None:
            words = f"{name} {'>' if self.open_low else '>='} {self.low}"
        else:
            low, high = "<" if self.open_low else "<=", "<" if self.open_high else "<="
            words = f"{self.low} {low} {name} {high} {self.high}"
        null = f"null: {self.null}" if self.null else ""
        return ", or ".join(part for part in (words, null) if part)

    def includes(self, value: Any) -> bool:
        """Return whether the valid range includes a number; every text is in the range."""
        if self.low is not None and (value <= self.low if self.open_low else value < self.low):
            return False
        return self.high is None or (value < self.high if self.open_high else value <= self.high)


def param(default: Any, help: str, label: str = "", **facts: Any) -> Any:
    """Declare a dataclass field as a parameter. facts: the other fields of `Param`."""
    metadata = {"param": Param(help, label, **facts)}
    return field(default=default, metadata=metadata)


def items(text: str | None) -> list[str]:
    """Split the value of a list, for example `lr,beta1` of `search=lr,beta1`."""
    return [item for item in (text or "").strip("[]").replace(" ", "").split(",") if item]


def split_optional(hint: Any) -> tuple[Any, bool]:
    """Return a type without None, and whether it had None: (int, True) for `int | None`."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        inner = [t for t in typing.get_args(hint) if t is not type(None)]
        return (inner[0] if len(inner) == 1 else hint), len(inner) < len(typing.get_args(hint))
    return hint, False


def checked(name: str, value: Any, kind: type, optional: bool, declared: Param) -> Any:
    """Return `value` in the type `kind`, which is bool, int, float or str.

    optional: whether null is valid. Raises UserError, with the valid values, if `value` is invalid.
    """
    valid = declared.valid(name)
    if value is None and optional:
        return None
    if str(value) in ("True", "False") and declared.choices is not None:
        value = str(value).lower()  # YAML has read the choice `true` or `false` as a bool
    if kind is int and isinstance(value, float) and value.is_integer():
        value = int(value)  # YAML reads 1e3 as a float
    good = {
        bool: isinstance(value, bool),
        int: isinstance(value, int) and not isinstance(value, bool),
        float: isinstance(value, int | float) and not isinstance(value, bool),
        str: isinstance(value, str | int | float) and not isinstance(value, bool),
    }[kind]
    if good and kind is float:
        good = math.isfinite(value)
    if not good:
        shown = "null" if value is None else value
        rest = f"; valid: {valid}" if valid else ""
        raise UserError(f"{name}={shown} is not {WORDS[kind]}{rest}")
    value = kind(value)
    if declared.several:
        assert isinstance(declared.choices, Registry)
        chosen = items(value) or [value]
        for item in chosen:
            declared.choices.check(name, item)
        value = ",".join(dict.fromkeys(chosen))
    elif isinstance(declared.choices, Registry):
        declared.choices.check(name, str(value))
    elif declared.choices is not None:
        if str(value) not in declared.names():
            raise UserError(f"{name}={value}: {choices_hint(str(value), declared.names())}")
    elif not declared.includes(value):
        raise UserError(f"{name}={value} is out of range; valid: {valid}")
    return value
