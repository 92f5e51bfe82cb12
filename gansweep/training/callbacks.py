"""What is written and shown while a run trains: metrics, samples, checkpoints, the bar."""

from __future__ import annotations

import math
import time
from typing import Any, cast

import pytorch_lightning as pl
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from gansweep.store.errors import Diverged
from gansweep.store.records import MetricsLine
from gansweep.store.run import Run
from gansweep.terminal.console import console
from gansweep.training import stop
from gansweep.training.checkpoint import Checkpoint, save_checkpoint
from gansweep.training.gan import GAN
from gansweep.training.memory import peak_memory
from gansweep.training.samples import fixed_latents, save_grid


class _Writer(pl.Callback):
    """Writes to the run folder every `every` steps and at the last one."""

    def __init__(self, run: Run, every: int, total: int) -> None:
        self.run = run
        self.every = every
        self.total = total
        self.written = -1  # the step at which it wrote

    def on_train_batch_end(
        self, trainer: pl.Trainer, gan: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(gan, GAN)
        if self.due(gan.steps_done):
            self.write(gan)
            self.written = gan.steps_done

    def finish(self, gan: GAN) -> None:
        """Write at the end of a run: early stopping may put it between two steps that are due."""
        if self.written != gan.steps_done:
            self.write(gan)
            self.written = gan.steps_done

    def due(self, step: int) -> bool:
        return step % self.every == 0 or step == self.total

    def write(self, gan: GAN) -> None:
        raise NotImplementedError


class Restore(pl.Callback):
    """Go on from a checkpoint, once the optimizers are made."""

    def __init__(self, start: Checkpoint | None) -> None:
        self.start = start

    def on_train_start(self, trainer: pl.Trainer, gan: pl.LightningModule) -> None:
        assert isinstance(gan, GAN)
        if self.start is not None:
            self.start.restore(gan)


class Metrics(_Writer):
    """A line of losses in the metrics stream; the values stay on the device in between.

    Raises Diverged at the first that is not finite.
    """

    def __init__(
        self, run: Run, every: int, total: int, steps_per_epoch: int, start: Checkpoint | None
    ) -> None:
        super().__init__(run, every, total)
        self.steps_per_epoch = steps_per_epoch
        self.latest: dict[str, float] = start.losses if start else {}
        self._before = start.seconds if start else 0.0
        self._started = time.perf_counter()

    def on_train_start(self, trainer: pl.Trainer, gan: pl.LightningModule) -> None:
        self._started = time.perf_counter()

    def seconds(self) -> float:
        """Trained so far, earlier attempts included."""
        return self._before + time.perf_counter() - self._started

    def write(self, gan: GAN) -> None:
        step = gan.steps_done
        self.latest = {name: value.item() for name, value in gan.losses.items()}
        line: MetricsLine = {"step": step, "epoch": round(step / self.steps_per_epoch, 4)}
        line["seconds"], line["memory_mib"] = round(self.seconds(), 3), peak_memory(gan.device)
        line.update(cast("MetricsLine", {**self.latest, **gan.health()}))
        self.run.append_metrics(line)
        for name, value in self.latest.items():
            if not math.isfinite(value):
                raise Diverged(f"diverged: {name} is {value} at step {step}")


class Samples(_Writer):
    """A picture of the fixed latents, in step with the checkpoints."""

    def write(self, gan: GAN) -> None:
        images = gan.sample(fixed_latents(gan.z_dim))
        save_grid(images, self.run.sample(gan.steps_done))
        save_grid(images, self.run.picture)


class Checkpoints(_Writer):
    """The state to go on from: with each picture, every few minutes, and when asked to stop."""

    SECONDS = 300.0  # at most this much training is lost to a kill

    def __init__(self, run: Run, every: int, total: int, metrics: Metrics) -> None:
        super().__init__(run, every, total)
        self.metrics = metrics
        self._saved = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, gan: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(gan, GAN)
        stopped = stop.requested() and gan.steps_done < self.total
        if stopped or time.monotonic() - self._saved > self.SECONDS:
            self.write(gan)
        else:
            super().on_train_batch_end(trainer, gan, outputs, batch, batch_idx)
        if stopped:
            raise stop.Stopped(f"stopped at step {gan.steps_done} of {self.total}")

    def write(self, gan: GAN) -> None:
        save_checkpoint(self.run, gan, self.metrics.seconds())
        self._saved = time.monotonic()


class Bar(pl.Callback):
    """A progress bar on terminals, redrawn a few times a second, not at every step."""

    INTERVAL = 0.2  # seconds

    def __init__(self, title: str, total: int, batch_size: int, metrics: Metrics) -> None:
        self.title = title
        self.total = total
        self.batch_size = batch_size
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
        assert isinstance(gan, GAN)
        self._started, self._first = time.monotonic(), gan.steps_done

    def on_train_batch_end(
        self, trainer: pl.Trainer, gan: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(gan, GAN)
        now = time.monotonic()
        if self.bar is None or now - self._drawn < self.INTERVAL:
            return
        self._drawn = now
        rate = (gan.steps_done - self._first) * self.batch_size / (now - self._started)
        losses = " ".join(f"{name} {value:.2f}" for name, value in self.metrics.latest.items())
        facts = f"{rate:,.0f} images/s {losses}"
        self.bar.update(self.task, completed=gan.steps_done, facts=facts, refresh=True)

    def teardown(self, trainer: pl.Trainer, gan: pl.LightningModule, stage: str) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None
