"""Score the weights of a run, one of its checkpoints, or a folder of pictures, without training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from gansweep.config import Config
from gansweep.params import DataConfig
from gansweep.plugins import DATASETS
from gansweep.store.errors import UserError
from gansweep.store.run import Run
from gansweep.terminal.console import console
from gansweep.training.data import Prepared, prepare
from gansweep.training.ema_profiles import check_length
from gansweep.training.job import load_plan
from gansweep.training.judge_callback import load_best, score_inputs
from gansweep.training.metrics.distances import Neighbourhood
from gansweep.training.metrics.evaluate import Judge, generate
from gansweep.training.metrics.files import load
from gansweep.training.metrics.published import PublishedFeatures
from gansweep.training.post_hoc import Snapshots, load_average
from gansweep.training.script.finished import load_finished
from gansweep.training.script.follow import best_images, scored
from gansweep.training.train import build_trainee

MIN_PICTURES = 100  # A distance of fewer pictures is not meaningful.


def score_existing(
    target: str,
    out: str,
    *,
    count: int = 2000,
    published: PublishedFeatures | None = None,
    real: DataConfig | None = None,
    size: int = 28,
    ema: float | None = None,
) -> dict[str, dict[str, Any]]:
    """Return the scores (see `Judge.score`) by the name of the scored file or folder.

    `target` is a run's id or folder, a checkpoint in a run folder, or a folder of pictures. `out`
    is the folder of runs, `count` is the number of images to generate, and `published` is a further
    net to measure with. A folder of pictures is compared with the data set `real` at `size` ×
    `size` pixels. With `ema`, the average of this length of a run with post_hoc_ema is scored
    alone. Raises UserError if there is nothing to score, or if the images are too few.
    """
    if ema is not None:
        check_length(ema)
    path = Path(target)
    checkpoint = path if path.suffix == ".ckpt" else None
    folder = (path.parent if checkpoint else path).resolve()
    run = Run(folder.parent.parent, folder.name) if path.exists() else Run(out, path.name)
    if ema is not None and (checkpoint or not run.config.exists()):
        raise UserError(f"--ema {ema:g} needs a run with post_hoc_ema=true, and {target} is none")
    if run.config.exists():
        return _of_run(run, checkpoint, count, published, ema)
    if not path.is_dir():
        raise UserError(f"{target} is neither a run in {out}/runs nor a checkpoint nor a folder")
    if real is None:
        names = ", ".join(DATASETS.names())
        raise UserError(f"{path}: name the real images with --data; valid: {names}")
    return _of_folder(path, real, size, published)


def _of_run(
    run: Run,
    checkpoint: Path | None,
    count: int,
    published: PublishedFeatures | None,
    ema: float | None,
) -> dict[str, dict[str, Any]]:
    """Score `checkpoint`, or the best and the final weights of `run`, by file name.

    With `ema`, score the average of this length that ends with the final weights.
    """
    config, data = load_plan(run)
    _check_reals(data)
    judge = Judge(data, published=published, best_by=config.best_by)
    if config.command is not None:
        return _of_script(run, config, data, judge, count)
    gan = build_trainee(config, data)
    files = [checkpoint] if checkpoint else [run.best, run.final] if ema is None else [run.final]
    snapshots = None if ema is None else Snapshots(run)
    scores = {}
    for path in files:
        if not path.is_file():
            continue
        try:
            if path.name == run.best.name:
                load_best(run, gan)
            else:
                state = load(path)
                gan.load_state_dict(state.get("weights", state))
        except Exception as error:
            raise UserError(f"{path} cannot be read ({' '.join(str(error).split())})") from None
        name = path.name
        if snapshots is not None and ema is not None:
            load_average(snapshots, gan, ema)
            name = f"EMA {ema:g}"
        inputs = score_inputs(gan.z_dim, count, judge)
        scores[name] = judge.score(generate(gan.sample, *inputs), inputs[1])
    _print_errors(judge)
    if not scores:
        raise UserError(f"run {run.id} has no weights yet: {run.final} does not exist")
    return scores


def _of_script(
    run: Run, config: Config, data: Prepared, judge: Judge, count: int
) -> dict[str, dict[str, Any]]:
    """Score the images of the best and of the last step that a script has written.

    More images than these cannot be drawn, as gansweep does not know the script's weights.
    """
    images = {}
    try:
        last = load_finished(run, config, data)
        if run.best_images.is_file():
            images[run.best_images.name] = best_images(run)
        images["last step"] = last.last_images()
    except ValueError as error:
        raise UserError(f"run {run.id} cannot be scored: {error}") from None
    scores = {}
    for name, found in images.items():
        chosen = scored(found)[:count]
        if len(chosen) < count:
            console.print(
                f"{name}: {len(chosen)} images are scored, as a script's images cannot be drawn "
                "again and one half of a file is for the evaluation"
            )
        scores[name] = judge.score(chosen)
    _print_errors(judge)
    return scores


def _check_reals(data: Prepared) -> None:
    """Raise UserError if the data set has too few real images for the neighbourhoods."""
    if data.reals <= Neighbourhood.K:
        raise UserError(
            f"data={data.name}: {data.reals} real images are too few for a distance, which needs "
            f"at least {Neighbourhood.K + 1}"
        )


def _of_folder(
    folder: Path, real: DataConfig, size: int, published: PublishedFeatures | None
) -> dict[str, dict[str, Any]]:
    """Score the pictures in `folder` against the data set `real`."""
    data = prepare(real, size)
    _check_reals(data)
    pictures = prepare(DataConfig("images", root=str(folder), channels=data.channels), size)
    images = torch.from_numpy(pictures.array())
    if len(images) < MIN_PICTURES:
        raise UserError(
            f"{folder}: {len(images)} pictures are too few for a distance, which needs at least "
            f"{MIN_PICTURES}"
        )
    judge = Judge(data, published=published)
    scores = {str(folder): judge.score(images)}
    _print_errors(judge)
    return scores


def _print_errors(judge: Judge) -> None:
    """Print the reason for each metric without a value."""
    for name, reason in judge.errors.items():
        console.print(f"metric {name}: {reason}")
