"""Write metrics, samples and checkpoints while a run trains, and show its progress bar."""

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
from gansweep.training.ema_profiles import snapshot_steps
from gansweep.training.memory import peak_memory
from gansweep.training.post_hoc import save_snapshot
from gansweep.training.samples import fixed_inputs, save_grid
from gansweep.training.summary import latest_score
from gansweep.training.trainee import Trainee, trainee_of

LOSSES = {"loss_d": "loss D", "loss_g": "loss G"}  # what a screen calls them


class _Writer(pl.Callback):
    """This callback writes to the run folder every `every` steps and after step `total`."""

    def __init__(self, run: Run, every: int, total: int) -> None:
        self.run = run
        self.every = every
        self.total = total
        self.written = -1  # the step of the last write

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        gan = trainee_of(module)
        if self.due(gan.steps_done):
            self.write(gan)
            self.written = gan.steps_done

    def finish(self, gan: Trainee) -> None:
        """Write at the end of a run, which early stopping may put between two due steps."""
        if self.written != gan.steps_done:
            self.write(gan)
            self.written = gan.steps_done

    def due(self, step: int) -> bool:
        """Return whether the callback writes after `step`."""
        return step % self.every == 0 or step == self.total

    def write(self, gan: Trainee) -> None:
        """Write what the subclass is for, as it is after step `gan.steps_done`."""
        raise NotImplementedError


class Restore(pl.Callback):
    """This callback resumes from the checkpoint `start` as soon as the optimizers exist."""

    def __init__(self, start: Checkpoint | None) -> None:
        self.start = start

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        gan = trainee_of(module)
        if self.start is not None:
            self.start.restore(gan)


class Metrics(_Writer):
    """This callback appends the losses to the metrics stream, one line for each due step.

    Between two lines the losses stay on the device. `write` raises Diverged at the first loss that
    is not finite.
    """

    def __init__(
        self, run: Run, every: int, total: int, steps_per_epoch: int, start: Checkpoint | None
    ) -> None:
        super().__init__(run, every, total)
        self.steps_per_epoch = steps_per_epoch
        self.latest: dict[str, float] = start.losses if start else {}
        if start is not None and self.due(start.step):
            self.written = start.step
        self._earlier_seconds = start.seconds if start else 0.0
        self._started_at = time.perf_counter()

    def on_train_start(self, trainer: pl.Trainer, gan: pl.LightningModule) -> None:
        self._started_at = time.perf_counter()

    def seconds(self) -> float:
        """Return the seconds this run has trained so far, earlier attempts included."""
        return self._earlier_seconds + time.perf_counter() - self._started_at

    def write(self, gan: Trainee) -> None:
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
    """This callback draws the images of the fixed latents as a picture."""

    def write(self, gan: Trainee) -> None:
        images = gan.sample(*fixed_inputs(gan))
        save_grid(images, self.run.sample(gan.steps_done))
        save_grid(images, self.run.picture)


class Snapshots(_Writer):
    """This callback saves the averages of post_hoc_ema at the steps of `snapshot_steps`."""

    def __init__(self, run: Run, total: int) -> None:
        super().__init__(run, total, total)
        self.steps = set(snapshot_steps(total))

    def due(self, step: int) -> bool:
        return step in self.steps

    def write(self, gan: Trainee) -> None:
        save_snapshot(self.run, gan)


class Checkpoints(_Writer):
    """This callback saves the checkpoint from which the run can be resumed.

    A checkpoint is due every `every` steps, SAVE_SECONDS after the previous one, and when the run
    is asked to stop. `on_train_batch_end` raises Stopped in the last case.
    """

    SAVE_SECONDS = 300.0  # A kill loses at most this much training.

    def __init__(self, run: Run, every: int, total: int, metrics: Metrics) -> None:
        super().__init__(run, every, total)
        self.metrics = metrics
        self._saved_at = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        gan = trainee_of(module)
        stopped = stop.requested() and gan.steps_done < self.total
        if stopped or time.monotonic() - self._saved_at > self.SAVE_SECONDS:
            self.write(gan)
        else:
            super().on_train_batch_end(trainer, module, outputs, batch, index)
        if stopped:
            raise stop.Stopped(f"stopped at step {gan.steps_done} of {self.total}")

    def write(self, gan: Trainee) -> None:
        save_checkpoint(self.run, gan, self.metrics.seconds())
        self._saved_at = time.monotonic()


class Bar(pl.Callback):
    """This callback shows a progress bar on a terminal and redraws it every REDRAW_SECONDS."""

    REDRAW_SECONDS = 0.2

    def __init__(
        self,
        title: str,
        total: int,
        batch_size: int,
        metrics: Metrics,
        data_set: str,
        best_by: str | None = None,
    ) -> None:
        self.title = title
        self.data_set = data_set
        self.best_by = best_by
        self.total = total
        self.batch_size = batch_size
        self.metrics = metrics
        self.bar: Progress | None = None

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if not console.is_terminal:
            return
        self.bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24 if console.width > 100 else 12),
            TextColumn("{task.completed}/{task.total} steps {task.fields[status]}", markup=False),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            auto_refresh=False,
        )
        self.bar.start()
        self.task = self.bar.add_task(self.title, total=self.total, status="")
        self._drawn_at = 0.0
        gan = trainee_of(module)
        self._started_at, self._first_step = time.monotonic(), gan.steps_done

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        gan = trainee_of(module)
        now = time.monotonic()
        if self.bar is None or now - self._drawn_at < self.REDRAW_SECONDS:
            return
        self._drawn_at = now
        rate = (gan.steps_done - self._first_step) * self.batch_size / (now - self._started_at)
        label, score = latest_score(self.metrics.run, self.data_set, self.best_by)
        parts = [f"{rate:,.0f} images/s", *([f"{label} {score}"] if score else [])]
        parts += [
            f"{LOSSES.get(name, name)} {value:.2f}" for name, value in self.metrics.latest.items()
        ]
        status = "  ".join(parts if console.width > 100 else parts[1:2] or parts[:1])
        self.bar.update(self.task, completed=gan.steps_done, status=status, refresh=True)

    def teardown(self, trainer: pl.Trainer, gan: pl.LightningModule, stage: str) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None
