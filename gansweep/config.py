"""The typed configuration of a run, built from all declarations, and the checks of its values."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from dataclasses import dataclass, field
from typing import Any

from gansweep.params import DataConfig, Hyperparameters, Param
from gansweep.plugins import DISCRIMINATORS, GENERATORS, OPTIMIZERS
from gansweep.settings import OutputSettings, RunSettings, SearchSettings, SweepSettings
from gansweep.store.errors import UserError, choices_hint


@dataclass
class Config(SearchSettings, SweepSettings, OutputSettings, RunSettings, Hyperparameters):
    """The configuration of one run, or of one row of a sweep, with the settings of the sweep.

    Hyperparameters are the first fields, because dataclasses order fields from the last base to the
    first.
    """

    data: DataConfig = field(default_factory=DataConfig)


def _declared(cls: type, prefix: str = "") -> dict[str, Param]:
    """Return the parameters that a dataclass declares, by name."""
    fields = dataclasses.fields(cls)
    return {prefix + f.name: f.metadata["param"] for f in fields if "param" in f.metadata}


PARAMS = _declared(Config)
HYPERPARAMETERS = _declared(Hyperparameters)
SWEEP_SETTINGS = _declared(SweepSettings)
SEARCH_SETTINGS = _declared(SearchSettings)
# Settings with one value for a whole sweep, which are not part of a row.
SHARED = {*SWEEP_SETTINGS, *SEARCH_SETTINGS, *_declared(OutputSettings)}
DATA_PARAMS = _declared(DataConfig, "data.")
DEFAULTS: dict[str, Any] = {f.name: f.default for f in dataclasses.fields(Config)}
DATA_DEFAULTS: dict[str, Any] = {
    f"data.{f.name}": f.default for f in dataclasses.fields(DataConfig)
}
KNOWN = {*PARAMS, *DATA_PARAMS}
RENAMED = {"inception_weights": "judge_weights"}
# The behaviour of runs from before a parameter existed, where it differs from today's default.
LEGACY_VALUES: dict[str, Any] = {"parametrization": "standard", "data.holdout": 0.0}
_HINTS: dict[str, Any] = {
    **typing.get_type_hints(Config),
    **{f"data.{name}": hint for name, hint in typing.get_type_hints(DataConfig).items()},
}

_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def as_record(config: Config) -> dict[str, Any]:
    """Return the configuration that a run's folder stores: `out`, and no settings of the sweep."""
    # dataclasses.asdict copies deeply, which took half of the time of planning many rows.
    values = {n: v for n, v in vars(config).items() if n not in SHARED}
    return values | {"data": dict(vars(config.data)), "out": config.out}


def from_record(params: dict[str, Any]) -> Config:
    """Return the configuration of a record that `as_record` of any version has written.

    A missing parameter gets its value in LEGACY_VALUES, or else its default. Unknown parameters are
    ignored. Raises UserError for a value that this version does not accept.
    """
    given = {RENAMED.get(k, k): v for k, v in params.items() if k != "data"}
    nested = params.get("data")
    if isinstance(nested, dict):
        given |= {f"data.{name}": value for name, value in nested.items()}
    values = {k: check(k, v) for k, v in {**LEGACY_VALUES, **given}.items() if k in KNOWN}
    data = {k[5:]: v for k, v in values.items() if k in DATA_PARAMS}
    flat = {k: v for k, v in values.items() if k in PARAMS}
    return Config(**flat, data=DataConfig(**data))


def _split_optional(hint: Any) -> tuple[type, bool]:
    """Return a type without None, and whether it had None: (int, True) for `int | None`."""
    if isinstance(hint, types.UnionType):
        inner = [t for t in typing.get_args(hint) if t is not type(None)]
        return inner[0], True
    return hint, False


def _typed(name: str, value: Any, hint: Any, valid: str) -> Any:
    """Return `value` in the type `hint`. Raises UserError if it has another type."""
    kind, optional = _split_optional(hint)
    if value is None and optional:
        return None
    if str(value) in ("True", "False") and name in PARAMS and PARAMS[name].names():
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
        raise UserError(f"{name}={shown} is not {_WORDS[kind]}{rest}")
    return kind(value)


def kind_of(name: str) -> type:
    """Return the declared type of a parameter, without None. `data.root` and the like are valid."""
    return _split_optional(_HINTS[name])[0]


def check(name: str, value: Any) -> Any:
    """Return `value` in the declared type of the parameter `name`, such as `lr` or `data.root`.

    Raises UserError, with the valid values, for an unknown name or an invalid value.
    """
    param = PARAMS.get(name) or DATA_PARAMS.get(name)
    if param is None:
        raise unknown_parameter(name)
    valid = param.valid(name)
    value = _typed(name, value, _HINTS[name], valid)
    if value is None:
        return None
    if param.choices is not None:
        if str(value) not in param.names():
            raise UserError(f"{name}={value}: {choices_hint(str(value), param.names())}")
    else:
        low = param.low is not None and (
            value <= param.low if param.open_low else value < param.low
        )
        high = param.high is not None and (
            value >= param.high if param.open_high else value > param.high
        )
        if low or high:
            raise UserError(f"{name}={value} is out of range; valid: {valid}")
    return value


def is_text(name: str) -> bool:
    """Return whether the parameter accepts any text."""
    param = PARAMS.get(name) or DATA_PARAMS.get(name)
    text = param is not None and _split_optional(_HINTS[name])[0] is str
    return text and param is not None and param.choices is None


def unknown_parameter(name: str) -> UserError:
    """Return the error for an unknown name, with the closest parameter and its valid values."""
    known = [*PARAMS, "data", "profile", *DATA_PARAMS]
    labels = {p.label.replace(" ", "_"): key for key, p in PARAMS.items() if p.label}
    matches = difflib.get_close_matches(name, [*known, *labels], n=1)
    near = [labels.get(match, match) for match in matches]
    if not near:
        return UserError(f"unknown parameter {name!r}; --help lists all parameters")
    valid = PARAMS[near[0]].valid(near[0]) if near[0] in PARAMS else ""
    limited = valid and not valid.startswith("null:")  # otherwise any text is valid
    hint = f"did you mean {near[0]!r}?" + (f" valid: {valid};" if limited else "")
    return UserError(f"unknown parameter {name!r}: {hint} --help lists all parameters")


def effective(config: Config) -> dict[str, Any]:
    """Return all parameters by name, with None (n/a) for those without effect beside the others.

    A nonzero dropout of a network without dropout layers is kept, and `validate` refuses it.
    """
    values = {name: getattr(config, name) for name in PARAMS}
    generator, discriminator = GENERATORS[config.gen], DISCRIMINATORS[config.disc]
    chosen = (OPTIMIZERS[config.gen_opt], OPTIMIZERS[config.disc_opt])
    used = {name for optimizer in chosen for name in optimizer.parameters}
    own_rates = config.gen_lr is not None and config.disc_lr is not None
    without_effect = {
        "lr": own_rates,
        "gen_lr": config.gen_lr == config.lr and not own_rates,
        "disc_lr": config.disc_lr == config.lr and not own_rates,
        "gen_drop": not generator.dropout and not config.gen_drop,
        "disc_drop": not discriminator.dropout and not config.disc_drop,
        "alpha": not generator.lrelu and not discriminator.lrelu,
        **{name: name not in used for optimizer in OPTIMIZERS for name in optimizer.parameters},
        "parametrization": set(widths(config)) == {1.0},
    }
    without_effect["nesterov"] = without_effect["nesterov"] or config.momentum == 0
    return {k: None if without_effect.get(k) else v for k, v in values.items()}


def validate(config: Config) -> None:
    """Check the conditions between several parameters. Raises UserError if one does not hold."""
    if config.early_stop and config.judge == "false":
        raise UserError("early_stop=true needs the judge's distances: leave out judge=false")
    generator, discriminator = GENERATORS[config.gen], DISCRIMINATORS[config.disc]
    if generator.image_size != discriminator.image_size:
        fitting = [d.name for d in DISCRIMINATORS if d.image_size == generator.image_size]
        raise UserError(
            f"gen={config.gen} makes {generator.image_size}x{generator.image_size} images and "
            f"disc={config.disc} reads {discriminator.image_size}x{discriminator.image_size}; "
            f"with gen={config.gen} use disc={', '.join(fitting)}"
        )
    for which, registry, chosen in (
        ("gen_drop", GENERATORS, config.gen),
        ("disc_drop", DISCRIMINATORS, config.disc),
    ):
        drop = getattr(config, which)
        if drop and not registry[chosen].dropout:
            having = ", ".join(entry.name for entry in registry if entry.dropout)
            raise UserError(
                f"{which}={drop:g}, but {registry.kind} {chosen} has no dropout layer (n/a); "
                f"{registry.kind}s with dropout: {having}"
            )


def widths(config: Config) -> tuple[float, float]:
    """Return the width multipliers of the generator and of the discriminator."""
    if config.width is not None:
        return config.width, config.width
    return GENERATORS[config.gen].demo_width, DISCRIMINATORS[config.disc].demo_width


def total_steps(config: Config, images: int) -> int:
    """Return the number of steps of a run that trains on `images` images.

    Raises UserError if a batch has more images than there are, or if no budget is set.
    """
    per_epoch = images // config.batch_size
    if per_epoch == 0:
        least = int(PARAMS["batch_size"].low or 1)
        remedy = (
            f"use batch_size={images} or less" if images >= least else "the data set is too small"
        )
        raise UserError(
            f"batch_size={config.batch_size}, but {config.data.name} has only {images} images; "
            f"{remedy}"
        )
    epochs = config.epochs
    if config.steps is None and epochs is None:
        epochs = config.data.epochs
    ends = [config.steps, epochs and epochs * per_epoch]
    if not any(ends):
        raise UserError(f"no budget for data={config.data.name}: set epochs=N or steps=N")
    return min(end for end in ends if end)
