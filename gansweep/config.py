"""Every parameter, declared once: type, default, valid range, help and table label.

From here it reaches the command line, Hydra's type check, the run folder, the optimizers and the
table's columns. The hyperparameters stand in the documents' own column order.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from dataclasses import dataclass, field
from typing import Any

from gansweep.errors import UserError, choices_hint
from gansweep.networks import DISCRIMINATORS, GENERATORS
from gansweep.registry import Registry

OPTIMIZERS = ("adam", "sgd")
PRECISIONS = ("fp32", "bf16", "auto")
MEMORY_FORMATS = ("contiguous", "channels_last")
PARAMETRIZATIONS = ("mup", "standard")
DEVICES = ("auto", "cpu", "cuda")
JUDGES = ("true", "false", "inception", "dinov2")
SAMPLERS = ("tpe", "gp", "cmaes", "qmc", "random", "nsga2", "nsga3")
PRUNERS = ("asha", "hyperband", "median", "patient", "none")
OBJECTIVES = ("quality", "quality+time", "quality+size")


@dataclass(frozen=True)
class Param:
    """What is known of one parameter besides its type and default."""

    help: str
    label: str
    choices: tuple[Any, ...] | Registry | None = None
    low: float | None = None
    high: float | None = None
    open_low: bool = False  # is `low` itself excluded?
    open_high: bool = False
    null: str = ""  # what null means, where it is allowed
    null_label: str = ""  # the same in a table's cell
    group: str = "hyperparameters"
    identity: bool = True  # can it change a run's numbers?
    search: tuple[float, float] | None = None  # where search= looks, both ends included
    log: bool = False  # on a logarithmic scale

    def names(self) -> list[str]:
        """The choices, if it has any, as they are typed."""
        if isinstance(self.choices, Registry):
            return self.choices.names()
        return [str(choice) for choice in self.choices or ()]

    def valid(self, name: str) -> str:
        """The valid values in words: `0 < lr <= 1` or `one of adam, sgd`."""
        if self.choices is not None:
            words = f"one of {', '.join(self.names())}"
        elif self.low is None and self.high is None:
            words = ""
        elif self.high is None:
            words = f"{name} {'>' if self.open_low else '>='} {self.low}"
        else:
            low, high = "<" if self.open_low else "<=", "<" if self.open_high else "<="
            words = f"{self.low} {low} {name} {high} {self.high}"
        null = f"null: {self.null}" if self.null else ""
        return ", or ".join(part for part in (words, null) if part)


def _param(default: Any, help: str, label: str = "", **facts: Any) -> Any:
    metadata = {"param": Param(help, label, **facts)}
    return field(default=default, metadata=metadata)


@dataclass
class DataConfig:
    """The chosen data set: the group `data`, one file each in conf/data."""

    name: str = _param("mnist5k", "the data set (set by data=)", group="data")
    root: str | None = _param(
        None, "folder or zip of file-based data sets", null="it needs no files", group="data"
    )
    channels: int | None = _param(
        None, "grey or colour", choices=(1, 3), null="as the pictures are", group="data"
    )
    download: bool = _param(False, "may what is missing be downloaded?", group="data")
    holdout: float = _param(
        0.1,
        "share of the images that no network is trained on, for the judge (mnist and CelebA have "
        "test images of their own); 0: judge by the training images",
        low=0,
        high=0.9,
        group="data",
    )
    epochs: int | None = _param(
        None, "epochs where neither epochs= nor steps= is set", low=1, null="none", group="data"
    )


@dataclass
class Config:
    """One run, or one row of a sweep."""

    gen: str = _param("1", "generator implementation", "gen impl", choices=GENERATORS)
    disc: str = _param("1", "discriminator implementation", "disc impl", choices=DISCRIMINATORS)
    gen_drop: float = _param(
        0.0,
        "drop probability in the generator's dropout layers",
        "gen drop",
        search=(0, 0.6),
        low=0,
        high=1,
        open_high=True,
    )
    disc_drop: float = _param(
        0.0,
        "drop probability in the discriminator's dropout layers",
        "disc drop",
        search=(0, 0.6),
        low=0,
        high=1,
        open_high=True,
    )
    smooth: float = _param(
        0.1,
        "one-sided label smoothing: real images are labelled 1 - smooth",
        "smooth factor",
        search=(0, 0.3),
        low=0,
        high=1,
        open_high=True,
    )
    alpha: float = _param(
        0.2, "slope of the leaky ReLUs", "alpha", low=0, high=1, open_high=True, search=(0, 0.3)
    )
    # Batch norm needs two.
    batch_size: int = _param(
        32, "images in a batch", "batch size", low=2, search=(16, 128), log=True
    )
    z_dim: int = _param(
        100,
        "latent dimension, z ~ Uniform(-1, 1)",
        "z dim",
        low=1,
        search=(25, 400),
        log=True,
    )
    lr: float = _param(
        1e-4,
        "learning rate of both optimizers",
        "learning rate",
        low=0,
        high=1,
        open_low=True,
        search=(1e-5, 1e-2),
        log=True,
    )
    beta1: float = _param(
        0.5,
        "Adam's decay of the first moment",
        "beta 1",
        low=0,
        high=1,
        open_high=True,
        search=(0, 0.9),
    )
    beta2: float = _param(
        0.999, "Adam's decay of the second moment", "beta 2", low=0, high=1, open_high=True
    )
    gen_opt: str = _param("adam", "the generator's optimizer", "G optimizer", choices=OPTIMIZERS)
    disc_opt: str = _param(
        "adam", "the discriminator's optimizer", "D optimizer", choices=OPTIMIZERS
    )
    momentum: float = _param(
        0.9, "SGD's momentum", "momentum", low=0, high=1, open_high=True, search=(0, 0.95)
    )
    nesterov: bool = _param(True, "Nesterov's form of SGD's momentum", "Nesterov")
    joint_d: bool = _param(
        False, "real and fake pass D in one batch, its loss is the mean over both", "joint D step"
    )
    fresh_z: bool = _param(False, "draw a new z for the G step", "fresh z")
    reuse_fake: bool = _param(
        True,
        "one generator forward serves the D and the G step where they share z",
        "reused forward",
    )
    width: float | None = _param(
        None,
        "multiplies the hidden channels of both networks",
        "width",
        low=0,
        high=8,
        open_low=True,
        null="each network's narrow demo width",
        null_label="demo",
    )
    parametrization: str = _param(
        "mup",
        "what lr means in narrow networks; mup: the rate of full width, each layer's own follows "
        "from it, standard: the rate of every layer",
        "parametrization",
        choices=PARAMETRIZATIONS,
    )
    epochs: int | None = _param(
        None,
        "passes over the images",
        "epochs",
        low=1,
        null="steps decide",
        null_label="–",
        group="budget",
    )
    steps: int | None = _param(
        None,
        "batches; the run ends at epochs or steps, whichever comes first",
        "steps",
        low=1,
        null="epochs decide",
        null_label="–",
        group="budget",
    )
    limit: int | None = _param(
        None,
        "train only on the first so many images",
        "input images",
        low=1,
        null="all",
        null_label="all",
        group="budget",
    )
    shuffle: bool = _param(
        False,
        "a new order of the images each epoch (else the order of the files)",
        "shuffled",
        group="budget",
    )
    seed: int = _param(
        1, "random seed: the replicate of a row", "seed", low=0, high=2**32 - 1, group="budget"
    )
    precision: str = _param(
        "fp32",
        "arithmetic of the forward and backward pass; auto: bf16 where it is faster here, measured "
        "once",
        "precision",
        choices=PRECISIONS,
        group="machine",
    )
    memory_format: str = _param(
        "channels_last",
        "layout of feature maps in memory",
        "memory format",
        choices=MEMORY_FORMATS,
        group="machine",
    )
    judge: str = _param(
        "true",
        "measure the distance to the real images while training, keep the best weights; inception, "
        "dinov2: also the distances that papers print, at the end",
        "judged",
        choices=JUDGES,
        group="judging",
        identity=False,
    )
    judge_weights: str | None = _param(
        None,
        "file of the weights of judge=inception or judge=dinov2",
        null="downloaded once",
        group="judging",
        identity=False,
    )
    ema_decay: float | None = _param(
        None,
        "also keep an exponential moving average of the generator's weights",
        "EMA decay",
        low=0,
        high=1,
        open_low=True,
        open_high=True,
        null="none, as in the documents",
        null_label="–",
        group="judging",
    )
    early_stop: bool = _param(
        False,
        "end a run that has diverged: 1.5 times its best distance, three looks running",
        "stopped early",
        group="judging",
    )
    device: str = _param("auto", "where to train", choices=DEVICES, group="machine", identity=False)
    threads: int | None = _param(
        None,
        "CPU threads of a run",
        low=1,
        null="all cores, in a sweep one",
        group="machine",
        identity=False,
    )
    log_every: int = _param(
        10, "steps between two lines of metrics", low=1, group="machine", identity=False
    )
    sample_every: int | None = _param(
        None,
        "steps between two sample pictures and checkpoints",
        low=1,
        null="ten times a run",
        group="machine",
        identity=False,
    )
    out: str = _param(
        "outputs", "folder of runs and sweeps", group="files and sweeps", identity=False
    )
    reports: str = _param(
        "reports", "folder of the reports", group="files and sweeps", identity=False
    )
    sweep: str | None = _param(
        None,
        "a row list: a name in sweeps/, or a YAML file (with -m)",
        null="the grid of the command line",
        group="files and sweeps",
        identity=False,
    )
    rows: str | None = _param(
        None,
        "which rows of the list, as in rows=0-5,34",
        null="all",
        group="files and sweeps",
        identity=False,
    )
    name: str | None = _param(
        None,
        "the sweep's name",
        null="made from what varies",
        group="files and sweeps",
        identity=False,
    )
    digits: str = _param(
        "mnist5k",
        "the profile's digits; with faces, what each row of a sweep is trained on",
        group="files and sweeps",
        identity=False,
    )
    faces: str = _param("toyfaces", "the profile's faces", group="files and sweeps", identity=False)
    stand_ins: bool = _param(
        False,
        "where the profile's digits or faces are not at hand, may mnist5k and toyfaces stand in?",
        group="files and sweeps",
        identity=False,
    )
    thumbnail: str = _param(
        "equilibrium",
        "the pictures of a report: where a run was best, or its last",
        choices=("equilibrium", "last"),
        group="files and sweeps",
        identity=False,
    )
    retry: str | None = _param(
        None,
        "also train again what failed before",
        choices=("failed",),
        null="failed runs are left alone",
        group="sweeps: how they run",
        identity=False,
    )
    fail_fast: bool = _param(
        False,
        "stop a sweep at the first run that fails",
        group="sweeps: how they run",
        identity=False,
    )
    jobs_per_device: int | None = _param(
        None,
        "runs at a time on each GPU, or on the CPU",
        low=1,
        null="as many as memory allows, on a CPU one a core",
        group="sweeps: how they run",
        identity=False,
    )
    plan: bool = _param(
        False,
        "say what would be trained and how long it would take; train nothing",
        group="sweeps: how they run",
        identity=False,
    )
    search: str | None = _param(
        None,
        "parameters to search in their usual ranges, as in search=lr,beta1,gen",
        null="those whose values are ranges",
        group="searches",
        identity=False,
    )
    trials: int = _param(
        40,
        "settings to try in all, earlier calls included",
        low=1,
        group="searches",
        identity=False,
    )
    sampler: str = _param(
        "tpe", "what proposes settings", choices=SAMPLERS, group="searches", identity=False
    )
    pruner: str = _param(
        "asha", "what ends hopeless runs early", choices=PRUNERS, group="searches", identity=False
    )
    objective: str = _param(
        "quality",
        "the distance at the equilibrium, alone or against training time or parameters",
        choices=OBJECTIVES,
        group="searches",
        identity=False,
    )
    seeds_per_trial: int = _param(
        1, "runs of each setting; their mean counts", low=1, group="searches", identity=False
    )
    storage: str | None = _param(
        None,
        "database of the study, as in postgresql://USER@HOST/DB",
        null="a journal in the sweep's folder",
        group="searches",
        identity=False,
    )
    warm_start: str | None = _param(
        None,
        "sweeps whose finished runs are told to a new study, as in warm_start=lr-beta1-baea07",
        null="none",
        group="searches",
        identity=False,
    )
    run_id: str | None = _param(
        None,
        "train this planned run (set by sweeps)",
        null="plan one",
        group="files and sweeps",
        identity=False,
    )
    data: DataConfig = field(default_factory=DataConfig)


def _declared(cls: type, prefix: str = "") -> dict[str, Param]:
    fields = dataclasses.fields(cls)
    return {prefix + f.name: f.metadata["param"] for f in fields if "param" in f.metadata}


PARAMS = _declared(Config)
DATA_PARAMS = _declared(DataConfig, "data.")
DEFAULTS: dict[str, Any] = {f.name: f.default for f in dataclasses.fields(Config)}
DATA_DEFAULTS: dict[str, Any] = {
    f"data.{f.name}": f.default for f in dataclasses.fields(DataConfig)
}
_HINTS: dict[str, Any] = {
    **typing.get_type_hints(Config),
    **{f"data.{name}": hint for name, hint in typing.get_type_hints(DataConfig).items()},
}

_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


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


def unknown_parameter(name: str) -> UserError:
    """The error for a name that is no parameter, with the near miss and its valid values."""
    known = [*PARAMS, "data", "profile", *DATA_PARAMS]
    labels = {param.label.replace(" ", "_"): key for key, param in PARAMS.items()}
    matches = difflib.get_close_matches(name, [*known, *labels], n=1)
    near = [labels.get(match, match) for match in matches]
    if not near:
        return UserError(f"unknown parameter {name!r}; valid: {', '.join(known)} (see --help)")
    valid = PARAMS[near[0]].valid(near[0]) if near[0] in PARAMS else ""
    meant = f"did you mean {near[0]!r}?" + (f" valid: {valid};" if valid else "")
    return UserError(f"unknown parameter {name!r}: {meant} --help lists all")


def effective(config: Config) -> dict[str, Any]:
    """All parameters, None (n/a) for those that have no effect beside the others.

    Dropout that is asked of a network without any stays, for `validate` to refuse.
    """
    values = {name: getattr(config, name) for name in PARAMS}
    generator, discriminator = GENERATORS[config.gen], DISCRIMINATORS[config.disc]
    optimizers = {config.gen_opt, config.disc_opt}
    without_effect = {
        "gen_drop": not generator.dropout and not config.gen_drop,
        "disc_drop": not discriminator.dropout and not config.disc_drop,
        "alpha": not generator.lrelu and not discriminator.lrelu,
        "beta1": "adam" not in optimizers,
        "beta2": "adam" not in optimizers,
        "momentum": "sgd" not in optimizers,
        "nesterov": "sgd" not in optimizers or config.momentum == 0,
        "parametrization": set(widths(config)) == {1.0},
    }
    return {k: None if without_effect.get(k) else v for k, v in values.items()}


def validate(config: Config) -> None:
    """Check what concerns several parameters at once. Raises UserError."""
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
