"""One job: a planned run trained in this process, its outcome recorded whatever happens.

Everything that makes a run robust lives here, so that every launcher has it. torch is imported
when a job starts, not before.
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

from gansweep.config import Config, DataConfig
from gansweep.console import console
from gansweep.data import Prepared, prepare
from gansweep.errors import UserError
from gansweep.networks import GENERATORS
from gansweep.run import Run, read_json, write_json, write_text

if TYPE_CHECKING:
    from omegaconf import DictConfig


def train_planned(cfg: DictConfig, titles: dict[str, str] | None = None) -> dict[str, Any]:
    """Hydra's task function in a sweep: train the run `cfg.run_id` as it was planned.

    titles: what the screen calls the runs of this sweep, in the order of training.
    """
    run = Run(cfg.out, cfg.run_id)
    title = _title(run.id, titles or {})
    try:
        return execute(run, title)
    except Exception as error:
        console.print(f"{title}  failed: {one_line(error)}")
        raise


def _title(run_id: str, titles: dict[str, str]) -> str:
    if run_id not in titles:
        return run_id
    number = list(titles).index(run_id) + 1
    return f"[{number:>{len(str(len(titles)))}}/{len(titles)}] {titles[run_id]}"


def one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def execute(run: Run, title: str) -> dict[str, Any]:
    """Train a planned run unless it is done; record a failure before raising it.

    Raises UserError if another process holds the run; then nothing is recorded.
    """
    with run.owned():
        result = read_json(run.result)
        if result is not None and run.complete():
            return result
        try:
            return _train_or_redraw(run, title, result)
        except Exception as error:
            write_text(run.log, traceback.format_exc())
            write_json(run.failure, {"error": one_line(error), "type": type(error).__name__})
            raise


def _train_or_redraw(run: Run, title: str, result: dict[str, Any] | None) -> dict[str, Any]:
    config, data = _load_plan(run)
    # Imported here: until a job trains, planning and help need no torch.
    from gansweep.train import redraw, train

    if result is not None:
        try:
            redraw(run, config, data)
        except Exception as error:
            why = f"{run.final.name} cannot be read ({one_line(error)})"
            console.print(f"{title}  its picture is missing and {why}: training it again")
        else:
            console.print(f"{title}  its picture was missing: drawn again from the final weights")
            return result
    run.clear()
    result = train(run, config, data, title)
    console.print(
        f"{title}  {result['seconds']:.1f} s  {result['images_per_second']:,.0f} images/s  "
        f"loss D {result['loss_d']:.2f} G {result['loss_g']:.2f}"
    )
    return result


def _load_plan(run: Run) -> tuple[Config, Prepared]:
    """The configuration of a planned run and its data set, the one it was planned with."""
    record = read_json(run.config)
    if record is None:
        raise UserError(f"{run.config} is missing or damaged; type the command again")
    params = record["params"]
    config = Config(**{**params, "data": DataConfig(**params["data"])})
    planned = Prepared.of(record["data"])
    if planned.ready():  # the usual case: the source is not looked at again
        return config, planned
    size = GENERATORS[config.gen].image_size
    data = prepare(config.data, size, config.limit)
    if data.sha256 != planned.sha256:
        raise UserError(
            f"data={data.name} has changed since run {run.id} was planned; type the command again"
        )
    return config, data
