"""The hyperparameters of a run, each declared once: type, default, valid range, help and label.

The command line, Hydra's type check, the run folder, the optimizers, the table's columns and the
searches use these declarations. The order is that of the columns in the documents. Parameters that
are not part of a run's id are declared in settings.py.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from gansweep.declare import param
from gansweep.plugins import (
    DISCRIMINATORS,
    GENERATORS,
    LOSSES,
    METRICS,
    MODELS,
    OPTIMIZERS,
    PENALTIES,
)
from gansweep.template import COMMANDS

PRECISIONS = ("fp32", "bf16", "auto")
MEMORY_FORMATS = {"contiguous": "contiguous_format", "channels_last": "channels_last"}  # in torch
PARAMETRIZATIONS = ("mup", "standard")
NORMS = ("batch", "group", "none")
SCHEDULES = ("cosine", "linear")
_AUGMENTATIONS = ("color", "translation", "cutout")
AUGMENTATIONS = (
    "none",
    *("+".join(names) for n in (1, 2, 3) for names in itertools.combinations(_AUGMENTATIONS, n)),
)


RECIPE = "losses and regularisation"
# The valid and the searched values of one parameter for both networks and for each alone.
RATE: dict[str, Any] = {
    "low": 0, "high": 1, "open_low": True, "search": (1e-5, 1e-2), "log": True,
}  # fmt: skip
BETA1: dict[str, Any] = {"low": 0, "high": 1, "open_high": True, "search": (0, 0.9)}


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
    image_size: int | None = param(
        None,
        "height and width of the images in pixels, for networks that take any",
        low=4,
        high=1024,
        null="what the generator makes",
        group="data",
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
    model: str | None = param(
        None,
        "a LightningModule of yours, package.module:Name, in the place of gansweep's own training",
        "model",
        choices=MODELS,
        null="gansweep's own",
        null_label="–",
    )
    command: str | None = param(
        None,
        "a script of yours in any framework, in the place of gansweep's own training: "
        "command='python train.py --lr {lr} --out {out}'",
        "command",
        choices=COMMANDS,
        null="gansweep's own",
        null_label="–",
    )
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
        **RATE,
    )
    gen_lr: float | None = param(
        None,
        "the generator's own learning rate",
        "G learning rate",
        null="lr",
        null_label="lr",
        **RATE,
    )
    disc_lr: float | None = param(
        None,
        "the discriminator's own learning rate",
        "D learning rate",
        null="lr",
        null_label="lr",
        **RATE,
    )
    beta1: float = param(
        0.5,
        "Adam's decay of the first moment",
        "beta 1",
        **BETA1,
    )
    beta2: float = param(
        0.999, "Adam's decay of the second moment", "beta 2", low=0, high=1, open_high=True
    )
    gen_beta1: float | None = param(
        None,
        "the generator's own beta1",
        "G beta 1",
        null="beta1",
        null_label="beta 1",
        **BETA1,
    )
    disc_beta1: float | None = param(
        None,
        "the discriminator's own beta1",
        "D beta 1",
        null="beta1",
        null_label="beta 1",
        **BETA1,
    )
    gen_opt: str = param("adam", "the generator's optimizer", "G optimizer", choices=OPTIMIZERS)
    disc_opt: str = param(
        "adam", "the discriminator's optimizer", "D optimizer", choices=OPTIMIZERS
    )
    momentum: float = param(
        0.9,
        "momentum of SGD, and of other optimizers that have it",
        "momentum",
        low=0,
        high=1,
        open_high=True,
        search=(0, 0.95),
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
    loss: str = param("ns", "loss of both networks", "loss", choices=LOSSES, group=RECIPE)
    penalty: str = param(
        "none", "penalty of D's gradient, added to its loss", "penalty", choices=PENALTIES,
        group=RECIPE,
    )  # fmt: skip
    penalty_every: int = param(
        1,
        "steps between two penalties, each of which then counts as often",
        "penalty every",
        low=1,
        high=1000,
        group=RECIPE,
    )
    penalty_end: float = param(
        1.0,
        "share of the penalty that is left at the last step",
        "penalty at the end",
        low=0,
        high=100,
        group=RECIPE,
    )
    d_steps: int = param(
        1,
        "batches of D for each step of G",
        "D steps",
        low=1,
        high=100,
        search=(1, 5),
        group=RECIPE,
    )
    augment: str = param(
        "none",
        "differentiable augmentation of the images that D reads (DiffAugment)",
        "augmentation",
        choices=AUGMENTATIONS,
        group=RECIPE,
    )
    lr_end: float = param(
        1.0,
        "share of the learning rates that is left at the last step",
        "learning rate at the end",
        low=0,
        high=1,
        search=(0, 1),
        group=RECIPE,
    )
    schedule: str = param(
        "cosine",
        "the way from the first step to lr_end and penalty_end",
        "schedule",
        choices=SCHEDULES,
        group=RECIPE,
    )
    gen_norm: str = param(
        "batch", "normalisation layers of G", "G norm", choices=NORMS, group=RECIPE
    )
    disc_norm: str = param(
        "batch", "normalisation layers of D", "D norm", choices=NORMS, group=RECIPE
    )
    disc_spectral: bool = param(
        False, "spectral normalisation of D's weights", "D spectral norm", group=RECIPE
    )
    labels: bool = param(
        False,
        "class-conditional training: G makes images of a class, and D sees the class (projection)",
        "labels",
        group=RECIPE,
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
        "batches; typed without epochs=, it replaces the epochs of the profile, and epochs= the "
        "steps; with both, the run ends at whichever comes first",
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
    best_by: str | None = param(
        None,
        "the metric that chooses the best weights of a run and ranks the runs",
        "best by",
        choices=METRICS,
        null="the first metric of the data set",
        null_label="–",
        group="judging",
    )
    early_stop: bool = param(
        False,
        "end a run that has diverged: over 1.5 times its best distance in 3 evaluations in a row",
        "stopped early",
        group="judging",
    )
    post_hoc_ema: bool = param(
        False,
        "keep snapshots of the generator's averaged weights, from which an average of any length "
        "is made after the run",
        "post-hoc EMA",
        group="judging",
    )
