"""The typed configuration of a run, built from all declarations, and the checks of its values."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from gansweep.components import KINDS, WHOLE, chosen_options, is_option, label_of, takes, values_of
from gansweep.declare import Param, checked, split_optional
from gansweep.loading import load_plugins, plugin_names
from gansweep.params import DataConfig, Hyperparameters
from gansweep.plugins import DATASETS, DISCRIMINATORS, GENERATORS, OF_OPTIMIZERS, PENALTIES
from gansweep.settings import OutputSettings, RunSettings, SearchSettings, SweepSettings
from gansweep.store.errors import UserError, choices_hint
from gansweep.template import SUPPLIED, Template, template_of


@dataclass
class Config(SearchSettings, SweepSettings, OutputSettings, RunSettings, Hyperparameters):
    """The configuration of one run, or of one row of a sweep, with the settings of the sweep.

    Hyperparameters are the first fields, because dataclasses order fields from the last base to the
    first.
    """

    data: DataConfig = field(default_factory=DataConfig)
    # Changed parameters of the components, by full name: {"gen.n_blocks": 3}; see components.py.
    options: dict[str, Any] = field(default_factory=dict)


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
_PLACES = {name: place for place, name in enumerate(PARAMS)}
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


def as_record(config: Config) -> dict[str, Any]:
    """Return the configuration that a run's folder stores: `out`, and no settings of the sweep."""
    # dataclasses.asdict copies deeply, which took half of the time of planning many rows.
    values = {n: v for n, v in vars(config).items() if n not in SHARED}
    data, options = dict(vars(config.data)), dict(config.options)
    return values | {"data": data, "options": options, "out": config.out}


def from_record(params: dict[str, Any]) -> Config:
    """Return the configuration of a record that `as_record` of any version has written.

    A missing parameter gets its value in LEGACY_VALUES, or else its default. Unknown parameters are
    ignored. Raises UserError for a value that this version does not accept, and for a plugin that
    cannot be imported.
    """
    load_plugins(plugin_names(params.get("plugins")))
    given = {RENAMED.get(k, k): v for k, v in params.items() if k not in ("data", "options")}
    nested = params.get("data")
    if isinstance(nested, dict):
        given |= {f"data.{name}": value for name, value in nested.items()}
    values = {k: check(k, v) for k, v in {**LEGACY_VALUES, **given}.items() if k in KNOWN}
    data = {k[5:]: v for k, v in values.items() if k in DATA_PARAMS}
    flat = {k: v for k, v in values.items() if k in PARAMS}
    config = Config(**flat, data=DataConfig(**data))
    config.options = chosen_options(config, params.get("options") or {})
    return config


def kind_of(name: str) -> type:
    """Return the declared type of a parameter, without None. `data.root` and the like are valid."""
    kind: type = split_optional(_HINTS[name])[0]
    return kind


def parameter(name: str) -> Param:
    """Return the declaration of a parameter; one with a label alone for options of components."""
    return PARAMS.get(name) or DATA_PARAMS.get(name) or Param("", label_of(name))


def ordered(names: Iterable[str]) -> list[str]:
    """Return the known parameters among `names` in their order, each component's options after it.

    Options are `gen.n_blocks` and the like.
    """
    places = {name: _PLACES.get(name.partition(".")[0]) for name in dict.fromkeys(names)}
    known = [(place, "." in name, name) for name, place in places.items() if place is not None]
    return [name for _, _, name in sorted(known, key=lambda item: item[:2])]


def check(name: str, value: Any) -> Any:
    """Return `value` in the declared type of the parameter `name`, such as `lr` or `data.root`.

    Raises UserError, with the valid values, for an unknown name or an invalid value.
    """
    declared = PARAMS.get(name) or DATA_PARAMS.get(name)
    if declared is None:
        raise unknown_parameter(name)
    kind, optional = split_optional(_HINTS[name])
    value = checked(name, value, kind, optional, declared)
    if name == "command" and value is not None:
        _check_placeholders(template_of(value))
    return value


def _check_placeholders(template: Template) -> None:
    """Raise UserError for a placeholder that gansweep cannot fill, and for an ambiguous name."""
    known = [name for name in HYPERPARAMETERS if name not in (*WHOLE, "labels")]
    for name in template.own():
        if name in SUPPLIED or name in HYPERPARAMETERS:
            remedy = f"write {{{name}}}, or choose another name" if name not in WHOLE else "rename"
            raise UserError(f"command: {name} is a parameter of gansweep's: {remedy}")
    for name in sorted(template.asked()):
        if name not in SUPPLIED and name not in known:
            raise UserError(
                f"command: no placeholder {{{name}}}: {choices_hint(name, [*SUPPLIED, *known])}; a "
                f"parameter of the script's own has a type and a default, {{{name}:float=0.1}}"
            )


def is_text(name: str) -> bool:
    """Return whether the parameter accepts any text."""
    param = PARAMS.get(name) or DATA_PARAMS.get(name)
    return param is not None and kind_of(name) is str and param.choices is None


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


def with_values(config: Config, values: dict[str, Any]) -> Config:
    """Return `config` with other values; names may be `data.root` or `gen.n_blocks` too.

    Options that the chosen components do not have are left out. Raises UserError for an option
    whose value is not valid.
    """
    nested = {k[5:]: v for k, v in values.items() if k in DATA_PARAMS}
    flat = {k: v for k, v in values.items() if k in PARAMS}
    if nested:
        flat["data"] = dataclasses.replace(config.data, **nested)
    changed = dataclasses.replace(config, **flat)
    options = config.options | {k: v for k, v in values.items() if is_option(k)}
    changed.options = chosen_options(changed, options) if options else {}
    return changed


def value_of(config: Config, name: str) -> Any:
    """Return the value of a hyperparameter or of an option, `gen.n_blocks`.

    It is None for an option that the chosen components do not have.
    """
    return values_of(config).get(name) if is_option(name) else getattr(config, name)


# The hyperparameters that have an effect on a user's LightningModule; see training/hosted.py.
OF_MODELS = {
    "model", "batch_size", "z_dim", "epochs", "steps", "limit", "shuffle", "seed", "precision",
    "best_by", "early_stop", "labels",
}  # fmt: skip
# Those that have an effect on every script; see training/script. Others need a placeholder.
OF_SCRIPTS = {"command", "limit", "seed", "best_by", "early_stop"}


def of_script(command: str) -> set[str]:
    """Return the hyperparameters that have an effect on a script with this command."""
    return OF_SCRIPTS | (template_of(command).asked() & HYPERPARAMETERS.keys())


def of_whole(config: Config) -> set[str] | None:
    """Return the hyperparameters that have an effect on the module or script of the user.

    The result is None for gansweep's own training, where `effective` knows them.
    """
    if config.command is not None:
        return of_script(config.command)
    return OF_MODELS if config.model is not None else None


def effective(config: Config) -> dict[str, Any]:
    """Return all parameters by name, with None (n/a) for those without effect beside the others.

    A nonzero dropout of a network without dropout layers is kept, and `validate` refuses it.
    """
    values = {name: getattr(config, name) for name in PARAMS}
    used = of_whole(config)
    if used is not None:
        unused = HYPERPARAMETERS.keys() - used
        return {name: None if name in unused else value for name, value in values.items()}
    generator, discriminator = GENERATORS[config.gen], DISCRIMINATORS[config.disc]
    chosen = [KINDS[kind].registry[getattr(config, kind)] for kind in ("gen_opt", "disc_opt")]
    own_rates = config.gen_lr is not None and config.disc_lr is not None
    own_betas = config.gen_beta1 is not None and config.disc_beta1 is not None
    no_penalty = config.penalty == "none"
    scaled = [n for n, w in zip((generator, discriminator), widths(config), strict=True) if w != 1]
    without_effect = {
        "lr": own_rates,
        "gen_lr": config.gen_lr == config.lr and not own_rates,
        "disc_lr": config.disc_lr == config.lr and not own_rates,
        "gen_drop": not generator.dropout and not config.gen_drop,
        "disc_drop": not discriminator.dropout and not config.disc_drop,
        "alpha": not generator.lrelu and not discriminator.lrelu,
        "smooth": not takes("loss", config.loss, "smooth"),
        "gen_norm": not generator.norm and config.gen_norm == "batch",
        "disc_norm": not discriminator.norm and config.disc_norm == "batch",
        "penalty_every": no_penalty,
        "penalty_end": no_penalty,
        "schedule": config.lr_end == 1 and (no_penalty or config.penalty_end == 1),
        **{n: not any(n in optimizer.parameters for optimizer in chosen) for n in OF_OPTIMIZERS},
        "parametrization": not any(network.builder for network in scaled),
    }
    without_effect["nesterov"] = without_effect["nesterov"] or config.momentum == 0
    for which, optimizer in (("gen_beta1", chosen[0]), ("disc_beta1", chosen[1])):
        same = getattr(config, which) == config.beta1 and not own_betas
        without_effect[which] = same or "beta1" not in optimizer.parameters
    without_effect["beta1"] = without_effect["beta1"] or own_betas
    return {k: None if without_effect.get(k) else v for k, v in values.items()}


def validate(config: Config) -> None:
    """Check the conditions between several parameters. Raises UserError if one does not hold."""
    if config.early_stop and config.judge == "false":
        raise UserError("early_stop=true needs the judge's distances: leave out judge=false")
    if config.best_by is not None and config.judge == "false":
        raise UserError(f"best_by={config.best_by} needs the judge: leave out judge=false")
    if config.command is not None:
        _validate_script(config, template_of(config.command))
    if config.labels:
        _check_labels(config)
    if of_whole(config) is not None:
        return
    generator, discriminator = GENERATORS[config.gen], DISCRIMINATORS[config.disc]
    size = config.data.image_size
    for which, network in (("gen", generator), ("disc", discriminator)):
        if size is not None and network.image_size not in (None, size):
            pixels = network.image_size
            raise UserError(
                f"data.image_size={size}, but the images of {which}={network.name} have "
                f"{pixels}x{pixels} pixels"
            )
    sizes = {generator.image_size, discriminator.image_size} - {None}
    if len(sizes) > 1:
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
    for which, network in (("gen_norm", generator), ("disc_norm", discriminator)):
        norm = getattr(config, which)
        if norm != "batch" and not network.norm:
            raise UserError(
                f"{which}={norm}, but {network.name} has no normalisation that gansweep sets (n/a)"
            )
    if discriminator.builder and discriminator.norm and config.disc_norm == "batch":
        refuse_batch_norm(config)


def _check_labels(config: Config) -> None:
    """Raise UserError if the data have no classes, or a network of the user takes none."""
    if not DATASETS.entry(config.data.name).classes:
        having = ", ".join(entry.name for entry in DATASETS if entry.classes)
        raise UserError(
            f"labels=true, but the images of data={config.data.name} have no classes; data sets "
            f"with classes: {having} (a folder for each), and your own with labels"
        )
    for kind in ("gen", "disc") if config.model is None else ():
        component = getattr(config, kind)
        if not takes(kind, component, "n_classes"):
            raise UserError(
                f"labels=true, but {kind}={component} has no parameter n_classes; with it, the "
                f"network is called with {'latents' if kind == 'gen' else 'images'} and labels"
            )


def _validate_script(config: Config, template: Template) -> None:
    """Raise UserError for a command beside model=, and for a placeholder without a value."""
    if config.model is not None:
        raise UserError("model= and command= both replace gansweep's training: leave out one")
    if config.labels:
        raise UserError("labels=true has no effect on a script: the contract has no labels")
    for name in sorted(template.asked() & HYPERPARAMETERS.keys()):
        if name != "steps" and getattr(config, name) is None:
            raise UserError(f"command: {{{name}}} has no value, as {name} is null: set {name}=")


def refuse_batch_norm(config: Config) -> None:
    """Raise UserError if the penalty is not defined for a discriminator with batch norm."""
    if PENALTIES[config.penalty].facts.get("each_image"):
        raise UserError(
            f"penalty={config.penalty} needs D's gradient at each image, and the batch norm of "
            f"disc={config.disc} mixes the images of a batch: add disc_norm=group or disc_norm=none"
        )


def widths(config: Config) -> tuple[float, float]:
    """Return the width multipliers of the generator and of the discriminator."""
    used = of_whole(config)
    if used is not None:
        own = config.width if "width" in used and config.width is not None else 1.0
        return own, own
    networks = (GENERATORS[config.gen], DISCRIMINATORS[config.disc])
    gen, disc = (
        (network.demo_width if config.width is None else config.width) if network.width else 1.0
        for network in networks
    )
    return gen, disc


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


def known_steps(config: Config, images: int) -> int | None:
    """Return the number of steps of a run; None for a script whose command has no {steps}.

    images: those that the run trains on. Raises UserError as `total_steps` does.
    """
    if config.command is None:
        return total_steps(config, images)
    asked = template_of(config.command).asked()
    if "steps" not in asked:
        return None
    if "batch_size" in asked:
        return total_steps(config, images)
    if config.steps is None:
        raise UserError(
            "command: set steps=N for {steps}; epochs= needs a {batch_size} to count by"
        )
    return config.steps


def batch_of(config: Config) -> int | None:
    """Return the images in a batch; None for a script whose command has no {batch_size}."""
    batch_size: int | None = effective(config)["batch_size"]
    return batch_size
