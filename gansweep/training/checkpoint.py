"""A checkpoint: all that an interrupted run needs to go on as if nothing had happened.

Weights, both optimizers, the step (which is also the place in the data: its order depends on
seed and epoch alone) and the state of the dice. On a CPU, with the same number of threads, the
run that goes on ends with the very bits of the one that was never interrupted.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import Any

import torch

from gansweep.store.run import Run
from gansweep.training.gan import GAN
from gansweep.training.metrics.files import load, save


@dataclass
class Checkpoint:
    """step: batches done; seconds: trained so far; losses: the latest; threads: of the CPU;
    watched: steps since the judge's last look, and how many of them were saturated."""

    step: int
    seconds: float
    losses: dict[str, float]
    threads: int
    weights: dict[str, Any]
    optimizers: list[dict[str, Any]]
    watched: list[int]
    dice: dict[str, torch.Tensor]

    def restore(self, gan: GAN) -> None:
        """Put `gan`, its optimizers and the dice where they were."""
        gan.load_state_dict(self.weights)
        gan.steps_done = self.step
        gan.losses = {name: torch.tensor(value) for name, value in self.losses.items()}
        gan.watched, gan.saturated = self.watched
        for optimizer, state in zip(_optimizers(gan), self.optimizers, strict=True):
            optimizer.load_state_dict(state)
        torch.set_rng_state(self.dice["cpu"])
        if gan.device.type == "cuda" and "cuda" in self.dice:
            torch.cuda.set_rng_state(self.dice["cuda"], gan.device)


def _optimizers(gan: GAN) -> list[torch.optim.Optimizer]:
    found = gan.optimizers(use_pl_optimizer=False)
    assert isinstance(found, list)
    return found


def save_checkpoint(run: Run, gan: GAN, seconds: float) -> None:
    """Write `run.last`; the one before it stays until this one is whole and on the disk."""
    dice = {"cpu": torch.get_rng_state()}
    if gan.device.type == "cuda":
        dice["cuda"] = torch.cuda.get_rng_state(gan.device)
    state = {
        "step": gan.steps_done,
        "seconds": seconds,
        "losses": {name: value.item() for name, value in gan.losses.items()},
        "threads": torch.get_num_threads(),
        "weights": gan.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in _optimizers(gan)],
        "watched": [gan.watched, int(gan.saturated)],
        "dice": dice,
    }

    save(run.last, state)


def load_checkpoint(run: Run) -> Checkpoint | None:
    """The run's checkpoint, None if there is none. Raises ValueError if it is damaged."""
    if not run.last.is_file():
        return None
    try:
        with zipfile.ZipFile(run.last) as archive:  # torch does not compare the checksums
            broken = archive.testzip()
        if broken is not None:
            raise ValueError(f"the checksum of {broken} is another")
        return Checkpoint(**load(run.last))
    except (OSError, MemoryError):  # not the file's fault: it may be read another time
        raise
    except Exception as error:  # whatever is wrong with the file, training anew is the remedy
        raise ValueError(f"{run.last.name}: {' '.join(str(error).split())[:200]}") from error
