"""Draw images from checkpoints of other programs, by a function of the user.

The function `draw(path, n, seed)` is called for each checkpoint, in a process of its own, so that
an error or a crash ends in one line, and nothing that it does reaches this process. It returns `n`
images in one of the forms of `returned`. This module is also the program of that process.
"""

from __future__ import annotations

import functools
import json
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from gansweep.loading import import_object, is_import_path, respelled, told
from gansweep.store.errors import UserError
from gansweep.store.run import write_file, write_text
from gansweep.terminal.console import track
from gansweep.training.data import Prepared
from gansweep.training.data.returned import returned

NAMED = re.compile(r"step[=_-]?(\d+)", re.IGNORECASE)
SEED = 0  # of all checkpoints, so that their pictures show the same latents
TASK, ERROR = "task.json", "error.txt"  # in the folder of the images; the function has failed
TICK = 0.05  # seconds between two looks for the next file


def steps_of(paths: Iterable[Path]) -> dict[int, Path]:
    """Return checkpoints by step, in ascending order.

    The step is the number after `step` in a name, as in `epoch=2-step=1000.ckpt`, or else its last
    number.
    Raises UserError for a path that does not exist, a name without a number, and two equal steps.
    """
    found: dict[int, Path] = {}
    for path in paths:
        if not path.exists():
            raise UserError(f"{path}: there is no such checkpoint")
        named = NAMED.findall(path.name) or re.findall(r"\d+", path.stem)
        if not named:
            raise UserError(f"{path}: its name has no step; rename it, as in {path.stem}-1000")
        step = int(named[-1])
        if step in found:
            raise UserError(f"{path} and {found[step].name} are both of step {step}")
        found[step] = path
    return dict(sorted(found.items()))


def check_sample(sample: str) -> None:
    """Raise UserError if `--sample` is no import path."""
    if not is_import_path(sample):
        meant = respelled(sample)
        hint = f"did you mean {meant!r}?" if meant else "write package.module:function"
        raise UserError(f"--sample {sample} is no import path; {hint}")


def draw(
    checkpoints: dict[int, Path], sample: str, count: int, data: Prepared, folder: Path
) -> dict[int, Path]:
    """Let the function `sample` draw `count` images of each checkpoint. Returns the files by step.

    The files in `folder` have the images as `images`, uint8 N×C×H×W in the size of `data`. Raises
    UserError, in one line, if the function cannot be imported, fails, ends its process, or returns
    anything else than `count` images.
    """
    files = {step: folder / f"{step}.npz" for step in checkpoints}
    task = {
        "sample": sample, "count": count, "size": data.size, "channels": data.channels,
        "checkpoints": [[step, str(path)] for step, path in checkpoints.items()],
    }  # fmt: skip
    write_text(folder / TASK, json.dumps(task))
    process = subprocess.Popen(
        [sys.executable, "-m", "gansweep.training.drawn", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno(),  # what the function prints is no part of an answer
    )
    try:
        for step in track(files, len(files), "drawing from checkpoints"):
            while process.poll() is None and not files[step].exists():
                time.sleep(TICK)
            if not files[step].exists():
                raise UserError(_why_ended(process.returncode, sample, checkpoints[step], folder))
    finally:
        process.kill()
        process.wait()
    return files


def _why_ended(code: int | None, sample: str, path: Path, folder: Path) -> str:
    error = folder / ERROR
    if error.exists():
        return error.read_text(encoding="utf-8")
    how = f"exit code {code}"
    if code is not None and code < 0:
        how = f"signal {signal.Signals(-code).name}"
    return f"--sample {sample} has ended its process ({how}) at {path}"


def _main(folder: Path) -> None:
    """Draw as the task in `folder` says, in a process of its own."""
    task: dict[str, Any] = json.loads((folder / TASK).read_text(encoding="utf-8"))
    what = f"--sample {task['sample']}"
    try:
        function = import_object(task["sample"], what)
        for step, path in task["checkpoints"]:
            images = _images(function, Path(path), task, what)
            write_file(folder / f"{step}.npz", functools.partial(np.savez, images=images))
    except UserError as error:
        write_text(folder / ERROR, str(error))
        raise SystemExit(1) from None


def _images(function: Any, path: Path, task: dict[str, Any], what: str) -> Any:
    """Return the images that the function draws, uint8 N×C×H×W."""
    count = task["count"]
    _seed()
    try:
        found = function(path, count, SEED)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{what} fails at {path}: {told(error)}") from error
    except SystemExit as error:
        raise UserError(f"{what} calls sys.exit({error.code!r}) at {path}") from None
    images = returned(found, what)
    if images.count != count:
        raise UserError(f"{what} returns {images.count} images of {path}, and {count} were asked")
    return images.load(np.arange(count), task["size"], task["channels"])


def _seed() -> None:
    """Seed all generators, for a function that does not use its argument `seed`."""
    random.seed(SEED)
    np.random.seed(SEED)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(SEED)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # the command says that it was interrupted
        _main(Path(sys.argv[1]))
