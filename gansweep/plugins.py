"""The registries: named things a user can choose, each registered by a decorator.

Nothing here imports torch: the names, the help texts and the facts that planning needs (has it
dropout? which image size?) are known before anything heavy is loaded.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from gansweep.store.errors import UserError, choices_hint


@dataclass(frozen=True)
class Entry:
    """One registered thing: its name, its factory, and facts known without building it."""

    name: str
    build: Callable[..., Any]
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def help(self) -> str:
        """The fact `help`, else the first line of the factory's docstring."""
        return str(self.facts.get("help", "")) or (self.build.__doc__ or "").strip().split("\n")[0]

    def __getattr__(self, fact: str) -> Any:
        try:
            return self.__dict__["facts"][fact]
        except KeyError:
            raise AttributeError(f"no fact {fact!r} declared") from None


class Registry:
    """Entries of one kind, in the order in which they were registered.

    home: the module whose import registers gansweep's own entries. It is imported when the registry
    is first read, so that the declarations above it need not import it.
    """

    def __init__(self, kind: str, home: str | None = None) -> None:
        self.kind = kind
        self._home = home
        self._entries: dict[str, Entry] = {}

    def _load(self) -> dict[str, Entry]:
        if self._home is not None:
            home, self._home = self._home, None
            importlib.import_module(home)
        return self._entries

    def register(self, name: str, **facts: Any) -> Callable[[Callable[..., Any]], Any]:
        """Decorator: make the function or class selectable as `name`."""

        def add(build: Callable[..., Any]) -> Callable[..., Any]:
            if name in self._entries:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            self._entries[name] = Entry(name, build, facts)
            return build

        return add

    def names(self) -> list[str]:
        return list(self._load())

    def __getitem__(self, name: str) -> Entry:
        """Raises UserError, naming the valid choices, if there is no such entry."""
        try:
            return self._load()[name]
        except KeyError:
            hint = choices_hint(str(name), self._entries)
            raise UserError(f"no {self.kind} {str(name)!r}: {hint}") from None

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._load().values())

    def __contains__(self, name: object) -> bool:
        return name in self._load()


GENERATORS = Registry("generator", "gansweep.training.networks")
DISCRIMINATORS = Registry("discriminator", "gansweep.training.networks")
OPTIMIZERS = Registry("optimizer", "gansweep.training.optimizers")
DATASETS = Registry("data set", "gansweep.training.data")
METRICS = Registry("metric", "gansweep.training.metrics.distances")
