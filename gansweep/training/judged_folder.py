"""Judge the pictures that any other program has written at several of its steps.

The pictures become a run: as if they were those of a script (`command=`), their files are read,
evaluated and scored by the same code. So tables and galleries show them as they show every run.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gansweep.config import Config
from gansweep.params import DataConfig
from gansweep.plugins import METRICS
from gansweep.store.errors import UserError
from gansweep.store.records import Result
from gansweep.store.run import Run, write_file
from gansweep.training.data import Prepared
from gansweep.training.data.images import fit
from gansweep.training.data.pictures import Pictures
from gansweep.training.script.follow import Followed
from gansweep.training.script.samples import LEAST, NAME, read_images
from gansweep.training.train import make_judge, resolve_device

STEP = re.compile(r"(?:step[_-]?)?(\d+)")


def files_by_step(folder: Path, *, asked: bool) -> dict[int, Path]:
    """Return the files, or folders of pictures, of each step, in ascending order.

    They are `samples/STEP.npz` or `.png` and `STEP.npz`; if `asked` is set also `STEP.png`, a grid,
    and folders `STEP/` or `step_STEP/`, whose names may mean something else too.
    """
    for place in (folder / "samples", folder):
        found: dict[int, Path] = {}
        for path in sorted(place.glob("*")):
            is_folder = path.is_dir()
            match = (STEP.fullmatch(path.name) if asked and is_folder else None) or (
                NAME.fullmatch(path.name) if not is_folder else None
            )
            sure = place != folder or path.suffix == ".npz"
            if match and (asked or sure):
                found[int(match[1])] = path
        if found:
            return dict(sorted(found.items()))
    return {}


def config_of(words: list[str], real: DataConfig, size: int, out: str) -> Config:
    """Return the configuration of the run that pictures become, judged against `real`.

    words: the arguments of `judge` that name the pictures.
    """
    real.image_size = None if size == 28 else size
    words = ["python", "-m", "gansweep", "judge", *words, "--data", real.name]
    command = shlex.join(words).replace("{", "{{").replace("}", "}}")  # it is no template
    return Config(command=command, data=real, out=out)


def judge_folder(
    run: Run, config: Config, data: Prepared, files: dict[int, Path], tell: Callable[[str], object]
) -> Result:
    """Judge the files of each step, and write the result of the run. Returns it.

    tell: is called with a line for each step. Raises UserError for files that cannot be read, or
    with too few images.
    """
    started = time.monotonic()
    with run.owned():
        run.rewind(0)
        samples = run.script / "samples"
        samples.mkdir(parents=True, exist_ok=True)
        for step, path in files.items():
            _place(path, samples, step, data)
        judge = make_judge(config, data, resolve_device(config.device))
        assert judge is not None
        followed = Followed(run, config, data, judge)
        while followed.take_images(ended=True):
            line: dict[str, Any] = {**run.read_evaluations()[-1]}
            tell(f"step {line['step']}: {METRICS[judge.primary].label} {line[judge.primary]:.4g}")
        result: Result = {"status": "done", "steps": followed.step, "training_seconds": 0.0}
        result["judge"] = followed.record(followed.step)
        result["seconds"] = round(time.monotonic() - started, 3)
        run.finish(result)
    return result


def _place(path: Path, samples: Path, step: int, data: Prepared) -> None:
    """Put the images of a step where a script would have written them. Raises UserError."""
    if path.is_dir():
        pictures = Pictures(path)
        numbers = np.arange(len(pictures.names))
        size = data.size
        images = pictures.read(numbers, lambda p: fit(p, size), size, data.channels, path.name)
        save = functools.partial(np.savez, images=images)
        write_file(samples / f"{step}.npz", save)
        count = len(images)
    else:
        target = samples / f"{step}{path.suffix}"
        try:
            os.link(path, target)
        except OSError:  # another disk, or one without links
            shutil.copyfile(path, target)
        try:
            count = len(read_images(target, data))
        except ValueError as error:
            raise UserError(f"{path}: {error}") from None
    if count < LEAST:
        raise UserError(
            f"{path} has {count} images, too few for a distance: one half of {LEAST} or more finds "
            "the best step, and the other half gives its score"
        )
