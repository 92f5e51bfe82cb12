"""The judge's distance for programs other than gansweep, as their users would have to write it."""

from __future__ import annotations

import torch
from torch import nn

from benchmarks.duel import terms
from gansweep.training.judge_callback import evaluation_steps
from gansweep.training.metrics.evaluate import Judge, generate
from gansweep.training.sample_sizes import sample_sizes


class Distance:
    """Measures a generator by as many images as gansweep's own evaluations of such a run."""

    def __init__(self, steps: int) -> None:
        self.judge = Judge(terms.data())
        images = sample_sizes(steps * terms.BATCH, terms.SIZE)[0]
        self.z = torch.randn(images, terms.Z_DIM, 1, 1, generator=torch.Generator().manual_seed(0))

    def __call__(self, generator: nn.Module) -> float:
        """Return the distance of the generator's images; `generator` is in evaluation mode."""
        with torch.no_grad():
            found = self.judge.evaluate(generate(generator, self.z))
        return float(found[self.judge.primary])


def interval(steps: int) -> int:
    """Return the steps between two evaluations of gansweep's runs of this length."""
    return evaluation_steps(steps, terms.BATCH)[0]
