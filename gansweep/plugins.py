"""The registries: named things a user can choose, each registered by a decorator.

Nothing here imports torch: the names, the help texts and the facts that planning needs (has it
dropout? which image size?) are known before anything heavy is loaded.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_type_hints

from gansweep.store.errors import UserError, choices_hint
from gansweep.store.records import OLD_DISTANCES, Score


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
        return self._add(name, facts)

    def _add(self, name: str, facts: dict[str, Any]) -> Callable[[Callable[..., Any]], Any]:
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


# What a metric may be measured in. `judge` is the net that judges the data set: LeNet for digits,
# random convolutions for all other images. `pixels` are uint8 images, N×C×H×W. Those of papers are
# there only if judge= asks for them.
Features = Literal["judge", "lenet", "random", "inception", "dinov2", "pixels"]
Direction = Literal["minimize", "maximize"]
# What a score says besides its metrics: no metric may have one of these names.
FACTS = get_type_hints(Score).keys()


FOREIGN = "a metric that this version of gansweep does not know"


class Metrics(Registry):
    """The metrics of generated images. Each of them is computed for every score.

    A metric is a function of the real and of the generated images, both as arrays of the features
    that it declares, N×d (or as pixels). It returns a number, or a number and its standard error.
    A function that is registered under several names is called once and returns a dictionary by
    name, which may have more than these.
    """

    def register(  # type: ignore[override]
        self,
        name: str,
        *,
        features: Features,
        direction: Direction,
        digits: int,
        label: str,
        help: str = "",
        prepare: Callable[[Any], Any] | None = None,
        every_net: bool = False,
        for_digits: bool = True,
    ) -> Callable[[Callable[..., Any]], Any]:
        """Decorator: compute the metric `name` for every score.

        direction: which values are better; digits: decimals of a table, more or fewer of which its
        error may leave; label: its name in tables; help: its description in captions, else the
        docstring's first line. prepare: a function of the real images, computed once, whose result
        the metric gets in their place. every_net: it is the mean over the nets of its features,
        else it is measured by the first one. for_digits: False if it is not computed of digits.
        Raises ValueError for features or a direction that do not exist, or a name that is taken.
        """
        if name in FACTS or not name.isidentifier():
            raise ValueError(f"metric {name!r}: choose another name, a word that no fact has")
        for what, value, valid in (
            ("features", features, get_args(Features)),
            ("direction", direction, get_args(Direction)),
        ):
            if value not in valid:
                raise ValueError(f"metric {name!r}: {what}={value!r}; valid: {', '.join(valid)}")
        self._load()  # gansweep's own metrics come first, whoever imports what first
        facts = {
            "features": features, "direction": direction, "digits": digits, "label": label,
            "help": help, "prepare": prepare, "every_net": every_net, "for_digits": for_digits,
        }  # fmt: skip
        return self._add(name, facts)

    def entry(self, name: str) -> Entry:
        """The metric in a result. One of another version, or of a plugin that is absent, goes by
        its own name."""
        if name in self:
            return self[name]
        facts = {"label": name, "digits": 1, "direction": "minimize", "help": FOREIGN}
        return Entry(name, lambda: None, facts)

    def ranks(self, name: str) -> bool:
        """Is it known which of its values are better?"""
        return name in self or name in OLD_DISTANCES

    def sign(self, name: str) -> int:
        """1 if less is better, -1 if more is: sorted by sign × value, the best comes first."""
        return -1 if self.entry(name).direction == "maximize" else 1

    def better(self, name: str) -> str:
        if not self.ranks(name):
            return "so that no row is called the best"
        return "more is better" if self.sign(name) < 0 else "less is better"

    def loss(self, name: str, value: float) -> float:
        """A value as a distance: less is better, and half of it is twice as good.

        It is the value itself or, if more is better, its reciprocal, where 0 is infinitely far.
        """
        return as_loss(value, more_is_better=self.sign(name) < 0)


def as_loss(value: float, *, more_is_better: bool) -> float:
    """See `Metrics.loss`."""
    if not more_is_better:
        return value
    return 1 / value if value > 0 else math.inf


GENERATORS = Registry("generator", "gansweep.training.networks")
DISCRIMINATORS = Registry("discriminator", "gansweep.training.networks")
OPTIMIZERS = Registry("optimizer", "gansweep.training.optimizers")
DATASETS = Registry("data set", "gansweep.training.data")
SAMPLERS = Registry("sampler", "gansweep.search.samplers")
PRUNERS = Registry("pruner", "gansweep.search.samplers")
METRICS = Metrics("metric", "gansweep.training.metrics.registered")
