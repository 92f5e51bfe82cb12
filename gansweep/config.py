"""All declarations as one typed configuration, and the checks of its values."""

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
    """One run, or one row of a sweep, with the settings of the sweep. Hyperparameters come first:
    fields stand in the order of the bases, from the last to the first."""

    data: DataConfig = field(default_factory=DataConfig)


def _declared(cls: type, prefix: str = "") -> dict[str, Param]:
    fields = dataclasses.fields(cls)
    return {prefix + f.name: f.metadata["param"] for f in fields if "param" in f.metadata}


PARAMS = _declared(Config)
HYPERPARAMETERS = _declared(Hyperparameters)
SWEEP_SETTINGS = _declared(SweepSettings)
SEARCH_SETTINGS = _declared(SearchSettings)
# One value for a whole sweep: no part of a row.
SHARED = {*SWEEP_SETTINGS, *SEARCH_SETTINGS, *_declared(OutputSettings)}
DATA_PARAMS = _declared(DataConfig, "data.")
DEFAULTS: dict[str, Any] = {f.name: f.default for f in dataclasses.fields(Config)}
DATA_DEFAULTS: dict[str, Any] = {
    f"data.{f.name}": f.default for f in dataclasses.fields(DataConfig)
}
KNOWN = {*PARAMS, *DATA_PARAMS}
RENAMED = {"inception_weights": "judge_weights"}
# What runs did before there was such a parameter, where that is not what they do by default now.
BEFORE: dict[str, Any] = {"parametrization": "standard", "data.holdout": 0.0}
_HINTS: dict[str, Any] = {
    **typing.get_type_hints(Config),
    **{f"data.{name}": hint for name, hint in typing.get_type_hints(DataConfig).items()},
}

_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def as_record(config: Config) -> dict[str, Any]:
    """What a run's folder keeps of its configuration: nothing of the sweep that planned it."""
    # dataclasses.asdict copies deeply, which took half the time of planning many rows.
    values = {n: v for n, v in vars(config).items() if n not in SHARED}
    return values | {"data": dict(vars(config.data)), "out": config.out}


def from_record(params: dict[str, Any]) -> Config:
    """The configuration that a run's folder keeps: `as_record`, of an older or newer version too.

    A parameter that it lacks has the value with which runs were trained before there was such a
    parameter: its default, or the one in BEFORE. One that this version does not know is left out.
    Raises UserError for a value that this version does not know.
    """
    given = {RENAMED.get(k, k): v for k, v in params.items() if k != "data"}
    nested = params.get("data")
    if isinstance(nested, dict):
        given |= {f"data.{name}": value for name, value in nested.items()}
    values = {k: check(k, v) for k, v in {**BEFORE, **given}.items() if k in KNOWN}
    data = {k[5:]: v for k, v in values.items() if k in DATA_PARAMS}
    flat = {k: v for k, v in values.items() if k in PARAMS}
    return Config(**flat, data=DataConfig(**data))


def _split_optional(hint: Any) -> tuple[type, bool]:
    """(int, True) for `int | None`."""
    if isinstance(hint, types.UnionType):
        inner = [t for t in typing.get_args(hint) if t is not type(None)]
        return inner[0], True
    return hint, False


def _typed(name: str, value: Any, hint: Any, valid: str) -> Any:
    kind, optional = _split_optional(hint)
    if value is None and optional:
        return None
    if str(value) in ("True", "False") and name in PARAMS and PARAMS[name].names():
        value = str(value).lower()  # one of several words, which YAML took for a truth value
    if kind is int and isinstance(value, float) and value.is_integer():
        value = int(value)  # 1e3 is a whole number to everybody but YAML
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
    """The declared type of a parameter, `data.root` and the like included."""
    return _split_optional(_HINTS[name])[0]


def check(name: str, value: Any) -> Any:
    """`value` in the declared type of parameter `name` (`data.root` and the like included).

    Raises UserError, naming the valid values, for an unknown name or a value out of range.
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
    """Is any text a value of this parameter?"""
    param = PARAMS.get(name) or DATA_PARAMS.get(name)
    text = param is not None and _split_optional(_HINTS[name])[0] is str
    return text and param is not None and param.choices is None


def unknown_parameter(name: str) -> UserError:
    """The error for a name that is no parameter, with the near miss and its valid values."""
    known = [*PARAMS, "data", "profile", *DATA_PARAMS]
    labels = {p.label.replace(" ", "_"): key for key, p in PARAMS.items() if p.label}
    matches = difflib.get_close_matches(name, [*known, *labels], n=1)
    near = [labels.get(match, match) for match in matches]
    if not near:
        return UserError(f"unknown parameter {name!r}; --help lists all")
    valid = PARAMS[near[0]].valid(near[0]) if near[0] in PARAMS else ""
    told = valid and not valid.startswith("null:")  # else it is any text
    meant = f"did you mean {near[0]!r}?" + (f" valid: {valid};" if told else "")
    return UserError(f"unknown parameter {name!r}: {meant} --help lists all")


def effective(config: Config) -> dict[str, Any]:
    """All parameters, None (n/a) for those that have no effect beside the others.

    Dropout that is asked of a network without any stays, for `validate` to refuse.
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
    """Check what concerns several parameters at once. Raises UserError."""
    if config.early_stop and config.judge == "false":
        raise UserError("early_stop=true goes by the judge's distances: leave out judge=false")
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
                f"those that have: {having}"
            )


def widths(config: Config) -> tuple[float, float]:
    """The width multipliers of generator and discriminator."""
    if config.width is not None:
        return config.width, config.width
    return GENERATORS[config.gen].demo_width, DISCRIMINATORS[config.disc].demo_width


def total_steps(config: Config, images: int) -> int:
    """Steps of a run over `images` images. Raises UserError if no budget is set."""
    per_epoch = images // config.batch_size
    if per_epoch == 0:
        least = int(PARAMS["batch_size"].low or 1)
        remedy = f"use batch_size={images} or less" if images >= least else "there are too few"
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
