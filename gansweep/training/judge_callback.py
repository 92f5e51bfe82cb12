"""Judge a run while it trains: evaluate it, keep the best weights, stop early, score the best.

An evaluation is a quick measurement with latents that are equal in all runs. The score is a
measurement of the best weights with other latents, after the training.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch import Tensor

from gansweep.store.check import number
from gansweep.store.errors import Diverged, UserError
from gansweep.store.records import EmaLength, JudgeRecord, Score
from gansweep.store.run import Run
from gansweep.training.ema_profiles import JUDGED, MOST_ERROR
from gansweep.training.labels import drawn_labels
from gansweep.training.latents import latents
from gansweep.training.metrics.evaluate import Judge, Sample, generate
from gansweep.training.metrics.files import load, save
from gansweep.training.metrics.published import MIN_IMAGES
from gansweep.training.post_hoc import Snapshots, load_average
from gansweep.training.sample_sizes import chosen_sizes, sample_sizes
from gansweep.training.samples import fixed_inputs, fixed_latents, save_grid
from gansweep.training.trainee import Trainee, trainee_of
from gansweep.training.verdict import Verdict, completed

Inputs = tuple[Tensor, Tensor | None]  # latents n × z_dim, and labels (n,) with labels=true
EVALUATION_SEED = 17  # This seed gives the latents of the evaluations of every run.
SCORE_SEED = 18  # This seed gives the latents of the score of every run.
IMAGES_PER_EVALUATION = 3200  # A run trains on at least this many images between evaluations.
MAX_EVALUATIONS = 50  # of one run, without the evaluation before the first step


def score_inputs(z_dim: int, n: int, judge: Judge) -> Inputs:
    """Return the latents and labels from which n images are generated for the score of a run."""
    return (
        latents(z_dim, n, seed=SCORE_SEED),
        drawn_labels(judge.data.classes, n, seed=SCORE_SEED),
    )


def evaluation_steps(steps: int, batch_size: int) -> list[int]:
    """Return the steps after which a run of `steps` steps is evaluated.

    The steps are evenly spaced and include the last one. They depend only on the arguments, so that
    a resumed run is evaluated at the same steps as an uninterrupted run.
    """
    count = max(1, min(MAX_EVALUATIONS, steps * batch_size // IMAGES_PER_EVALUATION))
    return sorted({max(1, round(steps * (i + 1) / count)) for i in range(count)})


class Judging(Verdict, pl.Callback):
    """This callback evaluates the generator and keeps the best weights and their picture.

    The evaluations are written to `judge.jsonl`. `steps` is the number of steps of the run, and
    `early_stop` says whether a divergence of the distance ends the training. `judge_images` is the
    number of images of the score, or None for that of the run's length.
    """

    def __init__(
        self,
        run: Run,
        judge: Judge,
        z_dim: int,
        steps: int,
        batch_size: int,
        early_stop: bool,
        judge_images: int | None = None,
    ) -> None:
        super().__init__(run, judge, early_stop)
        self.total = steps
        self.steps = set(evaluation_steps(steps, batch_size))
        if judge_images is None:
            evaluated, self.scored = sample_sizes(steps * batch_size, judge.data.size)
        else:
            evaluated, self.scored = chosen_sizes(judge_images)
        # A run that continues a shorter one is evaluated by as many images, as the distance depends
        # on their number.
        evaluated = next((n for e in run.read_evaluations() if (n := e.get("n"))), evaluated)
        if judge.published is not None:
            self.scored = max(self.scored, MIN_IMAGES)
        self.z = latents(z_dim, evaluated, seed=EVALUATION_SEED)
        self.labels = drawn_labels(judge.data.classes, evaluated, seed=EVALUATION_SEED)

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        gan = trainee_of(module)
        self.evaluate_if_never(gan)

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        gan = trainee_of(module)
        if not self.due(gan.steps_done):
            return
        self._evaluate(gan)
        if self.ended_early():
            trainer.should_stop = True

    def evaluate_if_never(self, gan: Trainee) -> None:
        """Evaluate a run that has no evaluation: a new run, or one begun with judge=false."""
        if not self.tracker.evaluations:
            self._evaluate(gan)

    def due(self, step: int) -> bool:
        """Return whether the run is evaluated after `step`."""
        return step in self.steps

    def _evaluate(self, gan: Trainee) -> None:
        """Evaluate the generator, append the line, and save the weights if they are the best."""
        started = time.perf_counter()
        facts = self.judge.evaluate(generate(gan.sample, self.z, self.labels))
        if gan.averaged is not None:
            averaged = self.judge.evaluate(generate(gan.sample_averaged, self.z, self.labels))
            facts["ema"] = averaged[self.judge.primary]
        facts["d_saturated"] = gan.take_saturation()

        def keep() -> None:
            state = {"step": gan.steps_done, "generator": gan.generator.state_dict()}
            save(self.run.best, state)
            save_grid(gan.sample(*fixed_inputs(gan)), self.run.best_picture)

        self.add(gan.steps_done, facts, keep, started)

    def verdict(self, gan: Trainee, per_epoch: int) -> JudgeRecord:
        """Return the best step (equilibrium), the score of its weights, and the flags of the run.

        `per_epoch` is the number of steps in an epoch. The score uses other latents and, if enough
        images are held out, other real images than the evaluations. The generator of `gan` has the
        best weights afterwards.
        """
        started = time.perf_counter()
        inputs = score_inputs(gan.z_dim, self.scored, self.judge)
        lengths = self._lengths(gan, inputs) if gan.tracked() else []
        step = load_best(self.run, gan) if self.best_step() else None
        averaged = None if gan.averaged is None else self._score(gan.sample_averaged, inputs)
        score = self._score(gan.sample, inputs)
        score["step"] = step
        verdict = self.record(score, self.total, per_epoch, averaged)
        if lengths:
            verdict["ema_lengths"] = lengths
        first = torch.zeros(1, dtype=torch.int64) if gan.classes else None
        self.draw(
            generate(gan.sample, fixed_latents(gan.z_dim, 1), first),
            generate(gan.sample, *fixed_inputs(gan)),
        )
        self.scoring_seconds = time.perf_counter() - started
        verdict["judging_seconds"] = round(self.seconds + self.scoring_seconds, 3)
        return verdict

    def _score(self, sample: Sample, inputs: Inputs) -> Score:
        return cast("Score", self.judge.score(generate(sample, *inputs), inputs[1]))

    def _lengths(self, gan: Trainee, inputs: Inputs) -> list[EmaLength]:
        """Return the primary metric of the last weights, and of their averages by length.

        `gan` has the last weights, also afterwards. Lengths for which the snapshots are too few are
        left out. If the snapshots cannot be used, the judge's errors have the reason.
        """
        weights = {name: value.clone() for name, value in gan.generator.state_dict().items()}
        found: list[EmaLength] = [{"length": 0.0, "value": self._value(gan, inputs)}]
        try:
            snapshots = Snapshots(self.run)
            for length in JUDGED:
                if snapshots.error(length) <= MOST_ERROR:
                    load_average(snapshots, gan, length)
                    found.append({"length": length, "value": self._value(gan, inputs)})
        except UserError as error:
            self.judge.errors["post_hoc_ema"] = str(error)
        gan.generator.load_state_dict(weights)
        return found

    def _value(self, gan: Trainee, inputs: Inputs) -> float | None:
        """Return the primary metric of the images of `gan`; None if they are not finite."""
        try:
            images = generate(gan.sample, *inputs)
        except Diverged:
            return None
        found = self.judge.further(images, [self.judge.primary], inputs[1])
        return number(found, self.judge.primary)


def with_metrics(
    judge: Judge, run: Run, gan: Trainee, record: JudgeRecord, names: Sequence[str]
) -> JudgeRecord:
    """Return the judge's record of a finished run with further metrics in its scores.

    The metrics are those of the images that `Judging.verdict` has scored, and all else stays as it
    is. `gan` has the final weights, and the best weights afterwards. Raises ValueError if the best
    weights are missing or of another step.
    """
    score = record["score"]
    inputs = score_inputs(gan.z_dim, score["n"], judge)

    def found(sample: Sample) -> dict[str, Any]:
        return judge.further(generate(sample, *inputs), names, inputs[1])

    averaged = None
    if "ema" in record and gan.averaged is not None:
        averaged = found(gan.sample_averaged)
    if score.get("step") is not None and load_best(run, gan) != score.get("step"):
        raise ValueError(f"{run.best.name} has no weights of step {score.get('step')}")
    return completed(judge, record, found(gan.sample), averaged)


def load_best(run: Run, gan: Trainee) -> int | None:
    """Load the best weights of `run` into the generator of `gan`, and return their step.

    Returns None if the run has no best weights. Raises ValueError if the file is damaged.
    """
    if not run.best.is_file():
        return None
    state = load(run.best)
    gan.generator.load_state_dict(state["generator"])
    return int(state["step"])
