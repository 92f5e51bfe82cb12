"""Load the trained generator of a run, and draw images with it, for programs that use a run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from gansweep.store.errors import UserError, choices_hint
from gansweep.store.run import Run
from gansweep.training.ema_profiles import check_length
from gansweep.training.gan import GAN
from gansweep.training.hosted import Hosted
from gansweep.training.job import one_line, read_plan
from gansweep.training.judge_callback import load_best
from gansweep.training.labels import chosen_labels, drawn_labels
from gansweep.training.latents import latents
from gansweep.training.metrics.files import load
from gansweep.training.network_source import changed_networks
from gansweep.training.post_hoc import Snapshots, load_average
from gansweep.training.train import build_trainee, resolve_device

Labels = int | str | Sequence[int | str] | None
BATCH = 256  # images that the generator makes at a time
WEIGHTS = ("best", "final", "averaged")


def load_generator(run: Run, weights: str = "best", ema: float | None = None) -> nn.Module:
    """Return the generator of a run, in evaluation mode on the CPU; of `model=`, the whole module.

    weights: `best` are those of the best evaluation, `final` those of the last step, and `averaged`
    are the average over the steps of a run with ema_decay. ema: in their place, the average of this
    length that ends with the last step of a run with post_hoc_ema; see `ema_profiles`. The data set
    of the run is not needed. Raises UserError if the run does not have these weights, or if they
    cannot be used.
    """
    trainee = _load(run, weights, ema)
    if isinstance(trainee, Hosted):
        return trainee.module.eval()
    generator = trainee.averaged if weights == "averaged" else trainee.generator
    assert generator is not None
    return generator.eval()


class Source:
    """A trained generator, or module of `model=`, from which images are drawn in batches.

    z_dim: numbers in a latent; classes: with labels=true, the number of training images by class;
    takes_latents: False for a module whose `sample(n)` draws its own latents.
    """

    def __init__(self, trainee: GAN | Hosted, weights: str) -> None:
        self.z_dim = trainee.z_dim
        self.classes = trainee.classes
        self.takes_latents = not (isinstance(trainee, Hosted) and trainee.takes_count)
        self._sample = trainee.sample_averaged if weights == "averaged" else trainee.sample

    def inputs(
        self, n: int, seed: int | None = None, labels: Labels = None
    ) -> tuple[Tensor, Tensor | None]:
        """Return n latents, n × z_dim, and n labels, int64, which are None without classes.

        The seed decides the latents; without one, torch's global random generator does. Labels are
        those of `chosen_labels`; with None, they have the shares of the training images. Raises
        UserError for `n` below 1 and for labels that are not valid.
        """
        if n < 1:
            raise UserError(f"n={n}: the number of images is 1 or more")
        z = latents(self.z_dim, n, seed=seed)
        if labels is None:
            return z, drawn_labels(self.classes, n, seed)
        return z, chosen_labels(labels, self.classes, n)

    def batches(self, z: Tensor, labels: Tensor | None = None) -> Iterator[Tensor]:
        """Yield the images of latents, float32 B×C×H×W in [−1, 1] with B up to BATCH, on the CPU.

        z: N × z_dim; labels: int64 (N,), if and only if there are classes.
        """
        inputs = [z] if labels is None else [z, labels]
        for part in zip(*(tensor.split(BATCH) for tensor in inputs), strict=True):
            yield self._sample(*part).cpu()


def load_source(
    run: Run, weights: str = "best", ema: float | None = None, device: str = "cpu"
) -> Source:
    """Return the trained generator of a run as a `Source` on a device, `cpu`, `cuda` or `auto`.

    weights, ema, and what is raised: see `load_generator`; UserError also if there is no GPU.
    """
    place = resolve_device(device)
    trainee = _load(run, weights, ema)
    trainee.to(place)
    return Source(trainee, weights)


def load_sampler(
    run: Run, weights: str = "best", ema: float | None = None
) -> Callable[[int, int | None, Labels], Tensor]:
    """Return a function `(n, seed, labels)` that draws n images, float32 N×C×H×W in [−1, 1].

    The arguments of the function are those of `Source.inputs`; weights, ema, and what is raised
    here: see `load_generator`.
    """
    source = Source(_load(run, weights, ema), weights)

    def draw(n: int, seed: int | None, labels: Labels) -> Tensor:
        return torch.cat(list(source.batches(*source.inputs(n, seed, labels))))

    return draw


def _load(run: Run, weights: str, ema: float | None) -> GAN | Hosted:
    """Return what a run has trained, with the weights of `load_generator`."""
    if weights not in WEIGHTS:
        raise UserError(f"weights={weights!r}: {choices_hint(weights, WEIGHTS)}")
    if ema is not None:
        check_length(ema)
        if weights != "best":
            raise UserError(f"give weights={weights!r} or ema={ema:g}, not both")
        weights = "final"
    config, data = read_plan(run)
    if config.command is not None:
        raise UserError(
            f"run {run.id} was trained by a script, whose weights gansweep does not know; its "
            f"images are in {run.script / 'samples'}"
        )
    path = run.best if weights == "best" else run.final
    if not path.is_file():
        other = {"best": run.final, "final": run.best}.get(weights)
        there = other is not None and other.is_file()
        remedy = f"; it has weights={'final' if weights == 'best' else 'best'!r}" if there else ""
        raise UserError(f"run {run.id} ({run.status()}) has no {weights} weights{remedy}")
    if changed := changed_networks(run, config):
        warnings.warn(
            f"the code of {changed[0]} has changed since run {run.id} was trained: its images may "
            "differ from those of the run",
            stacklevel=4,
        )
    with torch.random.fork_rng(devices=[]):  # the first weights of the networks are random
        trainee = build_trainee(config, data)
    if weights == "averaged" and trainee.averaged is None:
        raise UserError(f"run {run.id} has no averaged weights, as it has no ema_decay")
    try:
        if weights == "best":
            load_best(run, trainee)
        else:
            trainee.load_state_dict(load(path))
        if ema is not None:
            load_average(Snapshots(run), trainee, ema)
    except UserError:
        raise
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise UserError(f"{path} cannot be used ({one_line(error)[:200]})") from None
    return trainee
