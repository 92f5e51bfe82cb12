"""A user's LightningModule, trained by Lightning's own loop: `model=mypkg.gan:MyGAN`.

The module brings its optimizers, its training step, with manual or automatic optimization, and its
schedulers. A batch is float32 B×C×H×W in [−1, 1]. gansweep needs a method `sample(z)`, which maps
latents N × z_dim to images N×C×H×W in [−1, 1], or `sample(n)`, which draws n such images. With
labels=true a batch is (images, labels), with labels int64 (B,), and the method is
`sample(z, labels)` or `sample(n, labels)`.
"""

from __future__ import annotations

import copy
import inspect
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from gansweep.components import KINDS, arguments_of, size_for
from gansweep.config import Config
from gansweep.store.errors import UserError
from gansweep.training.data.batches import Batch, Batches
from gansweep.training.data.pixels import normalise
from gansweep.training.logged import metric_name
from gansweep.training.networks.foreign import one_line, text
from gansweep.training.trainee import Weights

TRIAL = 2  # images of the trial before a run is planned


class Hosted:
    """What gansweep knows of a user's module while Lightning trains it; see `Trainee`.

    takes_count: whether the module's `sample` takes a number of images, and no latents.
    """

    averaged = None

    def __init__(
        self, module: pl.LightningModule, z_dim: int, classes: Mapping[str, int] | None = None
    ) -> None:
        self.module = module
        self.z_dim = z_dim
        self.classes = classes or {}
        self.steps_done = 0
        self.losses: dict[str, Tensor] = {}
        self.watched = 0
        self.saturated: Tensor | int = 0
        self.takes_count = takes_count(module)
        module.__dict__["_gansweep"] = self  # not a submodule: its weights are the module's

    @property
    def generator(self) -> Weights:
        """The whole module: nobody knows which of its parts makes the images."""
        return self.module

    @property
    def device(self) -> torch.device:
        return self.module.device

    def to(self, device: torch.device) -> Hosted:
        self.module.to(device)
        return self

    def state_dict(self) -> dict[str, Any]:
        return self.module.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any:
        return self.module.load_state_dict(state_dict)

    @torch.no_grad()
    def sample(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images, float32 N×C×H×W; with `sample(n)`, equal latents give equal images."""
        given = () if labels is None else (labels.to(self.device),)
        was_training = self.module.training
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            self.module.eval()
            try:
                if self.takes_count:
                    torch.manual_seed(int(z.double().abs().sum().item() * 1e6))
                    return self.module.sample(len(z), *given).float()  # type: ignore[operator]
                return self.module.sample(z.to(self.device), *given).float()  # type: ignore[operator]
            finally:
                self.module.train(was_training)

    def sample_averaged(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        raise AssertionError("a hosted module has no averaged generator")

    def tracked(self) -> dict[float, dict[str, Tensor]]:
        return {}

    def averaged_until(self) -> int:
        raise AssertionError("a hosted module has no averages")

    def health(self) -> dict[str, float]:
        return {}

    def take_saturation(self) -> float:
        return 0.0

    def after_batch(self) -> None:
        """Count a batch, and take the numbers that the module has logged."""
        self.steps_done += 1
        logged = self.module.trainer.callback_metrics
        self.losses = {metric_name(n): v.detach() for n, v in logged.items() if v.numel() == 1}

    def optimizers_in_use(self) -> list[torch.optim.Optimizer]:
        return self.module.trainer.optimizers

    def progress(self) -> dict[str, Any]:
        """Return the states of the schedulers, and Lightning's counts of epochs and steps."""
        loop = self.module.trainer.fit_loop
        return {
            "schedulers": [c.scheduler.state_dict() for c in self._schedulers()],
            "epochs": loop.epoch_progress.state_dict(),
            "automatic": loop.epoch_loop.automatic_optimization.optim_progress.state_dict(),
            "manual": loop.epoch_loop.manual_optimization.optim_step_progress.state_dict(),
        }

    def resume(self, progress: dict[str, Any]) -> None:
        loop = self.module.trainer.fit_loop
        for config, state in zip(self._schedulers(), progress["schedulers"], strict=True):
            config.scheduler.load_state_dict(state)
        loop.epoch_progress.load_state_dict(progress["epochs"])
        loop.epoch_loop.automatic_optimization.optim_progress.load_state_dict(progress["automatic"])
        loop.epoch_loop.manual_optimization.optim_step_progress.load_state_dict(progress["manual"])

    def epochs_done(self) -> int:
        """Return how many epochs Lightning has ended; the hooks of a later end are still due."""
        ended: Any = self.module.trainer.fit_loop.epoch_progress.current
        return ended.processed

    def begin_epoch_at(self, batch: int) -> None:
        """Let Lightning count the batches of the epoch from `batch`, so that batch_idx is right."""
        counts: Any = self.module.trainer.fit_loop.epoch_loop.batch_progress.current
        counts.ready = counts.started = counts.processed = counts.completed = batch

    def _schedulers(self) -> list[Any]:
        return list(self.module.trainer.lr_scheduler_configs)

    def sizes(self) -> dict[str, int]:
        return {"model": sum(p.numel() for p in self.module.parameters())}


class Counter(pl.Callback):
    """This callback, the first of all, counts the batches of a hosted module."""

    def __init__(self, hosted: Hosted) -> None:
        self.hosted = hosted

    def on_train_batch_end(self, *_: Any) -> None:
        self.hosted.after_batch()


class Epochs:
    """The batches of a run, one epoch for each iteration, float32 B×C×H×W in [−1, 1].

    With labels, a batch is a pair of images and labels. The first iteration begins in the middle of
    an epoch if the run is resumed there. It is empty if the last batch of an epoch was trained, and
    its end was not: Lightning then ends this epoch. The number of batches is not declared, as
    Lightning would take that of the first epoch for all.
    """

    def __init__(self, batches: Batches, hosted: Hosted) -> None:
        self.batches = batches
        self.hosted = hosted

    def __iter__(self) -> Iterator[Batch]:
        # Lightning may begin an epoch twice, and forget a batch that it has fetched in advance.
        batches = copy.copy(self.batches)
        batches.first = max(self.batches.first, self.hosted.steps_done)
        epoch, done = divmod(batches.first, batches.per_epoch)
        if self.hosted.epochs_done() < epoch:
            done = batches.per_epoch
        if done:
            self.hosted.begin_epoch_at(done)
        for batch in itertools.islice(batches, batches.per_epoch - done):
            if isinstance(batch, Tensor):
                yield normalise(batch)
            else:
                yield normalise(batch[0]), batch[1]


def build_hosted(config: Config, channels: int, classes: Mapping[str, int] | None = None) -> Hosted:
    """Return the module that `model=` names. Raises UserError if it cannot be built.

    classes: with labels=true, the number of training images by class.
    """
    name = str(config.model)
    size = size_for(config, "model")
    supplied = {
        "channels": channels, "z_dim": config.z_dim, "latent_dim": config.z_dim,
        "image_size": size, "width": size, "height": size, "n_classes": len(classes or {}),
    }  # fmt: skip
    try:
        module = KINDS["model"].registry[name].build(**arguments_of(config, "model", supplied))
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"model={name} cannot be built: {one_line(error)}") from error
    if not isinstance(module, pl.LightningModule):
        raise UserError(f"model={name} returns {type(module).__name__}, not a LightningModule")
    if not callable(getattr(module, "sample", None)):
        raise UserError(f"model={name} has no method sample(z) or sample(n)")
    if classes and len(inspect.signature(module.sample).parameters) < 2:  # type: ignore[arg-type]
        raise UserError(
            f"labels=true needs a method sample(z, labels) or sample(n, labels) of model={name}"
        )
    return Hosted(module, config.z_dim, classes)


def takes_count(module: pl.LightningModule) -> bool:
    """Return whether the module's `sample` takes a number of images, and no latents."""
    (first, *_) = [*inspect.signature(module.sample).parameters.values(), None]  # type: ignore[arg-type]
    if first is None:
        return False
    return first.name in ("n", "count", "num", "num_samples", "n_samples") or first.annotation in (
        int,
        "int",
    )


def image_size(config: Config) -> int:
    """Return the height and width in pixels of the module's images.

    A trial shows it. Raises UserError if the trial fails.
    """
    n_classes = TRIAL if config.labels else 0  # the data, and so their classes, come later
    return _sampled_shape(config, 1, n_classes)[-1]


def check_model(config: Config, image: tuple[int, int, int], n_classes: int) -> None:
    """Build the module and draw two images. Raises UserError unless they have the shape `image`.

    n_classes: the classes of the images; 0 without labels.
    """
    made = _sampled_shape(config, image[0], n_classes)
    if made != image:
        raise UserError(
            f"model={config.model}: sample() makes images of {text(made)}, and those of data="
            f"{config.data.name} are {text(image)} (channels × height × width)"
        )


_shapes: dict[Any, tuple[int, ...]] = {}


def _sampled_shape(config: Config, channels: int, n_classes: int) -> tuple[int, ...]:
    """Return the shape (C, H, H) of an image that `model=` makes. Raises UserError if it fails."""
    size = config.data.image_size
    key = (config.model, config.z_dim, channels, size, n_classes, *sorted(config.options.items()))
    if key not in _shapes:
        with torch.random.fork_rng(devices=[]):
            hosted = build_hosted(config, channels, {str(n): 1 for n in range(n_classes)})
            labels = torch.zeros(TRIAL, dtype=torch.int64) if n_classes else None
            try:
                images = hosted.sample(torch.zeros(TRIAL, config.z_dim), labels)
            except Exception as error:
                reason = f"model={config.model}: sample() fails: {one_line(error)}"
                raise UserError(reason) from error
        if images.dim() != 4 or len(images) != TRIAL or images.shape[-1] != images.shape[-2]:
            raise UserError(
                f"model={config.model}: sample() returns {text(images.shape)} for {TRIAL} images, "
                "not square images N×C×H×H"
            )
        _shapes[key] = tuple(images.shape[1:])
    return _shapes[key]
