"""A checkpoint: all that an interrupted run needs to go on as if nothing had happened.

Weights, both optimizers, the step (which is also the place in the data: its order depends on
seed and epoch alone), the state of the dice, and the best weights so far with their picture. On a
CPU, with the same number of threads, the run that goes on ends with the very bits of the one that
was never interrupted.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import Any

import torch

from gansweep.store.run import Run, write_bytes
from gansweep.training.gan import GAN
from gansweep.training.metrics.files import load, save


@dataclass
class Checkpoint:
    """step: batches done; seconds: trained so far; losses: the latest; threads: of the CPU;
    watched: steps since the judge's last look, and how many of them were saturated; best: the
    bytes of the run's `best.ckpt` and `best.png` by name; None in an older file, without them."""

    step: int
    seconds: float
    losses: dict[str, float]
    threads: int
    weights: dict[str, Any]
    optimizers: list[dict[str, Any]]
    watched: list[int]
    dice: dict[str, torch.Tensor]
    best: dict[str, torch.Tensor] | None = None

    def put_back_best(self, run: Run) -> None:
        """Write the best weights and their picture again, as they were at this checkpoint."""
        for name, data in (self.best or {}).items():
            write_bytes(run.folder / name, data.numpy().tobytes())

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
        "best": _best_files(run),
    }

    save(run.last, state)


def _best_files(run: Run) -> dict[str, torch.Tensor]:
    """The bytes of the best weights and of their picture, by the names of their files."""
    paths = [path for path in (run.best, run.best_picture) if path.exists()]
    return {p.name: torch.frombuffer(bytearray(p.read_bytes()), dtype=torch.uint8) for p in paths}


def _older_best_files(run: Run, step: int) -> dict[str, torch.Tensor]:
    """The files that are there, unless they were written after `step`."""
    try:
        best = load(run.best)
        return _best_files(run) if best["step"] <= step else {}
    except Exception:  # missing, or damaged
        return {}


def load_checkpoint(run: Run) -> Checkpoint | None:
    """The run's checkpoint, None if there is none. Raises ValueError if it is damaged."""
    if not run.last.is_file():
        return None
    try:
        with zipfile.ZipFile(run.last) as archive:  # torch does not compare the checksums
            broken = archive.testzip()
        if broken is not None:
            raise ValueError(f"the checksum of {broken} is another")
        found = Checkpoint(**load(run.last))
        if found.best is None:
            found.best = _older_best_files(run, found.step)
        return found
    except (OSError, MemoryError):  # not the file's fault: it may be read another time
        raise
    except Exception as error:  # whatever is wrong with the file, training anew is the remedy
        raise ValueError(f"{run.last.name}: {' '.join(str(error).split())[:200]}") from error
