"""Follow the files of a script: take its numbers and its images into the files of its run."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import cast

import numpy as np
import torch

from gansweep.config import Config, batch_of
from gansweep.store.check import number
from gansweep.store.errors import Diverged, UserError
from gansweep.store.records import JudgeRecord, MetricsLine, Score
from gansweep.store.run import Run, write_file
from gansweep.training.data import Prepared
from gansweep.training.data.pixels import normalise
from gansweep.training.grid import COUNT
from gansweep.training.metrics.evaluate import Judge
from gansweep.training.samples import save_grid
from gansweep.training.script.metrics import ScriptMetrics
from gansweep.training.script.samples import (
    Images,
    Incomplete,
    check_count,
    halves,
    read_images,
    sample_files,
)
from gansweep.training.verdict import Verdict

MOST_EVALUATED, MOST_SCORED = 2000, 10_000  # images of a file; more take long and change little


class Followed:
    """A script's folder, and what of it the run's files have already.

    `step` is the last step that the script has shown, and `latest` has its latest losses. `judge`
    is None for judge=false. `warn` is called with a sentence if a line of the script is invalid.
    """

    def __init__(
        self,
        run: Run,
        config: Config,
        data: Prepared,
        judge: Judge | None = None,
        warn: Callable[[str], object] | None = None,
    ) -> None:
        self.run = run
        self.data = data
        self.early_stop = config.early_stop
        self.verdict: Verdict | None = None
        self._taken = max(run.sample_pictures(), default=-1)  # the step of the last file
        if judge is not None:
            self.judge_by(judge)
        batch_size = batch_of(config)
        self.per_epoch = None if batch_size is None else max(1, data.images // batch_size)
        self.latest: dict[str, float] = {}
        self._started = time.monotonic()
        last = run.read_metrics(last=1)
        self._earlier_seconds = (number(last[0], "seconds") or 0.0) if last else 0.0
        self._metrics = ScriptMetrics(
            run.script / "metrics.jsonl", last[0]["step"] if last else -1, warn
        )
        self.step = max(self._metrics.last, self._taken, 0)

    def judge_by(self, judge: Judge) -> None:
        """Judge the files from now on, and those that no earlier attempt has judged."""
        self.verdict = Verdict(self.run, judge, self.early_stop)
        self._taken = max((e.step for e in self.verdict.tracker.evaluations), default=-1)

    def seconds(self) -> float:
        """Return the seconds that the script has run so far, earlier attempts included."""
        return self._earlier_seconds + time.monotonic() - self._started

    def drop_cut_off(self) -> None:
        """Remove files that a kill has cut off, as the script may not write them again."""
        for step, path in sample_files(self.run.script).items():
            if step > self._taken:
                with suppress(UserError):
                    try:
                        read_images(path, self.data)
                    except Incomplete:
                        path.unlink(missing_ok=True)

    def take_metrics(self, *, ended: bool = False) -> None:
        """Append the script's new numbers to the run's metrics.

        Raises Diverged at the first number that is not finite.
        """
        for step, numbers in self._metrics.new(ended=ended):
            self.latest = {n: v for n, v in numbers.items() if n != "epoch"}
            self._append(step, numbers)
            for name, value in self.latest.items():
                if not math.isfinite(value):
                    raise Diverged(f"diverged: {name} is {value} at step {step}")

    def _append(self, step: int, numbers: dict[str, float]) -> None:
        self.step = max(self.step, step)
        line: MetricsLine = {"step": step, "seconds": round(self.seconds(), 3)}
        if self.per_epoch is not None:
            line["epoch"] = round(step / self.per_epoch, 4)
        line.update(cast("MetricsLine", numbers))
        self.run.append_metrics(line)

    def take_images(self, *, ended: bool = False) -> bool:
        """Judge and draw the next file of images, and return whether there was one.

        A file that cannot be read yet is left for later. Raises UserError if it cannot be read
        after the script has ended, and for images that are not those of the data set.
        """
        new = {s: p for s, p in sample_files(self.run.script).items() if s > self._taken}
        if not new:
            return False
        step, path = next(iter(new.items()))
        try:
            images = read_images(path, self.data)
        except Incomplete as error:
            if ended:
                raise UserError(str(error)) from None
            return False
        self.step = max(self.step, step)
        self.draw(step, images)
        if self.verdict is not None:
            check_count(path, images)
            self._judge(self.verdict, step, images)
        self._taken = step
        return True

    def _judge(self, verdict: Verdict, step: int, images: Images) -> None:
        started = time.perf_counter()
        facts = verdict.judge.evaluate(torch.from_numpy(halves(images)[0][:MOST_EVALUATED]))

        def keep() -> None:
            arrays = {"step": np.array(step), "images": images}
            save = functools.partial(np.savez, **arrays)  # type: ignore[arg-type]
            write_file(self.run.best_images, save)
            save_grid(_floats(images), self.run.best_picture)

        verdict.add(step, facts, keep, started)

    def draw(self, step: int, images: Images) -> None:
        """Draw the first images as the sample picture of a step, and as that of the run."""
        save_grid(_floats(images), self.run.sample(step))
        save_grid(_floats(images), self.run.picture)

    def record(self, steps: int) -> JudgeRecord:
        """Return the judge's record of a run of `steps` steps, by the images of the best step."""
        assert self.verdict is not None
        started = time.perf_counter()
        best = self.verdict.best_step()
        images = best_images(self.run, best) if best else self.last_images()
        score = self.verdict.judge.score(scored(images))
        score["step"] = best or None
        record = self.verdict.record(cast("Score", score), steps, self.per_epoch)
        self.verdict.draw(torch.from_numpy(images[:1]), torch.from_numpy(images[:COUNT]))
        self.verdict.scoring_seconds = time.perf_counter() - started
        seconds = self.verdict.seconds + self.verdict.scoring_seconds
        record["judging_seconds"] = round(seconds, 3)
        return record

    def last_images(self) -> Images:
        """Return the images of the last file. Raises ValueError if it is no longer there."""
        files = sample_files(self.run.script)
        if not files:
            raise ValueError("the script's samples are no longer there")
        return read_images(files[max(files)], self.data)


def best_images(run: Run, step: int | None = None) -> Images:
    """Return the images of the best step, uint8 N×C×H×W. `step` is that of the record, if known.

    Raises ValueError if the file is missing, damaged or of another step.
    """
    try:
        with np.load(run.best_images, allow_pickle=False) as archive:
            kept, images = int(archive["step"]), archive["images"]
    except Exception as error:
        raise ValueError(f"{run.best_images.name} cannot be read ({error})") from None
    if step not in (None, kept):
        raise ValueError(f"{run.best_images.name} has no images of step {step}")
    found: Images = images
    return found


def scored(images: Images) -> torch.Tensor:
    """Return the images of a file that are scored."""
    return torch.from_numpy(halves(images)[1][:MOST_SCORED])


def _floats(images: Images) -> torch.Tensor:
    """Return the images of a sample picture, float32 in [−1, 1]."""
    return normalise(torch.from_numpy(images[:COUNT]))
