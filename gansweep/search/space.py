"""Reads the space of a search, with the values or the range of each searched parameter.

`interval(a,b)` includes both bounds. `range(a,b,step)` has the same values as in a grid, which stop
before b. `a,b,c` are choices without an order. `tag(log,…)` makes an interval logarithmic.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from gansweep.components import component_of, is_option, options_of
from gansweep.config import (
    HYPERPARAMETERS,
    PARAMS,
    Config,
    check,
    effective,
    kind_of,
    of_whole,
    ordered,
    validate,
    value_of,
    with_values,
)
from gansweep.declare import Param
from gansweep.launch.names import SEARCH
from gansweep.planning.overrides import LISTS, parse, values_of
from gansweep.plugins import DISCRIMINATORS, GENERATORS
from gansweep.store.errors import UserError, choices_hint
from gansweep.training.dry_run import image_size

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

# These parameters decide which others have an effect, and are proposed first.
DECIDING = ("model", "command", "gen", "disc", "loss", "penalty", "gen_opt", "disc_opt", "momentum")
SIGNIFICANT_DIGITS = 4  # Proposed numbers are rounded, so that people can read and type them.


@dataclass(frozen=True)
class Dimension:
    """One searched parameter, or two that constrain each other (`gen / disc`).

    A dimension has choices, or an interval that includes both bounds.
    """

    name: str
    choices: tuple[Any, ...] = ()
    low: float = 0
    high: float = 0
    step: float | None = None
    log: bool = False

    @property
    def is_integer(self) -> bool:
        """Whether the bounds, and thus all values, are integers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def distribution(self) -> BaseDistribution:
        """Return Optuna's distribution of this dimension."""
        from optuna.distributions import (
            CategoricalDistribution,
            FloatDistribution,
            IntDistribution,
        )

        if self.choices:
            return CategoricalDistribution(self.choices)
        if self.is_integer:
            step = int(self.step or 1)
            return IntDistribution(int(self.low), int(self.high), log=self.log, step=step)
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def suggest(self, trial: Trial) -> Any:
        """Return the value that the study's sampler proposes for a trial."""
        if self.choices:
            return trial.suggest_categorical(self.name, self.choices)
        if self.is_integer:
            step = int(self.step or 1)
            return trial.suggest_int(
                self.name, int(self.low), int(self.high), log=self.log, step=step
            )
        return trial.suggest_float(self.name, self.low, self.high, log=self.log, step=self.step)

    def value_at(self, share: float) -> Any:
        """Return the value at a share of the dimension: the first at 0, the last at 1."""
        if self.choices:
            return self.choices[min(int(share * len(self.choices)), len(self.choices) - 1)]
        if self.log:
            value = self.low * (self.high / self.low) ** share
        else:
            value = self.low + share * (self.high - self.low)
        if self.step:
            value = self.low + self.step * round((value - self.low) / self.step)
        value = min(max(value, self.low), self.high)
        return round(value) if self.is_integer else value

    def contains(self, proposed: Any) -> bool:
        """Return whether a sampler might propose this value."""
        if self.choices:
            return proposed in self.choices
        return isinstance(proposed, int | float) and self.low <= proposed <= self.high

    def values(self, proposed: Any) -> dict[str, Any]:
        """Return the parameters, with their types, that a proposed value stands for.

        Raises UserError if the value is not valid.
        """
        names = self.name.split(" / ")
        if len(names) > 1:
            return dict(zip(names, proposed.split(" / "), strict=True))
        if isinstance(proposed, float) and not self.choices:
            proposed = min(max(float(f"{proposed:.{SIGNIFICANT_DIGITS}g}"), self.low), self.high)
        if is_option(self.name):  # `with_values` checks it: only its component knows its type
            return {self.name: proposed}
        return {self.name: check(self.name, proposed)}


@dataclass(frozen=True)
class Space:
    """The searched parameters. Those that decide about the effect of others come first."""

    dimensions: tuple[Dimension, ...]

    def names(self) -> list[str]:
        """Return the searched parameters in the order of their declarations."""
        searched = {name for d in self.dimensions for name in d.name.split(" / ")}
        return ordered(searched)

    def propose(self, trial: Trial, base: Config) -> dict[str, Any]:
        """Return the parameters of a trial: those that have an effect given the others' values.

        base: the values of the parameters that are not searched.
        """
        values: dict[str, Any] = {}
        for dimension in self.dimensions:
            if has_effect(dimension, with_values(base, values)):
                values |= dimension.values(dimension.suggest(trial))
        return values

    def distributions(self, values: dict[str, Any], base: Config) -> dict[str, BaseDistribution]:
        """Return the distributions of the dimensions that have an effect given these values."""
        config = with_values(base, values)
        return {d.name: d.distribution() for d in self.dimensions if has_effect(d, config)}

    def proposed(self, values: dict[str, Any], base: Config) -> dict[str, Any]:
        """Return the proposals of a sampler that would give these parameters.

        This is the inverse of `Dimension.values`, by the names of dimensions.
        """
        config = with_values(base, values)
        return {
            d.name: " / ".join(str(values[name]) for name in d.name.split(" / "))
            if " / " in d.name
            else values[d.name]
            for d in self.dimensions
            if has_effect(d, config)
        }

    def defaults(self, base: Config) -> dict[str, Any] | None:
        """Return the values of `base` as proposals, or None if one lies outside the space."""
        proposed = self.proposed({name: value_of(base, name) for name in self.names()}, base)
        dimensions = [d for d in self.dimensions if d.name in proposed]
        return proposed if all(d.contains(proposed[d.name]) for d in dimensions) else None

    def design(self, count: int, seed: int) -> list[dict[str, Any]]:
        """Return `count` settings that fill the space evenly: a scrambled Sobol' sequence."""
        from scipy.stats.qmc import Sobol

        size = 1 << (count - 1).bit_length()  # the sequence is balanced at powers of two
        points = Sobol(len(self.dimensions), seed=seed).random(size)[:count]
        return [
            {d.name: d.value_at(float(x)) for d, x in zip(self.dimensions, point, strict=True)}
            for point in points
        ]

    def describe(self) -> list[dict[str, Any]]:
        """Return the space as JSON, for comparison with the space of another call."""
        return [{**asdict(d), "choices": list(d.choices)} for d in self.dimensions]


def has_effect(dimension: Dimension, config: Config) -> bool:
    """Return whether a dimension changes anything given the other values of `config`."""
    names = dimension.name.split(" / ")
    if of_whole(config) is None and any(name in ("gen_drop", "disc_drop") for name in names):
        net = GENERATORS[config.gen] if names == ["gen_drop"] else DISCRIMINATORS[config.disc]
        return bool(net.dropout)
    if is_option(names[0]):
        kind = names[0].partition(".")[0]
        return names[0] in options_of(kind, component_of(config, kind))
    effect = effective(config)
    # None in `config` itself is a value (as of width) and does not mean that there is no effect.
    return any(effect[name] is not None or getattr(config, name) is None for name in names)


def read_space(arguments: list[str], names: list[str], base: Config) -> Space:
    """Read the space of a command line.

    arguments: overrides with intervals, ranges or choices; names: parameters that are searched in
    their declared ranges; base: the values of all other parameters. Raises UserError for what
    cannot be searched.
    """
    dimensions: dict[str, Dimension] = {}
    # Components come first: the type of an option depends on them.
    for argument in sorted(arguments, key=lambda a: is_option(a.partition("=")[0])):
        override = parse(argument)
        declared = _declaration(override.get_key_element(), base, dimensions)
        dimension = _dimension(override, argument, declared)
        dimensions[dimension.name] = dimension
    for name in sorted(names, key=is_option):
        if name in dimensions:
            raise UserError(
                f"search={name}, and {name} has values on the command line: leave out one of them"
            )
        dimensions[name] = _declared(name, base, _declaration(name, base, dimensions))
    return Space(tuple(_ordered(_joined(dimensions, base))))


def is_searched(argument: str) -> bool:
    """Return whether an override gives a parameter several values or an interval."""
    override = parse(argument)
    name = override.get_key_element()
    known = name in PARAMS or (is_option(name) and not name.startswith("data."))
    return override.is_sweep_override() and known and name not in (*LISTS, "seed")


def with_sweeper(overrides: list[str]) -> list[str]:
    """Return the overrides of a sweep, with the sweeper of searches if they describe a search.

    A sweeper that the overrides choose stays.
    """
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


@dataclass(frozen=True)
class _Declaration:
    """What is known of a searched parameter. check: converts a value, or raises UserError."""

    param: Param
    kind: type
    check: Callable[[Any], Any]


def _declaration(name: str, base: Config, dimensions: dict[str, Dimension]) -> _Declaration:
    """Return the declaration of a hyperparameter, or of an option of a component of the search.

    Raises UserError if there is none.
    """
    if not is_option(name) or name.startswith("data."):
        searchable = [n for n in HYPERPARAMETERS if n != "seed"]
        if name not in searchable:
            raise UserError(f"{name} cannot be searched; {choices_hint(name, searchable)}")
        return _Declaration(PARAMS[name], kind_of(name), functools.partial(check, name))
    kind = name.partition(".")[0]
    chosen = dimensions[kind].choices if kind in dimensions else (getattr(base, kind),)
    found = {n: o for c in chosen for n, o in options_of(kind, str(c)).items()}
    if name not in found:
        which = ", ".join(f"{kind}={component}" for component in chosen)
        hint = choices_hint(name, found) if found else "it has no parameters of its own"
        raise UserError(f"{name}: {which} has no such parameter; {hint}")
    return _Declaration(found[name].param, found[name].type, found[name].check)


def _dimension(override: Override, argument: str, declared: _Declaration) -> Dimension:
    from hydra.core.override_parser.types import IntervalSweep, RangeSweep

    name, check = override.get_key_element(), declared.check
    value = override.value()
    tags = set(getattr(value, "tags", None) or ())
    if unknown := sorted(tags - {"log"}):
        raise UserError(f"{argument}: no tag {unknown[0]!r}; the only valid tag is log")
    log = bool(tags)
    if isinstance(value, IntervalSweep):
        if value.start is None or value.end is None:
            raise UserError(f"{argument}: an interval needs two bounds")
        return _numeric(name, declared, value.start, value.end, log, argument)
    if isinstance(value, RangeSweep) and not declared.param.names():
        values = sorted(check(v) for v in values_of(override, argument))
        if len(values) < 2:
            raise UserError(f"{argument} has fewer than two values")
        step = float(f"{values[1] - values[0]:.12g}")
        return replace(_numeric(name, declared, values[0], values[-1], log, argument), step=step)
    choices = tuple(dict.fromkeys(check(v) for v in values_of(override, argument)))
    if log:
        raise UserError(f"{argument}: choices have no scale; write tag(log,interval(a,b))")
    return Dimension(name, choices)


def _numeric(
    name: str, declared: _Declaration, low: Any, high: Any, log: bool, argument: str
) -> Dimension:
    if declared.param.names() or declared.kind in (bool, str):
        raise UserError(f"{argument}: {name} takes choices, not an interval: write {name}=a,b")
    # Hydra reads the bounds of an interval as floats.
    low, high = (
        declared.check(int(v) if declared.kind is int and v == int(v) else v) for v in (low, high)
    )
    if not low < high:
        raise UserError(f"{argument}: the first bound must be less than the second")
    if log and low <= 0:
        raise UserError(f"{argument}: a logarithmic interval must begin above 0")
    return Dimension(name, low=low, high=high, log=log)


def _declared(name: str, base: Config, declared: _Declaration) -> Dimension:
    """Return the dimension with the declared range or choices of a parameter."""
    param = declared.param
    if param.search is not None:
        low, high = (declared.check(bound) for bound in param.search)
        return Dimension(name, low=low, high=high, log=param.log)
    choices = param.names()
    if name in ("gen", "disc"):  # of the image size of the base
        registry = GENERATORS if name == "gen" else DISCRIMINATORS
        size = image_size(base)
        choices = [entry.name for entry in registry if entry.image_size == size]
    if not choices:
        if declared.kind is bool:
            return Dimension(name, (False, True))
        raise UserError(f"search={name} has no declared range: write {name}=interval(a,b)")
    return Dimension(name, tuple(choices))


def _joined(dimensions: dict[str, Dimension], base: Config) -> list[Dimension]:
    """Join the networks to one dimension of fitting pairs, if not all pairs fit.

    Thus no trial is wasted on networks that do not fit. Raises UserError if no pair fits.
    """
    if "gen" not in dimensions or "disc" not in dimensions:
        return list(dimensions.values())
    pairs = list(itertools.product(dimensions["gen"].choices, dimensions["disc"].choices))
    fitting = [pair for pair in pairs if _fits(replace(base, gen=pair[0], disc=pair[1]))]
    if not fitting:
        validate(replace(base, gen=pairs[0][0], disc=pairs[0][1]))  # raises the reason
    if len(fitting) == len(pairs):
        return list(dimensions.values())
    rest = [d for name, d in dimensions.items() if name not in ("gen", "disc")]
    return [Dimension("gen / disc", tuple(" / ".join(pair) for pair in fitting)), *rest]


def _fits(config: Config) -> bool:
    """Return whether the two networks fit together, whatever their dropout."""
    try:
        validate(replace(config, gen_drop=0, disc_drop=0))
    except UserError:
        return False
    return True


def _ordered(dimensions: list[Dimension]) -> list[Dimension]:
    names = ordered(d.name.split(" / ")[0] for d in dimensions)
    order = [*DECIDING, *(name for name in names if name not in DECIDING)]
    return sorted(dimensions, key=lambda d: order.index(d.name.split(" / ")[0]))
