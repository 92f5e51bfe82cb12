"""The verdict on a run: its evaluations, its best step, its flags and its record.

This module knows images and numbers alone, so it judges networks and the images of a script alike.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from PIL import Image
from torch import Tensor

from gansweep.store.check import number
from gansweep.store.records import EvaluationLine, JudgeRecord, Result, Score
from gansweep.store.run import Run, write_file
from gansweep.training.data.pixels import normalise
from gansweep.training.metrics.equilibrium import Evaluation, Tracker, flags
from gansweep.training.metrics.evaluate import Judge
from gansweep.training.samples import save_grid
from gansweep.training.whitening import whiten


class Verdict:
    """The evaluations of a run so far, those of earlier attempts included.

    `early_stop` says whether a divergence of the distance ends the training. `seconds` is the time
    that the evaluations took, and `scoring_seconds` that of the final score.
    """

    def __init__(self, run: Run, judge: Judge, early_stop: bool) -> None:
        self.run = run
        self.judge = judge
        self.early_stop = early_stop
        self.tracker = Tracker()
        self.seconds = 0.0
        self.scoring_seconds = 0.0
        for line in run.read_evaluations():  # Earlier attempts wrote these evaluations.
            self.tracker.add(Evaluation.of(line, judge.primary))
            self.seconds = number(line, "judging_seconds") or 0.0

    def ended_early(self) -> bool:
        """Return whether the distance has diverged and `early_stop` is set."""
        return self.early_stop and self.tracker.diverged()

    def add(
        self, step: int, facts: Mapping[str, Any], keep: Callable[[], object], started: float
    ) -> None:
        """Add the evaluation after `step`, and append its line to judge.jsonl.

        `keep` is called first if the evaluation is the best so far and not that of the untrained
        generator. `started` is the time at which the evaluation began (`time.perf_counter`).
        """
        line = {"step": step, **facts}
        if self.tracker.add(Evaluation.of(line, self.judge.primary)) and step > 0:
            keep()
        self.seconds += time.perf_counter() - started
        line["judging_seconds"] = round(self.seconds, 3)
        self.run.append_evaluation(cast("EvaluationLine", line))

    def best_step(self) -> int:
        """Return the best step; 0 if there is none, or if it is that of the untrained generator."""
        best = self.tracker.equilibrium()
        return 0 if best is None else best.step

    def record(
        self, score: Score, steps: int, per_epoch: int | None, averaged: Score | None = None
    ) -> JudgeRecord:
        """Return the judge's record of a run of `steps` steps.

        `score` is that of the best images. `per_epoch` is the number of steps in an epoch, or None
        if it is unknown. `averaged` is the score of the averaged generator, if there is one.
        """
        verdict: JudgeRecord = {
            "primary": self.judge.primary,
            "looks": len(self.tracker.evaluations),
            "last": _finite(self.tracker.evaluations[-1].value),
            "score": score,
            "flags": flags(self.tracker.evaluations, steps, score),
        }
        if number(score, self.judge.second) is not None:
            verdict["second"] = self.judge.second
        if averaged is not None:
            verdict["ema"] = averaged
        if self.judge.errors:
            verdict["errors"] = dict(self.judge.errors)
        best = self.tracker.equilibrium()
        if best is not None:
            verdict["equilibrium"] = {
                "step": best.step,
                "value": best.value,
                "label": best.label,
                "plateau": list(best.plateau),
            }
            if per_epoch is not None:
                verdict["equilibrium"]["epoch"] = round(best.step / per_epoch, 4)
        return verdict

    def draw(self, single: Tensor, shown: Tensor) -> None:
        """Draw the pictures that belong to the verdict, from images uint8 N×C×H×W.

        `single` is one image, which is drawn raw and whitened, as in document 000. `shown` are the
        images of the sample picture, for each of which the nearest training image is drawn.
        """
        dirty = single.float().mean(1).byte().cpu().numpy()
        for path, pixels in ((self.run.dirty, dirty), (self.run.clean, whiten(dirty))):
            picture = Image.fromarray(pixels[0])
            write_file(path, functools.partial(picture.save, format="PNG"))
        save_grid(normalise(self.judge.nearest_training_images(shown)), self.run.nearest)


def finish_judged(run: Run, result: Result, record: JudgeRecord) -> Result:
    """Finish a run that was trained with judge=false by the judge's record; return the result."""
    seconds = round(result["seconds"] + record["judging_seconds"], 3)
    judged = cast("Result", {**result, "judge": record, "seconds": seconds})
    run.finish(judged)
    return judged


def completed(
    judge: Judge,
    record: JudgeRecord,
    found: Mapping[str, Any],
    averaged: Mapping[str, Any] | None = None,
) -> JudgeRecord:
    """Return the judge's record of a finished run with further metrics in its scores.

    `found` and `averaged` are the metrics of the images that were scored; see `Judge.further`.
    """
    result = record.copy()
    if averaged is not None and "ema" in record:
        result["ema"] = cast("Score", {**averaged, **record["ema"]})
    result["score"] = cast("Score", {**found, **record["score"]})
    if judge.errors:
        result["errors"] = {**record.get("errors", {}), **judge.errors}
    return result


def _finite(value: float) -> float | None:
    """Return `value`, or None if it is not finite, as JSON has no NaN."""
    return value if math.isfinite(value) else None
