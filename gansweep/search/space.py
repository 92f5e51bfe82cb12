"""The space of a search: what the command line says of each searched parameter.

One meaning of ends: `interval(a,b)` includes both; `range(a,b,step)` takes the values that it takes
in a grid, which stop before b; `a,b,c` are choices without an order. `tag(log,…)` makes an interval
logarithmic.
"""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from gansweep.config import DEFAULTS, HYPERPARAMETERS, PARAMS, Config, check, effective, validate
from gansweep.launch.names import SEARCH
from gansweep.planning.overrides import LISTS, parse, values_of
from gansweep.plugins import DISCRIMINATORS, GENERATORS
from gansweep.store.errors import UserError, choices_hint

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

# Parameters that decide which others have an effect: proposed first.
DECIDING = ("gen", "disc", "gen_opt", "disc_opt", "momentum")
DIGITS = 4  # significant, of what a sampler proposes: numbers that can be read and typed


@dataclass(frozen=True)
class Dimension:
    """One searched parameter, or two that constrain each other (`gen / disc`): choices, or an
    interval with both ends."""

    name: str
    choices: tuple[Any, ...] = ()
    low: float = 0
    high: float = 0
    step: float | None = None
    log: bool = False

    @property
    def whole(self) -> bool:
        """Are its values whole numbers?"""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def distribution(self) -> BaseDistribution:
        """As Optuna calls it."""
        from optuna.distributions import (
            CategoricalDistribution,
            FloatDistribution,
            IntDistribution,
        )

        if self.choices:
            return CategoricalDistribution(self.choices)
        if self.whole:
            step = int(self.step or 1)
            return IntDistribution(int(self.low), int(self.high), log=self.log, step=step)
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def suggest(self, trial: Trial) -> Any:
        """What the study's sampler proposes."""
        if self.choices:
            return trial.suggest_categorical(self.name, self.choices)
        if self.whole:
            step = int(self.step or 1)
            return trial.suggest_int(
                self.name, int(self.low), int(self.high), log=self.log, step=step
            )
        return trial.suggest_float(self.name, self.low, self.high, log=self.log, step=self.step)

    def at(self, place: float) -> Any:
        """What lies at a place between 0 and 1 of this dimension, as a sampler would propose it."""
        if self.choices:
            return self.choices[min(int(place * len(self.choices)), len(self.choices) - 1)]
        if self.log:
            value = self.low * (self.high / self.low) ** place
        else:
            value = self.low + place * (self.high - self.low)
        if self.step:
            value = self.low + self.step * round((value - self.low) / self.step)
        value = min(max(value, self.low), self.high)
        return round(value) if self.whole else value

    def contains(self, proposed: Any) -> bool:
        if self.choices:
            return proposed in self.choices
        return isinstance(proposed, int | float) and self.low <= proposed <= self.high

    def values(self, proposed: Any) -> dict[str, Any]:
        """Parameters, typed, of what a sampler proposes."""
        names = self.name.split(" / ")
        if len(names) > 1:
            return dict(zip(names, proposed.split(" / "), strict=True))
        if isinstance(proposed, float) and not self.choices:
            proposed = min(max(float(f"{proposed:.{DIGITS}g}"), self.low), self.high)
        return {self.name: check(self.name, proposed)}


@dataclass(frozen=True)
class Space:
    """The searched parameters, those first on which the effect of others depends."""

    dimensions: tuple[Dimension, ...]

    def names(self) -> list[str]:
        """The parameters, in the order of the declarations."""
        searched = {name for d in self.dimensions for name in d.name.split(" / ")}
        return [name for name in PARAMS if name in searched]

    def propose(self, trial: Trial, base: Config) -> dict[str, Any]:
        """The parameters of a trial: those that have an effect beside the others' values."""
        values: dict[str, Any] = {}
        for dimension in self.dimensions:
            if has_effect(dimension, replace(base, **values)):
                values |= dimension.values(dimension.suggest(trial))
        return values

    def distributions(self, values: dict[str, Any], base: Config) -> dict[str, BaseDistribution]:
        """Of the dimensions that have an effect beside these values."""
        config = replace(base, **values)
        return {d.name: d.distribution() for d in self.dimensions if has_effect(d, config)}

    def proposed(self, values: dict[str, Any], base: Config) -> dict[str, Any]:
        """What a sampler would have proposed to get these values: the inverse of `values`."""
        config = replace(base, **values)
        return {
            d.name: " / ".join(str(values[name]) for name in d.name.split(" / "))
            if " / " in d.name
            else values[d.name]
            for d in self.dimensions
            if has_effect(d, config)
        }

    def defaults(self, base: Config) -> dict[str, Any] | None:
        """The values of `base`, as a sampler would propose them; None if one lies outside."""
        proposed = self.proposed({name: getattr(base, name) for name in self.names()}, base)
        each = [d for d in self.dimensions if d.name in proposed]
        return proposed if all(d.contains(proposed[d.name]) for d in each) else None

    def design(self, count: int, seed: int) -> list[dict[str, Any]]:
        """Settings that fill the space evenly: a scrambled Sobol' sequence."""
        from scipy.stats.qmc import Sobol

        whole = 1 << (count - 1).bit_length()  # it is even in powers of two
        places = Sobol(len(self.dimensions), seed=seed).random(whole)[:count]
        return [
            {d.name: d.at(float(x)) for d, x in zip(self.dimensions, point, strict=True)}
            for point in places
        ]

    def describe(self) -> list[dict[str, Any]]:
        """For comparing with another call's space; JSON."""
        return [{**asdict(d), "choices": list(d.choices)} for d in self.dimensions]


def has_effect(dimension: Dimension, config: Config) -> bool:
    """Does it change anything beside these other values?"""
    names = dimension.name.split(" / ")
    if any(name in ("gen_drop", "disc_drop") for name in names):
        net = GENERATORS[config.gen] if names == ["gen_drop"] else DISCRIMINATORS[config.disc]
        return bool(net.dropout)
    effect = effective(config)
    # A null in the base is a value (width), not a lack of effect.
    return any(effect[name] is not None or getattr(config, name) is None for name in names)


def read_space(arguments: list[str], names: list[str], base: Config) -> Space:
    """The space of a command line: ranges and choices, and `names` in their usual ranges.

    base: the values of all others. Raises UserError for what cannot be searched.
    """
    found: dict[str, Dimension] = {}
    for argument in arguments:
        override = parse(argument)
        dimension = _dimension(override, argument)
        found[dimension.name] = dimension
    for name in names:
        if name in found:
            raise UserError(f"search={name}, and {name} has values of its own: leave out one")
        found[name] = _usual(name, base)
    return Space(tuple(_ordered(_joined(found, base))))


def is_searched(argument: str) -> bool:
    """Does this override give a parameter several values or an interval?"""
    override = parse(argument)
    name = override.get_key_element()
    return override.is_sweep_override() and name in PARAMS and name not in (*LISTS, "seed")


def with_sweeper(overrides: list[str]) -> list[str]:
    """The overrides of a sweep; those of a search choose its sweeper, if none is chosen."""
    from hydra.core.override_parser.types import IntervalSweep

    from gansweep.planning.row_list import is_search

    if any(o.startswith("hydra/sweeper=") for o in overrides):
        return overrides
    for override in overrides:
        name, _, value = override.partition("=")
        if (
            name == "search"
            or (name == "sweep" and is_search(value))
            or ("interval(" in value and isinstance(parse(override).value(), IntervalSweep))
        ):
            return [*overrides, f"hydra/sweeper={SEARCH}"]
    return overrides


def _dimension(override: Override, argument: str) -> Dimension:
    from hydra.core.override_parser.types import IntervalSweep, RangeSweep

    name = override.get_key_element()
    _searchable(name)
    value = override.value()
    tags = set(getattr(value, "tags", None) or ())
    if unknown := sorted(tags - {"log"}):
        raise UserError(f"{argument}: no tag {unknown[0]!r}; the one that is known is log")
    log = bool(tags)
    if isinstance(value, IntervalSweep):
        if value.start is None or value.end is None:
            raise UserError(f"{argument}: an interval has two ends")
        return _numeric(name, value.start, value.end, log, argument)
    if isinstance(value, RangeSweep) and not PARAMS[name].names():
        values = sorted(check(name, v) for v in values_of(override, argument))
        if len(values) < 2:
            raise UserError(f"{argument} has fewer than two values")
        step = float(f"{values[1] - values[0]:.12g}")
        return replace(_numeric(name, values[0], values[-1], log, argument), step=step)
    choices = tuple(dict.fromkeys(check(name, v) for v in values_of(override, argument)))
    if log:
        raise UserError(f"{argument}: choices have no scale; write tag(log,interval(a,b))")
    return Dimension(name, choices)


def _numeric(name: str, low: Any, high: Any, log: bool, argument: str) -> Dimension:
    if PARAMS[name].names() or isinstance(DEFAULTS[name], bool):
        raise UserError(f"{argument}: {name} has no interval, but choices: write {name}=a,b")
    # Hydra reads the ends of an interval as floats.
    low, high = (
        check(name, int(v) if isinstance(DEFAULTS[name], int) and v == int(v) else v)
        for v in (low, high)
    )
    if not low < high:
        raise UserError(f"{argument}: the first end must be less than the second")
    if log and low <= 0:
        raise UserError(f"{argument}: a logarithmic interval begins above 0")
    return Dimension(name, low=low, high=high, log=log)


def _usual(name: str, base: Config) -> Dimension:
    """The declared range of a parameter."""
    _searchable(name)
    param = PARAMS[name]
    if param.search is not None:
        low, high = (check(name, end) for end in param.search)
        return Dimension(name, low=low, high=high, log=param.log)
    choices = param.names()
    if name in ("gen", "disc"):  # of the size that the others have
        registry = GENERATORS if name == "gen" else DISCRIMINATORS
        size = GENERATORS[base.gen].image_size
        choices = [entry.name for entry in registry if entry.image_size == size]
    if not choices:
        if isinstance(getattr(base, name), bool):
            return Dimension(name, (False, True))
        raise UserError(f"search={name} has no usual range: write {name}=interval(a,b)")
    return Dimension(name, tuple(choices))


def _searchable(name: str) -> None:
    searchable = [n for n in HYPERPARAMETERS if n != "seed"]
    if name not in searchable:
        raise UserError(f"{name} cannot be searched; {choices_hint(name, searchable)}")


def _joined(found: dict[str, Dimension], base: Config) -> list[Dimension]:
    """With the networks as one dimension where not all fit together: no trial is wasted."""
    if "gen" not in found or "disc" not in found:
        return list(found.values())
    pairs = list(itertools.product(found["gen"].choices, found["disc"].choices))
    fitting = [pair for pair in pairs if _fit(replace(base, gen=pair[0], disc=pair[1]))]
    if not fitting:
        validate(replace(base, gen=pairs[0][0], disc=pairs[0][1]))  # says why not
    if len(fitting) == len(pairs):
        return list(found.values())
    rest = [d for name, d in found.items() if name not in ("gen", "disc")]
    return [Dimension("gen / disc", tuple(" / ".join(pair) for pair in fitting)), *rest]


def _fit(config: Config) -> bool:
    try:
        validate(replace(config, gen_drop=0, disc_drop=0))
    except UserError:
        return False
    return True


def _ordered(dimensions: list[Dimension]) -> list[Dimension]:
    order = [*DECIDING, *(name for name in PARAMS if name not in DECIDING)]
    return sorted(dimensions, key=lambda d: order.index(d.name.split(" / ")[0]))
