"""What is written and shown while a run trains: metrics, samples, checkpoints, the bar."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from gansweep.console import console
from gansweep.errors import Diverged
from gansweep.gan import GAN
from gansweep.run import Run, write_file
from gansweep.samples import fixed_latents, save_grid


class _Writer(pl.Callback):
    """Writes to the run folder every `every` steps and at the last one."""

    def __init__(self, run: Run, every: int, total: int) -> None:
        self.run = run
        self.every = every
        self.total = total

    def on_train_batch_end(
        self, trainer: pl.Trainer, gan: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(gan, GAN)
        if gan.steps_done % self.every == 0 or gan.steps_done == self.total:
            self.write(trainer, gan)

    def write(self, trainer: pl.Trainer, gan: GAN) -> None:
        raise NotImplementedError


class Metrics(_Writer):
    """A line of losses in the metrics stream; the values stay on the device in between.

    Raises Diverged at the first that is not finite.
    """

    def __init__(self, run: Run, every: int, total: int, steps_per_epoch: int) -> None:
        super().__init__(run, every, total)
        self.steps_per_epoch = steps_per_epoch
        self.latest: dict[str, float] = {}

    def on_train_start(self, trainer: pl.Trainer, gan: pl.LightningModule) -> None:
        self._started = time.perf_counter()

    def write(self, trainer: pl.Trainer, gan: GAN) -> None:
        step = gan.steps_done
        self.latest = {name: value.item() for name, value in gan.losses.items()}
        seconds = time.perf_counter() - self._started
        epoch = round(step / self.steps_per_epoch, 4)
        line = {"step": step, "epoch": epoch, "seconds": round(seconds, 3)}
        self.run.append_metrics({**line, **self.latest})
        for name, value in self.latest.items():
            if not math.isfinite(value):
                raise Diverged(f"diverged: {name} is {value} at step {step}")


class Samples(_Writer):
    """A picture of the fixed latents, and the checkpoint to go on from."""

    def write(self, trainer: pl.Trainer, gan: GAN) -> None:
        images = gan.sample(fixed_latents(gan.z_dim))
        save_grid(images, self.run.sample(gan.steps_done))
        save_grid(images, self.run.picture)
        write_file(self.run.last, lambda path: save_checkpoint(trainer, path))


def save_checkpoint(trainer: pl.Trainer, path: Path) -> None:
    trainer.save_checkpoint(path)
    with path.open("rb") as written:  # on disk before the rename makes it the one to go on from
        os.fsync(written.fileno())


class Bar(pl.Callback):
    """A progress bar on terminals, redrawn a few times a second, not at every step."""

    INTERVAL = 0.2  # seconds

    def __init__(self, title: str, total: int, metrics: Metrics) -> None:
        self.title = title
        self.total = total
        self.metrics = metrics
        self.bar: Progress | None = None

    def on_train_start(self, trainer: pl.Trainer, gan: pl.LightningModule) -> None:
        if not console.is_terminal:
            return
        self.bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.completed}/{task.total} steps {task.fields[facts]}", markup=False),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            auto_refresh=False,
        )
        self.bar.start()
        self.task = self.bar.add_task(self.title, total=self.total, facts="")
        self._drawn = 0.0
        self._started = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, gan: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(gan, GAN)
        now = time.monotonic()
        if self.bar is None or now - self._drawn < self.INTERVAL:
            return
        self._drawn = now
        rate = gan.steps_done * len(batch) / (now - self._started)
        losses = " ".join(f"{name} {value:.2f}" for name, value in self.metrics.latest.items())
        facts = f"{rate:,.0f} images/s {losses}"
        self.bar.update(self.task, completed=gan.steps_done, facts=facts, refresh=True)

    def teardown(self, trainer: pl.Trainer, gan: pl.LightningModule, stage: str) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None
