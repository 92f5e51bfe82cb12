"""Registries of the networks, optimizers, data sets, samplers, pruners, metrics and loggers.

A decorator registers each entry under the name that a user types. This module does not import
torch, so names, help texts and the facts that planning needs (dropout, image size) are available
without heavy imports.
"""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_type_hints

from gansweep.loading import import_object, is_import_path, respelled
from gansweep.store.errors import UserError, choices_hint
from gansweep.store.records import OLD_DISTANCES, Score


@dataclass(frozen=True)
class Entry:
    """A registered entry: its name, its factory, and facts that are known without building it."""

    name: str
    build: Callable[..., Any]
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def help(self) -> str:
        """The fact `help`, or else the first line of the factory's docstring."""
        return str(self.facts.get("help", "")) or (self.build.__doc__ or "").strip().split("\n")[0]

    def __getattr__(self, fact: str) -> Any:
        """Return a fact by name. Raises AttributeError if it is not declared."""
        try:
            return self.__dict__["facts"][fact]
        except KeyError:
            raise AttributeError(f"no fact {fact!r} declared") from None


class Registry:
    """Entries of one kind, in the order in which they were registered.

    home: the module whose import registers gansweep's own entries. The registry imports it when it
    is first read, so that declarations can use the registry without that import. by_path: whether
    an import path, `package.module:name`, is a name too. facts_of: a function of the registered
    object that returns the facts that its registration does not declare.
    """

    def __init__(
        self,
        kind: str,
        home: str | None = None,
        *,
        by_path: bool = False,
        facts_of: Callable[[Callable[..., Any]], dict[str, Any]] | None = None,
    ) -> None:
        self.kind = kind
        self.by_path = by_path
        self._facts_of = facts_of or (lambda _: {})
        self._home = home
        self._entries: dict[str, Entry] = {}
        self._by_path: dict[str, Entry] = {}

    def _load(self) -> dict[str, Entry]:
        """Import the home module once. Returns all entries by name."""
        if self._home is not None:
            home, self._home = self._home, None
            importlib.import_module(home)
        return self._entries

    def register(self, name: str, **facts: Any) -> Callable[[Callable[..., Any]], Any]:
        """Return a decorator that makes a function or class selectable as `name`."""
        return self._add(name, facts)

    def _add(self, name: str, facts: dict[str, Any]) -> Callable[[Callable[..., Any]], Any]:
        def add(build: Callable[..., Any]) -> Callable[..., Any]:
            if name in self._entries:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            self._entries[name] = Entry(name, build, {**self._facts_of(build), **facts})
            return build

        return add

    def names(self) -> list[str]:
        """Return the names of all entries."""
        return list(self._load())

    def __getitem__(self, name: str) -> Entry:
        """Return the entry `name`, which may be an import path.

        Raises UserError, with the valid choices, if there is none or if its import fails.
        """
        entry = self._find(name)
        if entry is None:
            raise UserError(f"no {self.kind} {str(name)!r}: {self._hint(str(name))}")
        return entry

    def check(self, parameter: str, name: str) -> None:
        """Raise UserError, with the valid choices, if `parameter` cannot be `name`."""
        if self._find(name) is None:
            raise UserError(f"{parameter}={name}: {self._hint(name)}")

    def _find(self, name: str) -> Entry | None:
        """Return the entry; None if there is none. Raises UserError if its import fails."""
        entries = self._load()
        if name in entries:
            return entries[name]
        if not self.by_path or not is_import_path(str(name)):
            return None
        if name not in self._by_path:
            build = import_object(name, f"{self.kind} {name}")
            self._by_path[name] = Entry(name, build, self._facts_of(build))
        return self._by_path[name]

    def valid(self) -> str:
        """Return the valid names in words."""
        names = f"one of {', '.join(self.names())}" if self.names() else ""
        path = "an import path, package.module:Name" if self.by_path else ""
        return ", or ".join(part for part in (names, path) if part)

    def _hint(self, name: str) -> str:
        if self.by_path and (meant := respelled(name)):
            return f"did you mean {meant!r}?"
        if not self.names():
            return f"valid: {self.valid()}"
        path = ", or an import path, package.module:Name" if self.by_path else ""
        return choices_hint(name, self.names()) + path

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._load().values())

    def __contains__(self, name: object) -> bool:
        return name in self._load()


# The features in which a metric may be measured. `judge` is the network that judges the data set:
# LeNet for digits, random convolutions for all other images. `pixels` are uint8 images, N×C×H×W.
# The features of papers, inception and dinov2, are computed only if judge= asks for them. `labels`
# are N×2 whole numbers, of digits with labels=true: what LeNet takes an image for, and its label.
Features = Literal["judge", "lenet", "random", "inception", "dinov2", "pixels", "labels"]
Direction = Literal["minimize", "maximize"]
# The fields of a score besides its metrics. No metric may have one of these names.
FACTS = get_type_hints(Score).keys()


FOREIGN = "a metric that this version of gansweep does not know"


class Metrics(Registry):
    """The metrics of generated images. A score has all that apply to its data set and features.

    A metric is a function of the real and of the generated images. Both are N×d arrays of the
    features that the metric declares, or pixels. A metric returns a number, or a number and its
    standard error. A function that is registered under several names is called once and returns a
    dictionary by name, in which further names are allowed.

    If a function raises an exception, or returns no finite number, the score has null for the
    metric, a line names the metric and the reason, and `errors` in result.json keeps the reason.
    Only the metric that ranks the runs of its data set must have a value: without it the run fails.
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
        """Return a decorator that registers a function as the metric `name`.

        direction: which values are better; digits: decimals in a table, fewer if the standard
        error is large; label: the name in tables; help: the description in captions, by default the
        first line of the docstring; prepare: a function of the real images that is called once and
        whose result replaces the real images as the metric's argument; every_net: whether the
        metric is the mean over all networks of its features rather than the first network's value;
        for_digits: whether the metric is computed for digits. The function may return NaN or
        infinity, or raise an exception: the score then has null (see the class). Raises ValueError
        for unknown features, an unknown direction, and an invalid or taken name.
        """
        if name in FACTS or not name.isidentifier():
            raise ValueError(f"metric {name!r}: choose an identifier that is no field of a score")
        for option, value, valid in (
            ("features", features, get_args(Features)),
            ("direction", direction, get_args(Direction)),
        ):
            if value not in valid:
                raise ValueError(f"metric {name!r}: {option}={value!r}; valid: {', '.join(valid)}")
        self._load()  # gansweep's own metrics come first, whatever the order of imports
        facts = {
            "features": features, "direction": direction, "digits": digits, "label": label,
            "help": help, "prepare": prepare, "every_net": every_net, "for_digits": for_digits,
        }  # fmt: skip
        return self._add(name, facts)

    def entry(self, name: str) -> Entry:
        """Return the metric `name`, or a placeholder for the metric of a missing plugin or of
        another version."""
        if name in self:
            return self[name]
        facts = {"label": name, "digits": 1, "direction": "minimize", "help": FOREIGN}
        return Entry(name, lambda: None, facts)

    def ranks(self, name: str) -> bool:
        """Return whether the direction of the metric is known, so that it can rank rows."""
        return name in self or name in OLD_DISTANCES

    def sign(self, name: str) -> int:
        """Return 1 if less is better, -1 if more is better; the least sign × value is the best."""
        return -1 if self.entry(name).direction == "maximize" else 1

    def better(self, name: str) -> str:
        """Return the clause of a caption that says which values are better."""
        if not self.ranks(name):
            return "so that no row is called the best"
        return "more is better" if self.sign(name) < 0 else "less is better"

    def loss(self, name: str, value: float) -> float:
        """Return a value as a loss, of which less is better.

        The loss is the value itself or, if more is better, its reciprocal. The reciprocal of a
        value that is not positive is infinity.
        """
        return as_loss(value, more_is_better=self.sign(name) < 0)


def as_loss(value: float, *, more_is_better: bool) -> float:
    """Return the loss of a value (see `Metrics.loss`)."""
    if not more_is_better:
        return value
    return 1 / value if value > 0 else math.inf


def _network_facts(build: Callable[..., Any]) -> dict[str, Any]:
    """Return what a network's signature says: which of gansweep's parameters it has."""
    names = _parameter_names(build)
    facts = {"dropout": "drop", "lrelu": "alpha", "norm": "norm", "width": "width"}
    return {
        "image_size": None,
        "demo_width": 1.0,
        "builder": False,
        **{fact: parameter in names for fact, parameter in facts.items()},
    }


def _parameter_names(build: Callable[..., Any]) -> set[str]:
    try:
        return {*inspect.signature(build).parameters}
    except (TypeError, ValueError):  # `components` raises the error for the user
        return set()


def _optimizer_facts(build: Callable[..., Any]) -> dict[str, Any]:
    """Return which of gansweep's parameters an optimizer takes, and whether its steps are adaptive.

    All optimizers but SGD count as adaptive, unless their registration says otherwise.
    """
    names = _parameter_names(build)
    if "betas" in names:
        names |= {"beta1", "beta2"}
    return {
        "parameters": tuple(name for name in OF_OPTIMIZERS if name in names),
        "adaptive": "SGD" not in getattr(build, "__name__", ""),
    }


# The hyperparameters that only optimizers have.
OF_OPTIMIZERS = ("beta1", "beta2", "momentum", "nesterov")


def _data_facts(build: Callable[..., Any]) -> dict[str, Any]:
    """Return the facts of a data set of the user: does its signature have `root`?"""
    return {**DATA_FACTS, "files": "root" in _parameter_names(build)}


DATA_FACTS: dict[str, Any] = {
    "builder": False, "files": False, "digits": False, "metrics": ("fd_random", "swd"),
    "stand_in": None, "note": "", "classes": True,
}  # fmt: skip


class DataSets(Registry):
    """The data sets: gansweep's own, whose fact `builder` is true, and those of users."""

    def entry(self, name: str) -> Entry:
        """Return a data set without importing it, so that reports need no code of the user.

        Raises UserError, with the valid choices, if there is none.
        """
        if self.by_path and is_import_path(name) and name not in self._by_path:
            return Entry(name, lambda: None, DATA_FACTS)
        return self[name]

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or is_import_path(str(name))


GENERATORS = Registry(
    "generator", "gansweep.training.networks", by_path=True, facts_of=_network_facts
)
DISCRIMINATORS = Registry(
    "discriminator", "gansweep.training.networks", by_path=True, facts_of=_network_facts
)
LOSSES = Registry(
    "loss",
    "gansweep.training.recipe",
    by_path=True,
    facts_of=lambda _: {"probability": False, "saturates_below": None},
)
MODELS = Registry("model", by_path=True)  # LightningModules of users; gansweep has none
PENALTIES = Registry("penalty", "gansweep.training.recipe", by_path=True)
OPTIMIZERS = Registry(
    "optimizer", "gansweep.training.optimizers", by_path=True, facts_of=_optimizer_facts
)
DATASETS = DataSets("data set", "gansweep.training.data", by_path=True, facts_of=_data_facts)
SAMPLERS = Registry("sampler", "gansweep.search.samplers")
PRUNERS = Registry("pruner", "gansweep.search.samplers")
METRICS = Metrics("metric", "gansweep.training.metrics.registered")
LOGGERS = Registry("logger", "gansweep.training.loggers")
