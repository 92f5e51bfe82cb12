"""Load the trained generator of a run, and draw images with it, for programs that use a run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

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
from gansweep.training.train import build_trainee

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


def load_sampler(
    run: Run, weights: str = "best", ema: float | None = None
) -> Callable[[int, int | None, Labels], Tensor]:
    """Return a function `(n, seed, labels)` that draws n images, float32 N×C×H×W in [−1, 1].

    The seed decides the latents; without one, torch's global random generator does. Labels of a run
    with labels=true are those of `chosen_labels`; with None, they have the shares of the training
    images. The function raises UserError for `n` below 1 and for labels that are not valid.
    weights, ema, and what is raised here: see `load_generator`.
    """
    trainee = _load(run, weights, ema)
    sample = trainee.sample_averaged if weights == "averaged" else trainee.sample

    def draw(n: int, seed: int | None, labels: Labels) -> Tensor:
        if n < 1:
            raise UserError(f"n={n}: the number of images is 1 or more")
        z = latents(trainee.z_dim, n, seed=seed)
        if labels is None:
            numbers = drawn_labels(trainee.classes, n, seed)
        else:
            numbers = chosen_labels(labels, trainee.classes, n)
        inputs = [z] if numbers is None else [z, numbers]
        parts = zip(*(tensor.split(BATCH) for tensor in inputs), strict=True)
        return torch.cat([sample(*part) for part in parts])

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
