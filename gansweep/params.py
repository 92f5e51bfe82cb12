"""The hyperparameters of a run, each declared once: type, default, valid range, help and label.

The command line, Hydra's type check, the run folder, the optimizers, the table's columns and the
searches use these declarations. The order is that of the columns in the documents. Parameters that
are not part of a run's id are declared in settings.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gansweep.plugins import DISCRIMINATORS, GENERATORS, OPTIMIZERS, Registry

PRECISIONS = ("fp32", "bf16", "auto")
MEMORY_FORMATS = {"contiguous": "contiguous_format", "channels_last": "channels_last"}  # in torch
PARAMETRIZATIONS = ("mup", "standard")


@dataclass(frozen=True)
class Param:
    """The declaration of a parameter, apart from its type and default."""

    help: str
    label: str
    choices: tuple[Any, ...] | Registry | Callable[[], list[str]] | None = None
    low: float | None = None
    high: float | None = None
    open_low: bool = False  # whether `low` itself is invalid
    open_high: bool = False  # whether `high` itself is invalid
    null: str = ""  # the meaning of null; empty if null is invalid
    null_label: str = ""  # the text of null in a table's cell
    group: str = "hyperparameters"
    resolved: bool = False  # whether the identity has another form, such as steps for epochs
    search: tuple[float, float] | None = None  # the range of search=, both ends included
    log: bool = False  # whether search= samples on a logarithmic scale

    def names(self) -> list[str]:
        """Return the choices as they are typed; empty if there are none."""
        if isinstance(self.choices, Registry):
            return self.choices.names()
        if callable(self.choices):
            return self.choices()
        return [str(choice) for choice in self.choices or ()]

    def valid(self, name: str) -> str:
        """Return the valid values in words: `0 < lr <= 1` or `one of adam, sgd`."""
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


def param(default: Any, help: str, label: str = "", **facts: Any) -> Any:
    """Declare a dataclass field as a parameter. facts: the other fields of `Param`."""
    metadata = {"param": Param(help, label, **facts)}
    return field(default=default, metadata=metadata)


@dataclass
class DataConfig:
    """The chosen data set: the group `data`, which has a file for each data set in conf/data."""

    name: str = param("mnist5k", "the data set (set by data=)", group="data")
    root: str | None = param(
        None,
        "folder or zip of file-based data sets",
        null="for data sets without files",
        group="data",
    )
    channels: int | None = param(
        None, "grey or colour", choices=(1, 3), null="as the pictures are", group="data"
    )
    download: bool = param(False, "download missing files", group="data")
    holdout: float = param(
        0.1,
        "share of the images that is held out from training for the judge (mnist and CelebA have "
        "their own test images); 0: judge by the training images",
        low=0,
        high=0.9,
        group="data",
    )
    epochs: int | None = param(
        None, "epochs if neither epochs= nor steps= is set", low=1, null="none", group="data"
    )


@dataclass
class Hyperparameters:
    """The parameters that determine a run's numbers, up to rounding: its identity and its seed."""

    gen: str = param("1", "generator implementation", "gen impl", choices=GENERATORS)
    disc: str = param("1", "discriminator implementation", "disc impl", choices=DISCRIMINATORS)
    gen_drop: float = param(
        0.0,
        "drop probability in the generator's dropout layers",
        "gen drop",
        search=(0, 0.6),
        low=0,
        high=1,
        open_high=True,
    )
    disc_drop: float = param(
        0.0,
        "drop probability in the discriminator's dropout layers",
        "disc drop",
        search=(0, 0.6),
        low=0,
        high=1,
        open_high=True,
    )
    smooth: float = param(
        0.1,
        "one-sided label smoothing: real images are labelled 1 - smooth",
        "smooth factor",
        search=(0, 0.3),
        low=0,
        high=1,
        open_high=True,
    )
    alpha: float = param(
        0.2, "slope of the leaky ReLUs", "alpha", low=0, high=1, open_high=True, search=(0, 0.3)
    )
    # Batch norm needs at least two images.
    batch_size: int = param(
        32, "images in a batch", "batch size", low=2, search=(16, 128), log=True
    )
    z_dim: int = param(
        100,
        "latent dimension, z ~ Uniform(-1, 1)",
        "z dim",
        low=1,
        high=65536,
        search=(25, 400),
        log=True,
    )
    lr: float = param(
        1e-4,
        "learning rate of both optimizers, at full width (see parametrization)",
        "learning rate",
        low=0,
        high=1,
        open_low=True,
        search=(1e-5, 1e-2),
        log=True,
    )
    gen_lr: float | None = param(
        None,
        "the generator's own learning rate",
        "G learning rate",
        low=0,
        high=1,
        open_low=True,
        null="lr",
        null_label="lr",
        search=(1e-5, 1e-2),
        log=True,
    )
    disc_lr: float | None = param(
        None,
        "the discriminator's own learning rate",
        "D learning rate",
        low=0,
        high=1,
        open_low=True,
        null="lr",
        null_label="lr",
        search=(1e-5, 1e-2),
        log=True,
    )
    beta1: float = param(
        0.5,
        "Adam's decay of the first moment",
        "beta 1",
        low=0,
        high=1,
        open_high=True,
        search=(0, 0.9),
    )
    beta2: float = param(
        0.999, "Adam's decay of the second moment", "beta 2", low=0, high=1, open_high=True
    )
    gen_opt: str = param("adam", "the generator's optimizer", "G optimizer", choices=OPTIMIZERS)
    disc_opt: str = param(
        "adam", "the discriminator's optimizer", "D optimizer", choices=OPTIMIZERS
    )
    momentum: float = param(
        0.9, "SGD's momentum", "momentum", low=0, high=1, open_high=True, search=(0, 0.95)
    )
    nesterov: bool = param(True, "Nesterov's form of SGD's momentum", "Nesterov")
    joint_d: bool = param(
        False, "pass real and fake through D in one batch; its loss is their mean", "joint D step"
    )
    fresh_z: bool = param(False, "draw a new z for the G step", "fresh z")
    reuse_fake: bool = param(
        True,
        "use one generator forward pass for the D and the G step if they share z",
        "reused forward",
    )
    width: float | None = param(
        None,
        "factor of the number of hidden channels in both networks",
        "width",
        low=0,
        high=8,
        open_low=True,
        null="each network's narrow demo width",
        null_label="demo",
        resolved=True,
    )
    parametrization: str = param(
        "mup",
        "meaning of lr in narrow networks; mup: the rate at full width, from which each layer's "
        "rate follows; standard: the rate of every layer",
        "parametrization",
        choices=PARAMETRIZATIONS,
    )
    epochs: int | None = param(
        None,
        "passes over the images",
        "epochs",
        low=1,
        null="steps decide",
        null_label="–",
        group="budget",
        resolved=True,
    )
    steps: int | None = param(
        None,
        "batches; the run ends at epochs or steps, whichever comes first",
        "steps",
        low=1,
        null="epochs decide",
        null_label="–",
        group="budget",
        resolved=True,
    )
    limit: int | None = param(
        None,
        "train only on the first N images",
        "input images",
        low=1,
        null="all",
        null_label="all",
        group="budget",
        resolved=True,
    )
    shuffle: bool = param(
        False,
        "a new order of the images each epoch (else the order of the files)",
        "shuffled",
        group="budget",
    )
    seed: int = param(
        1,
        "random seed, one for each replicate of a row",
        "seed",
        low=0,
        high=2**32 - 1,
        group="budget",
        resolved=True,
    )
    precision: str = param(
        "fp32",
        "arithmetic of the forward and backward pass; auto: bf16 if it is faster on this machine, "
        "which is measured once",
        "precision",
        choices=PRECISIONS,
        group="machine",
    )
    memory_format: str = param(
        "channels_last",
        "layout of feature maps in memory",
        "memory format",
        choices=tuple(MEMORY_FORMATS),
        group="machine",
    )
    ema_decay: float | None = param(
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
    early_stop: bool = param(
        False,
        "end a run that has diverged: over 1.5 times its best distance in 3 evaluations in a row",
        "stopped early",
        group="judging",
    )
