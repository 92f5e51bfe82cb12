"""Judging a run while it trains: looks at fixed latents, the best weights kept, early stopping."""

from __future__ import annotations

import functools
import math
import time
from typing import Any, cast

import pytorch_lightning as pl
from PIL import Image
from torch import Tensor

from gansweep.store.check import number
from gansweep.store.records import EvaluationLine, JudgeRecord, Score
from gansweep.store.run import Run, write_file
from gansweep.training.data.pixels import normalise
from gansweep.training.gan import GAN
from gansweep.training.latents import latents
from gansweep.training.metrics.equilibrium import Evaluation, Tracker, flags
from gansweep.training.metrics.evaluate import Judge, Sample, generate
from gansweep.training.metrics.files import load, save
from gansweep.training.metrics.published import IMAGES
from gansweep.training.samples import fixed_latents, save_grid
from gansweep.training.whitening import whiten

LATENTS = 17  # the seed of the looks' latents: the same for every run
SCORE_LATENTS = 18  # and of the score's
PER_LOOK = 3200  # images trained on between two looks, at least
MOST = 50  # looks in a run
# Generated images of a look and of the score: few where a run is short, as judging may take a
# twentieth of its time.
SIZES = ((1_000_000, 2000, 10_000), (100_000, 750, 4000), (10_000, 200, 400), (0, 200, 250))


def sizes(images: int, pixels: int = 28) -> tuple[int, int]:
    """Generated images of a look and of the score, for a run that trains on so many of `pixels` a
    side. Larger ones take longer to judge than to train on, beside those of 28: fewer are judged.
    """
    alike = images * 28 / max(pixels, 28)
    return next((look, score) for least, look, score in SIZES if alike >= least)


def schedule(steps: int, batch_size: int) -> list[int]:
    """The steps after which a run is looked at: evenly spaced, the last one included.

    By counts alone, so that a run that goes on is looked at where it would have been.
    """
    count = max(1, min(MOST, steps * batch_size // PER_LOOK))
    return sorted({max(1, round(steps * (i + 1) / count)) for i in range(count)})


class Judging(pl.Callback):
    """Looks at the generator, writes `judge.jsonl`, keeps the best weights and their picture."""

    def __init__(
        self,
        run: Run,
        judge: Judge,
        z_dim: int,
        steps: int,
        batch_size: int,
        early_stop: bool,
    ) -> None:
        self.run = run
        self.judge = judge
        self.total = steps
        self.steps = set(schedule(steps, batch_size))
        self.early_stop = early_stop
        look, self.scored = sizes(steps * batch_size, judge.data.size)
        if judge.published is not None:
            self.scored = max(self.scored, IMAGES)
        self.z = latents(z_dim, look, seed=LATENTS)
        self.tracker = Tracker()
        self.seconds = 0.0
        for line in run.read_evaluations():  # of the attempts before this one
            self.tracker.add(Evaluation.of(line, judge.primary))
            self.seconds = number(line, "judging_seconds") or 0.0
        self.scoring_seconds = 0.0

    def on_train_start(self, trainer: pl.Trainer, gan: pl.LightningModule) -> None:
        assert isinstance(gan, GAN)
        self.evaluate_if_never(gan)

    def on_train_batch_end(
        self, trainer: pl.Trainer, gan: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(gan, GAN)
        if not self.due(gan.steps_done):
            return
        self._look(gan)
        if self.ended_early():
            trainer.should_stop = True

    def evaluate_if_never(self, gan: GAN) -> None:
        """Evaluate a run that was never evaluated: one that begins, or was begun unjudged."""
        if not self.tracker.evaluations:
            self._look(gan)

    def due(self, step: int) -> bool:
        return step in self.steps

    def ended_early(self) -> bool:
        """Has it diverged, and is that to end the run?"""
        return self.early_stop and self.tracker.diverged()

    def _look(self, gan: GAN) -> None:
        began = time.perf_counter()
        facts = self.judge.look(gan.sample, self.z)
        if gan.averaged is not None:
            averaged = self.judge.look(gan.sample_averaged, self.z)
            facts["ema"] = averaged[self.judge.primary]
        facts["d_saturated"] = gan.take_saturation()
        line = {"step": gan.steps_done, **facts}
        best = self.tracker.add(Evaluation.of(line, self.judge.primary))
        if best and gan.steps_done > 0:
            save(self.run.best, {"step": gan.steps_done, "generator": gan.generator.state_dict()})
            save_grid(gan.sample(fixed_latents(gan.z_dim)), self.run.best_picture)
        self.seconds += time.perf_counter() - began
        line["judging_seconds"] = round(self.seconds, 3)
        self.run.append_evaluation(cast("EvaluationLine", line))

    def verdict(self, gan: GAN, per_epoch: int) -> JudgeRecord:
        """The equilibrium, its score by fresh latents and unseen images, and the flags.

        Leaves the equilibrium's generator in `gan`.
        """
        began = time.perf_counter()
        found = self.tracker.equilibrium()
        step = load_best(self.run, gan) if found is not None and found.step > 0 else None
        z = latents(gan.z_dim, self.scored, seed=SCORE_LATENTS)
        averaged = None if gan.averaged is None else self._score(gan.sample_averaged, z)
        score = self._score(gan.sample, z)
        score["step"] = step
        verdict: JudgeRecord = {
            "primary": self.judge.primary,
            "second": self.judge.second,
            "looks": len(self.tracker.evaluations),
            "last": _finite(self.tracker.evaluations[-1].value),
            "score": score,
            "flags": flags(self.tracker.evaluations, self.total, score),
        }
        if averaged is not None:
            verdict["ema"] = averaged
        if found is not None:
            verdict["equilibrium"] = {
                "step": found.step,
                "epoch": round(found.step / per_epoch, 4),
                "value": found.value,
                "label": found.label,
                "plateau": list(found.plateau),
            }
        self._draw_single(gan)
        self._draw_nearest(gan)
        self.scoring_seconds = time.perf_counter() - began
        verdict["judging_seconds"] = round(self.seconds + self.scoring_seconds, 3)
        return verdict

    def _score(self, sample: Sample, z: Tensor) -> Score:
        return cast("Score", self.judge.score(generate(sample, z)))

    def _draw_nearest(self, gan: GAN) -> None:
        """The training images that are nearest to those of the best picture, in its places."""
        images = generate(gan.sample, fixed_latents(gan.z_dim))
        found = self.judge.nearest_training_images(images)
        save_grid(normalise(found), self.run.nearest)

    def _draw_single(self, gan: GAN) -> None:
        """Document 000's pictures: one image raw, and whitened."""
        single = generate(gan.sample, fixed_latents(gan.z_dim, 1)).float().mean(1)
        dirty = single.byte().cpu().numpy()
        for path, pixels in ((self.run.dirty, dirty), (self.run.clean, whiten(dirty))):
            picture = Image.fromarray(pixels[0])
            write_file(path, functools.partial(picture.save, format="PNG"))


def load_best(run: Run, gan: GAN) -> int | None:
    """Put the best weights into `gan`'s generator. Returns their step; None if there are none."""
    if not run.best.is_file():
        return None
    state = load(run.best)
    gan.generator.load_state_dict(state["generator"])
    return int(state["step"])


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
