"""Keep snapshots of averaged weights, and make averages of other lengths from them after the run.

A snapshot is a file with the averages of all tracked lengths after a step. `ema_profiles` describes
how they are combined.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gansweep.store.errors import UserError
from gansweep.store.run import Run
from gansweep.training import ema_profiles
from gansweep.training.averages import trained_weights
from gansweep.training.labels import drawn_labels
from gansweep.training.latents import latents
from gansweep.training.metrics.files import load, save
from gansweep.training.trainee import Trainee

STATISTICS_SEED = 19  # This seed gives the latents of the batch-norm statistics of every average.
STATISTICS_IMAGES, BATCH = 2048, 256
COUNTED = 10**6  # Batch norms that have seen so many batches take out no start; see `Norm`.


def save_snapshot(run: Run, gan: Trainee) -> None:
    """Write the averages of `gan` as they are after its last step. Raises OSError."""
    if end := gan.averaged_until():  # Before G's first step there is nothing to average.
        averages = gan.tracked()
        state = {"end": end, "lengths": [*averages], "weights": [*averages.values()]}
        save(run.snapshot(gan.steps_done), state)


class Snapshots:
    """The snapshots of a run, which make averages of the weights that end with its last step."""

    def __init__(self, run: Run) -> None:
        """Open the files. Raises UserError if there are none, or if one cannot be used."""
        self.run = run
        self.ends: list[int] = []
        self.lengths: list[float] = []
        self.weights: list[dict[str, Tensor]] = []
        for path in run.snapshots().values():
            try:
                state = load(path, mmap=True)
                self.weights += state["weights"]
                self.lengths += state["lengths"]
                self.ends += [state["end"]] * len(state["lengths"])
            except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
                reason = " ".join(str(error).split())[:200]
                raise UserError(f"{path} cannot be used ({reason})") from None
        if not self.ends:
            raise UserError(
                f"run {run.id} has no snapshots of averaged weights, as it has no post_hoc_ema=true"
            )

    def error(self, length: float) -> float:
        """Return the relative error of the profile of an average; see `ema_profiles.solve`."""
        return ema_profiles.solve(self.ends, self.lengths, max(self.ends), length)[1]

    def average(self, length: float) -> dict[str, Tensor]:
        """Return the weights of G, averaged with this length, by name.

        Raises UserError if the length is not valid, or if the snapshots are too few for it.
        """
        length = ema_profiles.check_length(length)
        factors, error = ema_profiles.solve(self.ends, self.lengths, max(self.ends), length)
        if error > ema_profiles.MOST_ERROR:
            raise UserError(
                f"ema={length:g}: run {self.run.id} has too few snapshots for such an average "
                f"(error {error:.0%}, valid: up to {ema_profiles.MOST_ERROR:.0%}); try a longer one"
            )
        total: dict[str, Any] = {}
        for factor, weights in zip(factors.tolist(), self.weights, strict=True):
            for name, weight in weights.items():
                precise = weight.to(torch.promote_types(weight.dtype, torch.float64))
                total[name] = total.get(name, 0) + factor * precise
        return {name: value.to(self.weights[0][name].dtype) for name, value in total.items()}


def load_average(snapshots: Snapshots, gan: Trainee, length: float) -> None:
    """Give the generator of `gan`, which has the final weights, the average of this length.

    The batch norms get the statistics of this very generator, as `estimate_statistics` finds them.
    Raises UserError as `Snapshots.average` does, or if the weights do not fit the generator.
    """
    generator = gan.generator
    assert isinstance(generator, nn.Module)
    average = snapshots.average(length)
    weights = trained_weights(generator)
    if {n: w.shape for n, w in weights.items()} != {n: w.shape for n, w in average.items()}:
        raise UserError(f"the snapshots of run {snapshots.run.id} do not fit its generator")
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(average[name])
    inputs = [latents(gan.z_dim, STATISTICS_IMAGES, seed=STATISTICS_SEED)]
    labels = drawn_labels(gan.classes, STATISTICS_IMAGES, seed=STATISTICS_SEED)
    inputs += [] if labels is None else [labels]
    estimate_statistics(generator, *(tensor.to(gan.device) for tensor in inputs))


@torch.no_grad()
def estimate_statistics(generator: nn.Module, *inputs: Tensor) -> None:
    """Set the statistics of all batch norms to those of the images of some inputs.

    inputs: latents, N × z_dim, and of a conditional generator also labels, int64 (N,).
    The moving averages of G belong to other weights, so they do not fit an average. As in
    stochastic weight averaging (Izmailov et al. 2018), the statistics are the means over batches in
    a pass of their own. Dropout is off, as it is when images are drawn.
    """
    norms = [m for m in generator.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    if not norms:
        return
    was_training, momenta = generator.training, [norm.momentum for norm in norms]
    generator.eval()
    try:
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # so that all batches count equally
            norm.train()
        for parts in zip(*(tensor.split(BATCH) for tensor in inputs), strict=True):
            generator(*parts)
    finally:
        generator.train(was_training)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            if norm.num_batches_tracked is not None:
                norm.num_batches_tracked.fill_(COUNTED)
