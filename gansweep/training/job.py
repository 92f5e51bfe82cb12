"""One job: a planned run trained in this process, its outcome recorded whatever happens.

Everything that makes a run robust and can be done in its own process lives here, so that every
launcher has it: going on from a checkpoint, the lock, the history, the failure's record. torch is
imported when a job starts, not before.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gansweep.config import Config, from_record
from gansweep.plugins import GENERATORS
from gansweep.store.errors import Diverged, FailedElsewhere, UserError, refused_by_disk
from gansweep.store.run import Run, now, read_json, was_edited, write_json
from gansweep.terminal.console import console
from gansweep.training import stop
from gansweep.training.data import Prepared, prepare

if TYPE_CHECKING:
    from gansweep.training.checkpoint import Checkpoint


def one_line(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"sys.exit({error.code!r}) was called"
    return " ".join(str(error).split()) or type(error).__name__


def summary(result: dict[str, Any]) -> str:
    """What is said of a run that is done."""
    return (
        f"{result['seconds']:.1f} s  {result['images_per_second']:,.0f} images/s  "
        f"loss D {result['loss_d']:.2f} G {result['loss_g']:.2f}"
    )


def execute(
    run: Run,
    title: str,
    *,
    wait: bool = False,
    planned: str = "",
    place: dict[str, Any] | None = None,
    tell: Callable[[str], object] = console.print,
) -> dict[str, Any]:
    """Train a planned run unless it is done; record a failure before raising it.

    place: where it runs, for its history; its `device` and `threads` are used where the
    configuration leaves them open. tell: hears, in a line each, what the user should know.
    Raises Held if another process holds the run (and `wait` is not set), FailedElsewhere if it
    has failed since it was `planned`, Stopped if asked to stop; none of these is recorded as its
    failure.
    """
    with run.owned(wait):
        result = read_json(run.result)
        if result is not None and run.complete():
            return result
        failure = read_json(run.failure)
        if planned and failure is not None and failure.get("time", "") > planned:
            raise FailedElsewhere(f"failed in another sweep: {failure.get('error')}")
        with _recorded(run):
            return _train_or_redraw(run, title, result, place or {}, tell)


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
    record: dict[str, Any] = {"error": error, "type": kind, "cause": cause, "time": now()}
    record["log"] = run.last_words()
    write_json(run.failure, record)


def _train_or_redraw(
    run: Run,
    title: str,
    result: dict[str, Any] | None,
    place: dict[str, Any],
    tell: Callable[[str], object],
) -> dict[str, Any]:
    config, data = load_plan(run)
    if config.device == "auto":
        config = replace(config, device=place.get("device", "auto"))
    if config.threads is None:
        config = replace(config, threads=place.get("threads"))
    # Imported here: until a job trains, planning and help need no torch.
    from gansweep.training.train import redraw, train

    if result is not None:
        try:
            redraw(run, config, data)
        except Exception as error:
            why = f"{run.final.name} cannot be read ({one_line(error)})"
            tell(f"{title}  its picture is missing and {why}: training it again")
        else:
            tell(f"{title}  its picture was missing: drawn again from the final weights")
            return result
    start = None if result is not None else _checkpoint(run, title, tell)
    step = start.step if start else 0
    run.rewind(step)
    if step:
        tell(f"{title}  goes on from step {step}")
    run.record("started", step=step, **place)
    result = train(run, config, data, title, start)
    tell(f"{title}  {summary(result)}")
    return result


def _checkpoint(run: Run, title: str, tell: Callable[[str], object]) -> Checkpoint | None:
    """Where an interrupted run goes on; None to begin at the beginning, as after a failure."""
    from gansweep.training.checkpoint import load_checkpoint

    failure = read_json(run.failure)
    if failure is not None and failure.get("cause") not in ("killed", "out of memory"):
        return None  # going on from a divergence or a bug would meet it again
    try:
        return load_checkpoint(run)
    except ValueError as error:
        tell(f"{title}  its checkpoint is damaged ({error}): training it from the start")
        return None


def load_plan(run: Run) -> tuple[Config, Prepared]:
    """The configuration of a planned run and its data set, the one it was planned with."""
    record = read_json(run.config)
    if record is None:
        raise UserError(f"{run.config} is missing or damaged; type the command again")
    if was_edited(run.id, record):
        raise UserError(
            f"{run.config} has been edited: its values are not those of run {run.id}; type the "
            "sweep's command again, which writes it anew"
        )
    config = from_record(record["params"])
    planned = Prepared.from_description(record["data"])
    if planned.ready():  # the usual case: the source is not looked at again
        return config, planned
    size = GENERATORS[config.gen].image_size
    data = prepare(config.data, size, config.limit)
    if data.sha256 != planned.sha256:
        raise UserError(
            f"data={data.name} has changed since run {run.id} was planned; type the command again"
        )
    return config, data
