"""Read and check the overrides of a command line, before anything is composed or trained."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gansweep.components import WHOLE, is_option, unknown_option
from gansweep.config import (
    DATA_DEFAULTS,
    DEFAULTS,
    HYPERPARAMETERS,
    OF_MODELS,
    PARAMS,
    SEARCH_SETTINGS,
    SWEEP_SETTINGS,
    Config,
    check,
    is_text,
    of_script,
    of_whole,
    unknown_parameter,
)
from gansweep.notation import format_float
from gansweep.planning.own_data import offer
from gansweep.planning.resources import packaged_choices
from gansweep.planning.search_path import Choices
from gansweep.plugins import DATASETS
from gansweep.store.errors import UserError, choices_hint

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

GROUPS = ("data", "profile")
# The group of conf/ that contains the choices of each of these parameters.
CHOSEN_FROM = {"data": "data", "digits": "data", "faces": "data", "profile": "profile"}

MAX_VALUES = 100_000  # the limit for one parameter of a grid
# Commas separate the items of these lists, not values to sweep.
LISTS = ("rows", "search", "warm_start", "plugins", "logger")
REPLICATED = ("data", "seed")  # values become columns and replicates of a row, not further rows


@dataclass(frozen=True)
class Axis:
    """One override: a parameter's name and its typed values, at least one."""

    name: str
    values: tuple[Any, ...]


def read_axes(
    arguments: list[str], *, multirun: bool, choices: Choices = packaged_choices
) -> list[Axis]:
    """Return the axes of a command line in its order, without overrides of Hydra itself.

    choices: lists the choices of a group on this command line's search path. Raises UserError for
    bad syntax, unknown names and invalid values; without `-m` (multirun) also for several values of
    one parameter and for settings of sweeps.
    """
    axes: dict[str, Axis] = {}
    for argument in arguments:
        override = parse(argument)
        name = override.get_key_element().lstrip("+~")
        if name == "hydra":
            raise UserError(f"{argument}: hydra takes no value: write hydra.NAME=…")
        if name.split("/")[0].split(".")[0] == "hydra":
            continue
        if (near := _of_component(name, arguments)) is not None:
            raise near
        axis = _axis(override, argument, choices)
        if axis.name in REPLICATED and len(set(axis.values)) < len(axis.values):
            raise UserError(f"{argument}: a value is repeated; write each value once")
        if not multirun and len(axis.values) > 1:
            raise UserError(f"{argument} has several values: add -m to sweep over them")
        of_sweeps = axis.name in SWEEP_SETTINGS or axis.name in SEARCH_SETTINGS
        of_sweeps &= axis.name not in ("plan", "quiet")
        if not multirun and of_sweeps and axis.values != (DEFAULTS[axis.name],):
            raise UserError(f"{argument} is for sweeps: add -m")
        if multirun and axis.name == "run_id":
            raise UserError(f"{argument} names one run: leave out -m")
        if axis.name in axes:
            raise UserError(f"{axis.name} is given twice; write {axis.name}=a,b with -m for both")
        axes[axis.name] = axis
    # A typed length, epochs or steps, must not compete with the other one from the profile.
    for one, other in (("epochs", "steps"), ("steps", "epochs")):
        if one in axes and other not in axes:
            axes[other] = Axis(other, (None,))
    _check_whole(axes)
    _check_data(axes)
    return list(axes.values())


def _of_component(name: str, arguments: list[str]) -> UserError | None:
    """Return the error for an unknown name that an option of a chosen component has."""
    known = name in PARAMS or name in CHOSEN_FROM or "." in name or not name.isidentifier()
    return None if known else unknown_option(name, arguments)


def _check_data(axes: dict[str, Axis]) -> None:
    """Raise UserError for `data.NAME` that is no parameter, if no data set can have it as its own.

    What a user's data set has, or one that a file of conf/ names, `components.check_options` knows.
    """
    roles = [axes[name] for name, group in CHOSEN_FROM.items() if group == "data" and name in axes]
    if any(v not in DATASETS.names() or not DATASETS[v].builder for a in roles for v in a.values):
        return
    for name in axes:
        if name.startswith("data.") and is_option(name):
            raise unknown_parameter(name)


def _check_whole(axes: dict[str, Axis]) -> None:
    """Raise UserError for a parameter without effect beside a module or a script of the user."""
    given = {kind: axes[kind].values for kind in WHOLE if kind in axes}
    given = {kind: values for kind, values in given.items() if None not in values}
    for kind, values in given.items():
        used = OF_MODELS if kind == "model" else set().union(*map(of_script, values))
        named = [a.name for a in axes.values() if a.values != (None,)]
        unused = [n for n in named if n in HYPERPARAMETERS and n not in {*used, *WHOLE}]
        unused += [n for n in named if is_option(n) and not n.startswith((f"{kind}.", "data."))]
        if unused and kind == "command" and not is_option(unused[0]):
            name = unused[0]
            raise UserError(
                f"{name} has no effect on a script whose command has no {{{name}}}; add it, as in "
                f"--{name} {{{name}}}"
            )
        if unused:
            raise UserError(
                f"{unused[0]} has no effect on {kind}={values[0]}, whose own parameters are "
                f"{kind}.NAME=…"
            )


IN_HYDRA = "+options."  # where Hydra's configuration has the options of components


def for_hydra(override: str) -> str:
    """Return the override of a component's option, `gen.n_blocks=3`, as Hydra's configuration
    takes it; every other override as it is."""
    return IN_HYDRA + override if is_option(override.partition("=")[0]) else override


def as_given(arguments: list[str]) -> list[str]:
    """Return the overrides as the user typed them: the inverse of `for_hydra` and `quoted`."""
    return [_as_typed_by_user(argument.removeprefix(IN_HYDRA)) for argument in arguments]


def _as_typed_by_user(argument: str) -> str:
    name = argument.partition("=")[0]
    if name not in VERBATIM:
        return argument
    value = parse(argument).value()
    return as_arguments({name: value})[0] if isinstance(value, str) else argument


COMMAND = "command"
VERBATIM = (COMMAND, "constraint")  # the parameters whose text no grammar reads


def quoted(argument: str) -> str:
    """Return `command=TEXT` in the form that Hydra's grammar reads; any other argument as it is.

    The text of a command has braces, spaces and quotes of its own, so it is taken as it is, and so
    is that of a constraint. Only null, and quoted texts with commas between them, are left to the
    grammar: several commands.
    """
    name, _, text = argument.partition("=")
    if name not in VERBATIM or text in ("", "null") or (text[0] in "'\"" and _readable(argument)):
        return argument
    return f"{name}={in_quotes(text)}"


def in_quotes(text: str) -> str:
    """Return a text in quotes, as Hydra's grammar has it."""
    from hydra.core.override_parser.types import Quote, QuotedString

    return QuotedString(text, Quote.single).with_quotes()


def _readable(argument: str) -> bool:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        OverridesParser.create().parse_override(argument)
    except HydraException:
        return False
    return True


def parse(argument: str) -> Override:
    """Parse one override with Hydra's grammar. Raises UserError for bad syntax."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return OverridesParser.create().parse_override(quoted(argument))
    except HydraException as error:
        reason = " ".join(str(error).split("\n")[0].split()).split(" expecting ")[0]
        raise UserError(f"cannot read {argument!r} ({reason}); write name=value") from None


def as_typed(argument: str) -> str:
    """Return the argument in a form that Hydra reads as text where the parameter is text.

    Otherwise Hydra reads `name=1e5` as a number and `search=[lr]` as a list.
    """
    argument = quoted(argument)
    name, _, value = argument.partition("=")
    if name in LISTS and value[:1] == "[" and value[-1:] == "]":
        return f"{name}={value[1:-1]}"
    if is_text(name) and isinstance(parse(argument).value(), int | float | bool):
        return f"{name}='{value}'"
    return argument


def _axis(override: Override, argument: str, choices: Choices) -> Axis:
    name = override.get_key_element()
    if override.is_add() or override.is_delete():
        name = name.lstrip("+~")
        if name not in PARAMS and name not in GROUPS:
            near = str(unknown_parameter(name))
            raise UserError(
                f"{near}; a named set of parameters is a profile: DIR/profile/NAME.yaml, "
                "--config-dir DIR profile=NAME"
            )
        raise UserError(f"{argument}: parameters can be set, not added or removed; write {name}=…")
    if name in LISTS:  # a comma separates items of the list, not values to sweep
        text = argument.split("=", 1)[1].strip("'\"")
        return Axis(name, (check(name, None if text == "null" else text),))
    values = values_of(override, argument, choices)
    if name in CHOSEN_FROM:
        valid = _names(name, choices)
        for value in values:
            if name == "data" and "/" in str(value) and value not in valid:
                raise UserError(
                    f"{argument}: for your own pictures write data=images data.root={value}"
                )
            if value in valid or (CHOSEN_FROM[name] == "data" and offer(str(value))):
                continue
            path = ", or an import path, package.module:name" if name == "data" else ""
            raise UserError(f"{name}={value}: {choices_hint(str(value), valid)}{path}")
        return Axis(name, tuple(str(value) for value in values))
    if is_option(name):  # its component knows its type: see `components.chosen_options`
        return Axis(name, tuple(values))
    if name not in PARAMS and not name.startswith("data."):
        raise unknown_parameter(name)
    return Axis(name, tuple(check(name, value) for value in values))


def values_of(override: Override, argument: str, choices: Choices = packaged_choices) -> list[Any]:
    """Return the value or values of an override, as Hydra reads them.

    Raises UserError for a pattern or a range without values, for intervals, lists and mappings.
    """
    from hydra.core.override_parser.types import Glob, QuotedString, RangeSweep

    name, value = override.get_key_element(), override.value()
    if isinstance(value, Glob):
        names = _names(name, choices)
        values: list[Any] = value.filter(names)
        if not names:
            raise UserError(f"{argument}: {name} has no names to choose from; write {name}=a,b,c")
        if not values:
            raise UserError(f"{argument} matches none of {', '.join(names)}")
    elif override.is_discrete_sweep():
        _check_range(value, argument)
        values = [_rounded(v) for v in override.sweep_iterator()]
        if isinstance(value, RangeSweep):  # rounding in Hydra may add the excluded end
            values = [v for v in values if v != value.stop]
    elif override.is_sweep_override():
        if name == "seed":
            raise UserError(f"{argument}: a seed has no interval; write seed=range(1,6)")
        raise UserError(
            f"{argument}: a grid takes a,b,c or range(start,stop,step) or glob(pattern); "
            "intervals are for searches: python -m gansweep -m …"
        )
    else:
        values = [value]
    plain = [v.text if isinstance(v, QuotedString) else v for v in values]
    for value in plain:
        if not isinstance(value, str | int | float | bool | None):
            raise UserError(f"{argument}: {value} is not a single value")
    return plain


def _check_range(value: Any, argument: str) -> None:
    """Raise UserError for a range without values or with more than MAX_VALUES values."""
    from hydra.core.override_parser.types import RangeSweep

    if not isinstance(value, RangeSweep):
        return
    assert value.start is not None
    assert value.stop is not None
    if value.step == 0:
        raise UserError(f"{argument}: the step of a range must not be 0")
    span = (value.stop - value.start) / value.step
    if not math.isfinite(span):
        raise UserError(f"{argument}: the ends of a range must be finite numbers")
    count = math.ceil(span)
    if count < 1:
        raise UserError(f"{argument} has no values: write range(start,stop,step) from low to high")
    if count > MAX_VALUES:
        raise UserError(f"{argument} has {count:,} values; the limit is {MAX_VALUES:,}")


def _rounded(value: Any) -> Any:
    """Remove rounding errors, so that range(0.1,0.5,0.1) contains 0.3, not 0.30000000000000004."""
    return float(f"{value:.12g}") if isinstance(value, float) else value


def _names(name: str, choices: Choices) -> list[str]:
    """Return the named choices of a group or of a parameter; empty if there are none."""
    if name in CHOSEN_FROM:
        return choices(CHOSEN_FROM[name])
    return PARAMS[name].names() if name in PARAMS else []


def as_arguments(values: dict[str, Any]) -> list[str]:
    """Return `name=value` for each value, as `parse` reads it."""
    return [
        f"{name}={_text(value)}" if name not in VERBATIM else _verbatim(name, value)
        for name, value in values.items()
    ]


def _verbatim(name: str, text: str | None) -> str:
    """Return `command=TEXT`, without quotes if the text needs none."""
    plain = f"{name}={'null' if text is None else text}"
    return plain if text is None or quoted(plain) != plain else f"{name}={in_quotes(text)}"


def _text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return format_float(value)
    plain = value and all(c.isalnum() or c in "_-./:" for c in value)
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return value if plain else f"'{escaped}'"


def command(config: Config, steps: int | None) -> str:
    """Return the command line that trains exactly this run, even if files in conf/ change."""
    values: dict[str, Any] = {"data": config.data.name}
    used = of_whole(config)
    for name, default in DATA_DEFAULTS.items():
        value = getattr(config.data, name.removeprefix("data."))
        if value != default and name not in ("data.name", "data.epochs"):
            values[name] = value
    for name in PARAMS:
        value = getattr(config, name)
        reproduced = name in HYPERPARAMETERS or name == "threads"
        if used is not None and name in HYPERPARAMETERS and name not in used:
            continue
        # A profile may set shuffle, width and batch_size, so their defaults must be written too.
        if reproduced and (value != DEFAULTS[name] or name in ("shuffle", "width", "batch_size")):
            values[name] = value
    if config.plugins is not None:
        values["plugins"] = config.plugins
    values |= config.options
    if config.command is None:
        values |= {"steps": steps, "epochs": None}
    elif steps is not None:
        values = {"epochs": None, **values, "steps": steps}
    return shlex.join(["python", "-m", "gansweep", *as_arguments(values)])
