"""Save and load the checkpoint from which an interrupted run resumes.

A checkpoint holds the weights, the states of both optimizers, the step, the states of the random
generators, and the best weights so far with their picture. The step is also the position in the
data, because the order of the images depends only on the seed and the epoch. On a CPU with the same
number of threads, a resumed run ends with exactly the weights of a run that was never interrupted.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import Any

import torch

from gansweep.store.run import Run, write_bytes
from gansweep.training.metrics.files import load, save
from gansweep.training.trainee import Trainee


@dataclass
class Checkpoint:
    """A checkpoint has the fields of the file `last.ckpt`; renaming one makes old files unreadable.

    `step` counts the batches trained on, `seconds` is the training time so far, `losses` has the
    latest losses by name, and `threads` is the number of CPU threads. `weights` is the GAN's
    state_dict, and `optimizers` has those of the generator's and the discriminator's optimizer.
    `watched` has the number of steps since the last evaluation, and of saturated steps among these.
    `dice` has the states of the random generators: "cpu" and, on a GPU, "cuda". `best` has the
    bytes of the run's `best.ckpt` and `best.png` by name, and is None in files of earlier versions.
    `progress` is what else the model needs; see `Trainee.progress`.
    """

    step: int
    seconds: float
    losses: dict[str, float]
    threads: int
    weights: dict[str, Any]
    optimizers: list[dict[str, Any]]
    watched: list[int]
    dice: dict[str, torch.Tensor]
    best: dict[str, torch.Tensor] | None = None
    progress: dict[str, Any] | None = None

    def put_back_best(self, run: Run) -> None:
        """Write the best weights and their picture again, as they were at this checkpoint."""
        for name, data in (self.best or {}).items():
            write_bytes(run.folder / name, data.numpy().tobytes())

    def restore(self, gan: Trainee) -> None:
        """Set `gan`, its optimizers and the random generators to the state of this checkpoint."""
        gan.load_state_dict(self.weights)
        gan.steps_done = self.step
        gan.losses = {name: torch.tensor(value) for name, value in self.losses.items()}
        gan.watched, gan.saturated = self.watched
        for optimizer, state in zip(gan.optimizers_in_use(), self.optimizers, strict=True):
            optimizer.load_state_dict(state)
        gan.resume(self.progress or {})
        torch.set_rng_state(self.dice["cpu"])
        if gan.device.type == "cuda" and "cuda" in self.dice:
            torch.cuda.set_rng_state(self.dice["cuda"], gan.device)


def save_checkpoint(run: Run, gan: Trainee, seconds: float) -> None:
    """Write `run.last`; the previous file stays until the new one is complete on the disk.

    `seconds` is the training time of the run so far.
    """
    random_states = {"cpu": torch.get_rng_state()}
    if gan.device.type == "cuda":
        random_states["cuda"] = torch.cuda.get_rng_state(gan.device)
    state = {
        "step": gan.steps_done,
        "seconds": seconds,
        "losses": {name: value.item() for name, value in gan.losses.items()},
        "threads": torch.get_num_threads(),
        "weights": gan.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in gan.optimizers_in_use()],
        "watched": [gan.watched, int(gan.saturated)],
        "dice": random_states,
        "best": _best_files(run),
        "progress": gan.progress(),
    }
    save(run.last, state)


def _best_files(run: Run) -> dict[str, torch.Tensor]:
    """Return the bytes of the best weights and of their picture, uint8, by file name."""
    paths = [path for path in (run.best, run.best_picture) if path.exists()]
    return {p.name: torch.frombuffer(bytearray(p.read_bytes()), dtype=torch.uint8) for p in paths}


def _older_best_files(run: Run, step: int) -> dict[str, torch.Tensor]:
    """Return the best files of a run; {} if the weights are damaged or are later than `step`."""
    try:
        best = load(run.best)
        return _best_files(run) if best["step"] <= step else {}
    except Exception:  # The file is missing or damaged.
        return {}


def load_checkpoint(run: Run) -> Checkpoint | None:
    """Return the run's checkpoint, or None if the run has none.

    Raises ValueError if the file is damaged, OSError or MemoryError if it cannot be read now.
    """
    if not run.last.is_file():
        return None
    try:
        with zipfile.ZipFile(run.last) as archive:  # torch does not compare checksums
            broken = archive.testzip()
        if broken is not None:
            raise ValueError(f"the checksum of {broken} does not match")
        checkpoint = Checkpoint(**load(run.last))
        if checkpoint.best is None:
            checkpoint.best = _older_best_files(run, checkpoint.step)
        return checkpoint
    except (OSError, MemoryError):  # The file may be intact and readable later.
        raise
    except Exception as error:  # Every kind of damage has one remedy: to train from the start.
        raise ValueError(f"{run.last.name}: {' '.join(str(error).split())[:200]}") from error
