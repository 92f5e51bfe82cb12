"""The parameters of components: `gen.n_blocks=3` from the signature of what `gen=` names.

A component is anything that a user chooses by a registered name or by an import path, such as
`gen=mypkg.nets:ResNetG`. Its signature is its schema: what gansweep knows (`z_dim`, `channels`, …)
it passes by name, and every other parameter is an option of the component, typed by its annotation
(int, float, bool, str, each with `| None`, or Literal) or else by its default. An annotation
`Annotated[float, gansweep.option(low=0, search=(0.1, 100), log=True)]` adds what tables, checks and
searches can use.
"""

from __future__ import annotations

import functools
import inspect
import json
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from gansweep.declare import WORDS, Param, checked, split_optional
from gansweep.params import DataConfig
from gansweep.plugins import (
    DATASETS,
    DISCRIMINATORS,
    GENERATORS,
    LOSSES,
    MODELS,
    OF_OPTIMIZERS,
    OPTIMIZERS,
    PENALTIES,
    Entry,
    Registry,
)
from gansweep.source_code import version_of, version_of_files
from gansweep.store.errors import UserError, choices_hint
from gansweep.template import COMMANDS

if TYPE_CHECKING:
    from gansweep.config import Config


@dataclass(frozen=True)
class Kind:
    """A kind of component.

    supplied: the names of the parameters that gansweep passes itself; reserved: names that no
    parameter of a component may have; unset: parameters that always keep their defaults.
    """

    registry: Registry
    supplied: frozenset[str]
    reserved: frozenset[str] = frozenset()
    unset: frozenset[str] = frozenset()


OPTIMIZER = frozenset({"params", "lr", "betas", *OF_OPTIMIZERS})
NETWORK = {"channels", "image_size", "width", "alpha", "drop", "norm", "n_classes"}
KINDS: dict[str, Kind] = {
    "gen": Kind(GENERATORS, frozenset({*NETWORK, "z_dim", "net"})),
    "disc": Kind(DISCRIMINATORS, frozenset({*NETWORK, "net"})),
    "loss": Kind(LOSSES, frozenset({"smooth"})),
    "penalty": Kind(PENALTIES, frozenset({"disc", "real", "fake"})),
    "gen_opt": Kind(OPTIMIZERS, OPTIMIZER),
    "disc_opt": Kind(OPTIMIZERS, OPTIMIZER),
    "model": Kind(
        MODELS,
        frozenset(
            {"z_dim", "latent_dim", "channels", "image_size", "width", "height", "n_classes"}
        ),
    ),
    "command": Kind(COMMANDS, frozenset()),
}
# `data.NAME` that gansweep itself has, as `data.holdout`; all others are options of a component.
OF_DATA = frozenset(field.name for field in fields(DataConfig))
OF_IMAGES = frozenset({"image_size", "root", "channels", "download", "train"})
KINDS["data"] = Kind(
    DATASETS,
    OF_IMAGES,
    reserved=OF_DATA - OF_IMAGES,
    # Functions of torchvision's data sets; gansweep itself converts the pictures.
    unset=frozenset({"transform", "target_transform", "transforms"}),
)
WHOLE = ("model", "command")  # the kinds that replace gansweep's own training
ANY_SIZE = 28  # pixels, of networks that make images of any size


def kinds_of(config: Config) -> list[str]:
    """Return the kinds of the components that `config` uses.

    A module or a script of a user takes the place of all others but the data.
    """
    whole = [kind for kind in WHOLE if getattr(config, kind) is not None]
    if whole:
        return [whole[0], "data"]
    return [kind for kind in KINDS if kind not in WHOLE]


def component_of(config: Config, kind: str) -> str:
    """Return the name or import path of the chosen component of `kind`."""
    return config.data.name if kind == "data" else str(getattr(config, kind))


def option(
    help: str = "",
    *,
    low: float | None = None,
    high: float | None = None,
    search: tuple[float, float] | None = None,
    log: bool = False,
) -> Param:
    """Return what a component declares of one of its parameters, for `Annotated`.

    help: for `--help`; low and high: the valid range; search: the range of `search=`, both ends
    included; log: whether this range is logarithmic.
    """
    return Param(help, "", low=low, high=high, search=search, log=log)


@dataclass(frozen=True)
class Option:
    """One parameter of a component, `name` with its kind: `gen.n_blocks`."""

    name: str
    type: type
    optional: bool  # is null a value?
    default: Any
    param: Param

    def check(self, value: Any) -> Any:
        """Return `value` in the option's type. Raises UserError for a value that is not valid."""
        if self.type in (int, float) and isinstance(value, str):  # YAML reads 1e-3 as text
            with suppress(ValueError):
                value = float(value)
        return checked(self.name, value, self.type, self.optional, self.param)


def is_option(name: str) -> bool:
    """Is `name` spelled as the option of a component is, `gen.n_blocks`?"""
    kind, dot, rest = name.partition(".")
    if kind == "data" and rest in OF_DATA:
        return False
    return bool(dot) and kind in KINDS and rest.isidentifier()


@functools.cache
def options_of(kind: str, component: str) -> Mapping[str, Option]:
    """Return the options of a component by their full names, in the order of its signature.

    Raises UserError if there is no such component, or if its signature cannot be used.
    """
    entry = KINDS[kind].registry[component]
    if kind == "data" and entry.builder:  # a function of gansweep's own
        return {}
    return {o.name: o for o in _read(kind, entry)}


def _read(kind: str, entry: Entry) -> Iterator[Option]:
    what = f"{kind}={entry.name}"
    hints = _hints(entry.build)
    known = KINDS[kind]
    for parameter in _parameters(entry.build, what):
        if parameter.name in known.supplied | known.unset:
            continue
        if parameter.name in known.reserved:
            raise UserError(
                f"{what}: its parameter {parameter.name} cannot be set, as "
                f"{kind}.{parameter.name} is gansweep's own: rename it"
            )
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        where = f"{what}: its parameter {parameter.name}"
        if parameter.default is parameter.empty:
            supplied = ", ".join(sorted(known.supplied))
            raise UserError(
                f"{where} needs a default value, as gansweep does not pass it; it passes {supplied}"
            )
        name = f"{kind}.{parameter.name}"
        yield _option(name, hints.get(parameter.name), parameter.default, where)


def _parameters(build: Callable[..., Any], what: str) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(build).parameters.values())
    except (TypeError, ValueError):
        raise UserError(f"{what} has no signature that Python can read") from None


def _hints(build: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations of a function, or of the `__init__` of a class.

    Those that cannot be resolved, such as imports for type checkers alone, are left out.
    """
    function = build.__init__ if inspect.isclass(build) else build
    hints: dict[str, Any] = {}
    for name, hint in getattr(function, "__annotations__", {}).items():
        try:
            space = getattr(inspect.unwrap(function), "__globals__", {})
            hints[name] = eval(hint, space) if isinstance(hint, str) else hint
        except Exception:
            hints[name] = UNRESOLVED
    return hints


UNRESOLVED = object()


def _option(name: str, hint: Any, default: Any, where: str) -> Option:
    declared = Param("", "")
    if typing.get_origin(hint) is Annotated:
        hint, *extras = typing.get_args(hint)
        declared = next((extra for extra in extras if isinstance(extra, Param)), declared)
    hint, optional = split_optional(hint)
    optional = optional or default is None
    if typing.get_origin(hint) is Literal:
        choices = typing.get_args(hint)
        declared = replace(declared, choices=choices)
        hint = type(choices[0])
    if hint in (None, UNRESOLVED) and default is not None:
        hint = type(default)
    if hint not in WORDS:
        known = hint not in (None, UNRESOLVED)
        shown = f"of type {getattr(hint, '__name__', hint)}" if known else "not annotated"
        raise UserError(
            f"{where} is {shown}; gansweep takes int, float, bool and str, each with | None, and "
            "Literal; a list can be a str, such as '16-32'"
        )
    if hint is float and type(default) is int:
        default = float(default)
    try:
        if default is not None:
            assert type(default) is hint
            json.dumps(default, allow_nan=False)
    except (AssertionError, TypeError, ValueError):
        raise UserError(
            f"{where} has the default {default!r}, which is not {WORDS[hint]}"
        ) from None
    null = "none" if optional else ""
    return Option(name, hint, optional, default, replace(declared, label=label_of(name), null=null))


def label_of(name: str) -> str:
    """Return the heading of an option: `gen n_blocks` for `gen.n_blocks`."""
    return name.replace(".", " ")


def size_for(config: Config, kind: str) -> int:
    """Return the `image_size` that the chosen component of `kind` is called with, in pixels.

    It is that of the data, or the default of the component's signature.
    """
    if config.data.image_size is not None:
        return config.data.image_size
    default = defaults_of(kind, component_of(config, kind)).get("image_size")
    return default if isinstance(default, int) else ANY_SIZE


def defaults_of(kind: str, component: str) -> dict[str, Any]:
    """Return the parameters in a component's signature with their defaults.

    A parameter without a default has `inspect.Parameter.empty`.
    """
    build = KINDS[kind].registry[component].build
    return {p.name: p.default for p in _parameters(build, f"{kind}={component}")}


@functools.cache
def takes(kind: str, component: str, name: str) -> bool:
    """Does the component have a parameter `name` that gansweep passes?"""
    entry = KINDS[kind].registry[component]
    if entry.facts.get("builder"):
        return bool(entry.facts.get(name, True))
    parameters = _parameters(entry.build, f"{kind}={component}")
    return any(p.name == name or p.kind == p.VAR_KEYWORD for p in parameters)


def not_passed(kind: str, component: str, name: str) -> str:
    """Return the cause of a wrong shape: the signature of a network of the user lacks `name`.

    Returns an empty text if the component has the argument, or is one of gansweep's own.
    """
    if not is_foreign(kind, component) or takes(kind, component, name):
        return ""
    return f" (its signature has no argument {name}, by which gansweep would pass it)"


def unknown_option(name: str, arguments: Iterable[str]) -> UserError | None:
    """Return the error for a name that is an option of a chosen component: `gen.ngf` for `ngf`.

    arguments: the command line. Returns None if no component has such an option.
    """
    for argument in arguments:
        kind, _, values = argument.partition("=")
        for value in values.split(",") if kind in KINDS else ():
            with suppress(UserError):  # a component that does not load is refused later
                if (full := f"{kind}.{name}") in options_of(kind, value):
                    return UserError(f"unknown parameter {name!r}: did you mean {full!r}?")
    return None


def values_of(config: Config) -> dict[str, Any]:
    """Return the value of every option of the components that `config` chooses, by full name."""
    return {o.name: value for kind in kinds_of(config) for o, value in _chosen(config, kind)}


def recorded_values(config: Config) -> dict[str, Any]:
    """Return the values of options that manifests, studies and loggers keep, by full name.

    Of gansweep's own networks and optimizers these are only those that were given or differ from
    their defaults: a new option must not become a column of every table.
    """
    return {
        o.name: value
        for kind in kinds_of(config)
        for o, value in _chosen(config, kind)
        if kind not in ("gen", "disc", "gen_opt", "disc_opt")
        or is_foreign(kind, component_of(config, kind))
        or o.name in config.options
        or value != o.default
    }


def own_values(config: Config, kind: str) -> dict[str, Any]:
    """Return the value of every option of one component, by its name in the signature."""
    return {o.name.partition(".")[2]: value for o, value in _chosen(config, kind)}


def _chosen(config: Config, kind: str) -> Iterator[tuple[Option, Any]]:
    """Yield the options of the chosen component of `kind`, each with its value."""
    for known in options_of(kind, component_of(config, kind)).values():
        yield known, config.options.get(known.name, known.default)


def identity_of(config: Config) -> dict[str, Any]:
    """Return what a run's id has of its components: changed options, and the code of foreign ones.

    The values are by `gen.n_blocks` and `gen.code`.
    """
    found: dict[str, Any] = {}
    for kind in kinds_of(config):
        component = component_of(config, kind)
        found |= {o.name: value for o, value in _chosen(config, kind) if value != o.default}
        if is_foreign(kind, component):
            found[f"{kind}.code"] = _code_of(KINDS[kind].registry[component])
    return found


def _code_of(entry: Entry) -> str:
    """Return the version of a component's code; of a script, that of the files in its command."""
    template = entry.facts.get("template")
    return version_of(entry.build) if template is None else version_of_files(template.files())


def is_foreign(kind: str, component: str) -> bool:
    """Does the component come from outside gansweep?"""
    return not KINDS[kind].registry[component].build.__module__.startswith("gansweep.")


def chosen_options(config: Config, given: dict[str, Any]) -> dict[str, Any]:
    """Return the options among `given` that the components of `config` have, in their types.

    Raises UserError for a value that is not valid.
    """
    found: dict[str, Any] = {}
    for name, value in given.items():
        kind = name.partition(".")[0]
        if kind not in kinds_of(config):
            continue
        known = options_of(kind, component_of(config, kind)).get(name)
        if known is not None:
            found[name] = known.check(value)
    return found


def check_options(names: Iterable[str], configs: Iterable[Config]) -> None:
    """Raise UserError if one of `names` is an option of no component of these configurations."""
    chosen = list(configs)
    for name in names:
        kind = name.partition(".")[0]
        components = dict.fromkeys(component_of(c, kind) for c in chosen if kind in kinds_of(c))
        having = dict.fromkeys(n for c in components for n in options_of(kind, c))
        if name in having:
            continue
        which = ", ".join(f"{kind}={component}" for component in components)
        if not components:
            raise UserError(f"{name} has no effect here, as no run uses {kind}=")
        if not having:
            raise UserError(f"{name}: {which} has no parameters of its own")
        raise UserError(f"{name}: {which} has no such parameter; {choices_hint(name, having)}")


def arguments_of(config: Config, kind: str, supplied: dict[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments with which the chosen component of `kind` is called.

    supplied: what gansweep can pass; only the parameters that the component has are passed.
    """
    component = component_of(config, kind)
    given = {n: v for n, v in supplied.items() if takes(kind, component, n)}
    return given | own_values(config, kind)
