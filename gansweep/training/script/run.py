"""Train a run by a script: start it, follow its files, stop it, and record the result."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from rich.text import Text

from gansweep.components import own_values
from gansweep.config import HYPERPARAMETERS, Config, batch_of, known_steps
from gansweep.store.errors import ScriptFailed
from gansweep.store.records import Result
from gansweep.store.run import Run, read_json, write_json
from gansweep.template import Template, template_of
from gansweep.terminal.console import console
from gansweep.training import stop
from gansweep.training.data import Prepared
from gansweep.training.data.cache import TRAINING_FILE
from gansweep.training.loggers.live import forwarding
from gansweep.training.memory import peak_of_children
from gansweep.training.provenance import environment
from gansweep.training.script.follow import Followed
from gansweep.training.script.process import GRACE, ScriptProcess
from gansweep.training.train import make_judge, resolve_device

POLL = 0.1  # seconds between two looks at the script's files


def resumes(run: Run, config: Config) -> bool:
    """Return whether a script continues an earlier attempt, and does not begin anew.

    It does if its command has {resume} and its folder has a file, unless the script has failed by
    itself.
    """
    failure = read_json(run.failure)
    if failure is not None and failure.get("cause") not in ("killed", "out of memory"):
        return False
    return template_of(str(config.command)).resumes and _written(run)


def _written(run: Run) -> bool:
    """Return whether an earlier attempt has left a file."""
    return any(path.is_file() for path in run.script.rglob("*"))


def train_script(
    run: Run,
    config: Config,
    data: Prepared,
    title: str,
    resumed: bool,
    place: dict[str, Any],
    tell: Callable[[str], object],
) -> Result:
    """Train `run` by its script and return the result, which is also written to the run folder.

    `resumed` is that of `resumes`. `place` is recorded in the history, and `tell` is called with
    each line for the user. Raises Diverged for a number that is not finite, Stopped if the process
    is asked to stop, UserError for files that break the contract, and ScriptFailed or Killed for a
    script that has failed.
    """

    def warn(line: str) -> None:
        tell(f"{title}  {line}")

    if resumed:
        for path in (run.result, run.failure):
            path.unlink(missing_ok=True)
    else:
        can_resume = template_of(str(config.command)).resumes
        if not can_resume and read_json(run.failure) is None and _written(run):
            warn("begins anew, as its command has no {resume}")
        run.rewind(0)
    (run.script / "samples").mkdir(parents=True, exist_ok=True)
    with forwarding(run, config, warn) as loggers:
        device = resolve_device(config.device)
        if config.threads is not None:
            torch.set_num_threads(config.threads)
        record = environment(device)
        write_json(run.environment, record)
        followed = Followed(run, config, data, make_judge(config, data, device), warn)
        run.record("started", step=followed.step, **place)
        if resumed:
            followed.drop_cut_off()
            warn(f"resumes after step {followed.step}")
        words, variables = _call(run, config, data, device.type, record["threads"], resumed)
        environment_of = {"PYTHONUNBUFFERED": "1", **os.environ, **variables}  # a log is read live
        process = ScriptProcess(words, environment_of, run.log)
        try:
            with _shown(title) as show:
                _follow(process, followed, [logger.tick for logger in loggers], show)
        finally:
            process.close()
        seconds = followed.seconds()
        while followed.take_images(ended=True):
            pass
        if not run.picture.is_file():
            having = ", ".join(sorted(path.name for path in run.script.iterdir())[:5])
            raise ScriptFailed(
                f"the script wrote no samples/STEP.npz or samples/STEP.png into {{out}}, which has "
                f"{having}"
            )
        result = _result(config, followed, seconds)
        if device.type == "cpu":  # on a GPU, the memory of other processes is unknown
            result["peak_memory_mib"] = peak_of_children()
        if followed.verdict is not None:
            result["judge"] = followed.record(known_steps(config, data.images) or followed.step)
        result["seconds"] = round(followed.seconds(), 3)
        run.finish(result)
    return result


def _follow(
    process: ScriptProcess,
    followed: Followed,
    forwards: list[Callable[[], None]],
    show: Callable[[int], object],
) -> None:
    """Take what the script writes until it ends, and end it if that is asked for."""
    while process.running():
        followed.take_metrics()
        judged = followed.take_images()
        for forward in forwards:
            forward()
        show(followed.step)
        if stop.requested():
            gently = process.terminate()
            followed.take_metrics(ended=True)
            late = "" if gently else f"; the script ignored SIGTERM for {GRACE:g} s and was killed"
            raise stop.Stopped(f"stopped at step {followed.step}{late}")
        if followed.verdict is not None and followed.verdict.ended_early():
            process.terminate()
            followed.take_metrics(ended=True)
            return
        if not judged:
            time.sleep(POLL)
    followed.take_metrics(ended=True)
    process.check_end()


def _call(
    run: Run, config: Config, data: Prepared, device: str, threads: int, resumed: bool
) -> tuple[list[str], dict[str, str]]:
    """Return the words of the command, and the environment variables of its own."""
    template: Template = template_of(str(config.command))
    out = str(run.script.resolve())
    steps = known_steps(config, data.images)
    supplied = {
        "out": out,
        "resume": out,
        "data": str((data.folder / TRAINING_FILE).resolve()),
        "image_size": data.size,
        "channels": data.channels,
        "device": device,
        "threads": threads,
        "python": sys.executable,
    }
    known = {name: getattr(config, name) for name in HYPERPARAMETERS} | {"steps": steps}
    variables = {
        "GANSWEEP_OUT": out,
        "GANSWEEP_DATA": str(supplied["data"]),
        "GANSWEEP_SEED": str(config.seed),
        "GANSWEEP_RESUME": out if resumed else "",
    }
    if config.threads is not None:
        libraries = ("OMP", "OPENBLAS", "MKL")
        variables |= {f"{name}_NUM_THREADS": str(config.threads) for name in libraries}
    return template.fill(
        {**known, **own_values(config, "command"), **supplied}, resumed=resumed
    ), variables


def _result(config: Config, followed: Followed, seconds: float) -> Result:
    """Return the result without the judge's record."""
    result: Result = {
        "status": "done",
        "steps": followed.step,
        "training_seconds": round(seconds, 3),
    }
    batch_size = batch_of(config)
    if batch_size is not None and followed.per_epoch is not None:
        result["epochs"] = round(followed.step / followed.per_epoch, 4)
        result["images"] = followed.step * batch_size
        result["images_per_second"] = round(result["images"] / max(seconds, 1e-3), 1)
    for name in ("loss_d", "loss_g"):
        if name in followed.latest:
            result[name] = followed.latest[name]
    return result


@contextmanager
def _shown(title: str) -> Iterator[Callable[[int], object]]:
    """Yield a function that shows the last step on a terminal."""
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status(Text(title)) as status:
        yield lambda step: status.update(Text(f"{title}  step {step}"))
