"""One job: a planned run trained in this process, its outcome recorded whatever happens.

Everything that makes a run robust and can be done in its own process lives here, so that every
launcher has it: going on from a checkpoint, the lock, the history, the failure's record. torch is
imported when a job starts, not before.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gansweep.config import Config, from_record
from gansweep.plugins import GENERATORS
from gansweep.store.check import number
from gansweep.store.errors import Diverged, FailedInOtherSweep, UserError, refused_by_disk
from gansweep.store.records import Failure, Result
from gansweep.store.run import Run, now, read_json, was_edited, write_json
from gansweep.terminal.console import console
from gansweep.training import stop
from gansweep.training.data import Prepared, prepare
from gansweep.training.network_source import changed_networks

if TYPE_CHECKING:
    from gansweep.training.checkpoint import Checkpoint


def one_line(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"sys.exit({error.code!r}) was called"
    return " ".join(str(error).split()) or type(error).__name__


def summary(result: Result | None) -> str:
    """What is said of a run that is done."""
    if result is None:
        return "done"
    values = [number(result, n) for n in ("seconds", "images_per_second", "loss_d", "loss_g")]
    seconds, rate, loss_d, loss_g = (math.nan if value is None else value for value in values)
    return f"{seconds:.1f} s  {rate:,.0f} images/s  loss D {loss_d:.2f} G {loss_g:.2f}"


def execute(
    run: Run,
    title: str,
    *,
    wait: bool = False,
    planned: str = "",
    place: dict[str, Any] | None = None,
    tell: Callable[[str], object] = console.print,
) -> Result:
    """Train a planned run unless it is done; record a failure before raising it.

    place: where it runs, for its history; its `device` and `threads` are used where the
    configuration leaves them open. tell: hears, in a line each, what the user should know.
    Raises Held if another process holds the run (and `wait` is not set), FailedInOtherSweep if it
    has failed since it was `planned`, Stopped if asked to stop; none of these is recorded as its
    failure.
    """
    with run.owned(wait):
        result = run.read_result()
        if result is not None and run.complete() and not _unjudged(run):
            return result
        failure = run.read_failure()
        if planned and failure is not None and failure.get("time", "") > planned:
            raise FailedInOtherSweep(f"failed in another sweep: {failure.get('error')}")
        with _recorded(run):
            return _train_or_mend(run, title, result, place or {}, tell)


@contextmanager
def _recorded(run: Run) -> Iterator[None]:
    """Whatever happens within stands in the history, a failure in `failure.json` and the log."""
    try:
        yield
    except stop.Stopped as stopped:
        run.record("ended", cause="stopped", why=str(stopped))
        raise
    except BaseException as error:
        cause = cause_of(error, run)
        # A full disk refuses these too: whoever started this process is told by the exception.
        with suppress(OSError):
            run.record("ended", cause=cause, why=one_line(error))
            if cause not in ("interrupted", "disk"):
                with run.log.open("a", encoding="utf-8") as log:
                    log.write(traceback.format_exc())
                error.logged = True  # type: ignore[attr-defined]
                record_failure(run, cause, one_line(error), type(error).__name__)
        if isinstance(error, SystemExit):  # costs this run, not the process
            raise RuntimeError(one_line(error)) from error
        raise
    run.record("ended", cause="done")


# torch.OutOfMemoryError, cuBLAS on a crowded GPU, the CPU's allocator, the kernel.
OUT_OF_MEMORY = ("out of memory", "ALLOC_FAILED", "can't allocate", "Cannot allocate memory")


def cause_of(error: BaseException, run: Run) -> str:
    """Why a run ended: what decides whether trying again could help."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, Diverged):
        return "diverged"
    if isinstance(error, MemoryError) or any(words in str(error) for words in OUT_OF_MEMORY):
        return "out of memory"
    # Where every run writes; a picture that may not be read is its own row's fault.
    place = Path(getattr(error, "filename", None) or run.folder).resolve()
    if refused_by_disk(error) and place.is_relative_to(run.folder.parent.resolve()):
        return "disk"
    return "failed"


def record_failure(run: Run, cause: str, error: str, kind: str) -> None:
    """Make the run `failed`. cause: `cause_of`'s, or `killed`; error: for the table."""
    record: Failure = {"error": error, "type": kind, "cause": cause, "time": now()}
    record["log"] = run.log_tail()
    write_json(run.failure, record)


def _unjudged(run: Run) -> bool:
    """Is it to be judged, and has it no distance?"""
    record = read_json(run.config) or {}
    return record.get("params", {}).get("judge") != "false" and not run.judged()


def _train_or_mend(
    run: Run,
    title: str,
    result: Result | None,
    place: dict[str, Any],
    tell: Callable[[str], object],
) -> Result:
    config, data = load_plan(run)
    if config.device == "auto":
        config = replace(config, device=place.get("device", "auto"))
    if config.threads is None:
        config = replace(config, threads=place.get("threads"))
    if result is not None:
        mended = _mend(run, config, data, title, result, tell)
        if mended is not None:
            return mended
    # Imported here: until a job trains, planning and help need no torch.
    from gansweep.training.train import train

    start = None if result is not None else _checkpoint(run, config, title, tell)
    step = start.step if start else 0
    run.rewind(step)
    if start is not None:
        start.put_back_best(run)
        tell(f"{title}  goes on from step {step}")
    run.record("started", step=step, **place)
    if step and config.judge != "false" and not run.read_evaluations():
        tell(f"{title}  was trained with judge=false until step {step}: it is judged from there on")
    result = train(run, config, data, title, start)
    tell(f"{title}  {summary(result)}")
    return result


def _mend(
    run: Run,
    config: Config,
    data: Prepared,
    title: str,
    result: Result,
    tell: Callable[[str], object],
) -> Result | None:
    """Give a finished run what it lacks, its picture or its distance, without training.

    Returns its result; None if its final weights cannot be read.
    """
    from gansweep.training.train import judge_finished, load_finished, redraw

    whole = run.complete()
    try:
        if changed := changed_networks(run, config):
            raise ValueError(f"{changed[0]} had other code")
        gan = load_finished(run, config, data)
    except Exception as error:
        lacking = "distance" if whole else "picture"
        why = f"{run.final.name} cannot be read ({one_line(error)})"
        tell(f"{title}  its {lacking} is missing and {why}: training it again")
        return None
    if not whole:
        redraw(run, gan)
        tell(f"{title}  its picture was missing: drawn again from the final weights")
    if _unjudged(run):
        result = judge_finished(run, config, data, gan, result)
        tell(f"{title}  was trained with judge=false: judged by its final weights")
    return result


def _checkpoint(
    run: Run, config: Config, title: str, tell: Callable[[str], object]
) -> Checkpoint | None:
    """Where an interrupted run goes on; None to begin at the beginning, as after a failure."""
    from gansweep.training.checkpoint import load_checkpoint

    failure = read_json(run.failure)
    if failure is not None and failure.get("cause") not in ("killed", "out of memory"):
        return None  # going on from a divergence or a bug would meet it again
    if run.last.exists() and (changed := changed_networks(run, config)):
        tell(f"{title}  was begun with other code of {changed[0]}: training it from the start")
        return None
    try:
        return load_checkpoint(run)
    except ValueError as error:
        tell(f"{title}  its checkpoint is damaged ({error}): training it from the start")
        return None


def load_plan(run: Run) -> tuple[Config, Prepared]:
    """The configuration of a planned run and its data set, the one it was planned with."""
    record, fault = run.examine(run.config)
    if record is None or "params" not in record:
        what = f"damaged ({fault})" if fault else "missing or damaged"
        raise UserError(f"{run.config} is {what}; type the command again")
    if was_edited(run.id, record):
        raise UserError(
            f"{run.config} has been edited: its values are not those of run {run.id}; type the "
            "sweep's command again, which writes it anew"
        )
    try:
        config = from_record(record["params"])
        planned = Prepared.from_description(record["data"])
    except (UserError, TypeError, KeyError) as error:
        raise UserError(f"{run.config} cannot be used: {one_line(error)}") from None
    if planned.ready():  # the usual case: the source is not looked at again
        return config, planned
    size = GENERATORS[config.gen].image_size
    data = prepare(config.data, size, config.limit)
    if data.sha256 != planned.sha256:
        raise UserError(
            f"data={data.name} has changed since run {run.id} was planned; type the command again"
        )
    return config, data
