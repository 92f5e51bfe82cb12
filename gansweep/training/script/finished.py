"""Complete a finished run of a script from the images that it has written.

The functions have the names and the arguments of those in training/train.py, which complete the
runs of networks from their weights.
"""

from __future__ import annotations

from collections.abc import Sequence

from gansweep.config import Config, known_steps
from gansweep.store.records import JudgeRecord, Result
from gansweep.store.run import Run
from gansweep.training.data import Prepared
from gansweep.training.script.follow import Followed, best_images, scored
from gansweep.training.script.samples import sample_files
from gansweep.training.train import make_judge, resolve_device
from gansweep.training.verdict import completed, finish_judged


def load_finished(run: Run, config: Config, data: Prepared) -> Followed:
    """Return the folder of a finished script. Raises ValueError if its last file is not usable."""
    followed = Followed(run, config, data)
    followed.last_images()
    return followed


def redraw(run: Run, followed: Followed) -> None:
    """Draw the sample picture of a finished run again, from the last file."""
    followed.draw(max(sample_files(run.script)), followed.last_images())


def judge_finished(
    run: Run, config: Config, data: Prepared, followed: Followed, result: Result
) -> Result:
    """Judge all files of a script that was trained with judge=false, and return the result."""
    judge = make_judge(config, data, resolve_device(config.device))
    assert judge is not None
    followed.judge_by(judge)
    while followed.take_images(ended=True):
        pass
    record = followed.record(known_steps(config, data.images) or result["steps"])
    return finish_judged(run, result, record)


def measure_finished(
    run: Run, config: Config, data: Prepared, judged: JudgeRecord, names: Sequence[str]
) -> JudgeRecord:
    """Return the judge's record of a finished run with further metrics of its best images.

    Raises ValueError if the images are no longer there.
    """
    judge = make_judge(config, data, resolve_device(config.device))
    assert judge is not None
    step = judged["score"].get("step")
    images = (
        load_finished(run, config, data).last_images() if step is None else best_images(run, step)
    )
    return completed(judge, judged, judge.further(scored(images), names))
