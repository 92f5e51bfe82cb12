"""Train a planned run in this process and record its outcome, which is called a job.

This module resumes the run from its checkpoint, holds its lock, and writes its history and the
record of a failure. All of this takes place in the process of the run, so it works under every
launcher. torch is imported only when a job starts.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gansweep.components import component_of, identity_of, own_values
from gansweep.config import Config, from_record
from gansweep.store.errors import (
    Diverged,
    FailedInOtherSweep,
    Held,
    Killed,
    ScriptFailed,
    UserError,
    out_of_memory,
    refused_by_disk,
)
from gansweep.store.records import Failure, Result, Score
from gansweep.store.run import Run, now, read_json, was_edited, write_json
from gansweep.terminal.console import console
from gansweep.training import stop
from gansweep.training.data import Prepared, prepare
from gansweep.training.metrics.registered import missing_metrics
from gansweep.training.network_source import changed_networks
from gansweep.training.summary import summary

if TYPE_CHECKING:
    from gansweep.training.checkpoint import Checkpoint


def one_line(error: BaseException) -> str:
    """Return the message of `error` in one line, or its type if the message is empty."""
    if isinstance(error, SystemExit):
        return f"sys.exit({error.code!r}) was called"
    return " ".join(str(error).split()) or type(error).__name__


def execute(
    run: Run,
    title: str,
    *,
    wait: bool = False,
    planned: str = "",
    place: dict[str, Any] | None = None,
    tell: Callable[[str], object] = console.print,
) -> Result:
    """Train a planned run unless it is done, and return its result.

    With `wait`, the job waits for another process that holds the run. `planned` is the time at
    which the run was planned, and an empty text disables the check for later failures. `place` says
    where the run is trained, for the history; its `device` and `threads` apply if the configuration
    leaves them open. `tell` is called with each line for the user. Raises Held if another process
    holds the run or has taken it over, FailedInOtherSweep if the run has failed since `planned`,
    and Stopped if the process is asked to stop; these three are not failures of the run. Any other
    error is recorded as the failure of the run, except an interruption and a disk that refuses to
    write, and is then raised.
    """
    with run.owned(wait, on_loss=stop.request):
        result = run.read_result()
        if result is not None and finished(run):
            return result
        failure = run.read_failure()
        if planned and failure is not None and failure.get("time", "") > planned:
            raise FailedInOtherSweep(f"failed in another sweep: {failure.get('error')}")
        with _recorded(run):
            return _train_or_repair(run, title, result, place or {}, tell)


@contextmanager
def _recorded(run: Run) -> Iterator[None]:
    """Record how the `with` block ends in the history, and a failure in its file and the log.

    A SystemExit is raised as RuntimeError, so that it ends only the run and not the process.
    """
    try:
        yield
    except Held:  # another process has taken over, and writes the history
        raise
    except stop.Stopped as stopped:
        run.record("ended", cause="stopped", why=str(stopped))
        raise
    except BaseException as error:
        cause = cause_of(error, run)
        # A full disk refuses these records too; the launcher then learns the cause from the error.
        with suppress(OSError):
            run.record("ended", cause=cause, why=one_line(error))
            if cause not in ("interrupted", "disk"):
                if not isinstance(error, ScriptFailed):  # the log has the script's own words
                    with run.log.open("a", encoding="utf-8") as log:
                        log.write(traceback.format_exc())
                error.logged = True  # type: ignore[attr-defined]
                record_failure(run, cause, one_line(error), type(error).__name__)
        if isinstance(error, SystemExit):
            raise RuntimeError(one_line(error)) from error
        raise
    run.record("ended", cause="done")


def cause_of(error: BaseException, run: Run) -> str:
    """Return why a run ended, which decides whether a retry could help.

    The causes are `interrupted`, `diverged`, `killed`, `out of memory`, `disk` and `failed`.
    """
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, Diverged):
        return "diverged"
    if isinstance(error, Killed):
        return "killed"
    if out_of_memory(error):
        return "out of memory"
    # Only an error below the folder of all runs ends every run; an unreadable picture ends one run.
    place = Path(getattr(error, "filename", None) or run.folder).resolve()
    if refused_by_disk(error) and place.is_relative_to(run.folder.parent.resolve()):
        return "disk"
    return "failed"


def record_failure(run: Run, cause: str, error: str, kind: str) -> None:
    """Write the record that makes the run `failed`.

    `cause` is that of `cause_of`, or `killed` or `crashed`; `error` is the text for the table, and
    `kind` is the type of the exception.
    """
    record: Failure = {"error": error, "type": kind, "cause": cause, "time": now()}
    record["log"] = run.log_tail()
    write_json(run.failure, record)


def finished(run: Run) -> bool:
    """Return whether nothing is left to train, to draw, to judge or to measure."""
    return run.complete() and not _unjudged(run) and not _missing(run)


def _unjudged(run: Run) -> bool:
    """Return whether the configuration asks for the judge and the result has no judgement."""
    record = read_json(run.config) or {}
    return record.get("params", {}).get("judge") != "false" and not run.judged()


def _missing(run: Run) -> list[str]:
    """Return the metrics that the score of a finished run lacks."""
    record = read_json(run.config) or {}
    return missing_metrics(run.judged(), record.get("data", {}).get("name", ""))


def _train_or_repair(
    run: Run,
    title: str,
    result: Result | None,
    place: dict[str, Any],
    tell: Callable[[str], object],
) -> Result:
    """Complete a run that has a result, or train a run that has none, and return the result."""
    config, data = load_plan(run)
    if config.device == "auto":
        config = replace(config, device=place.get("device", "auto"))
    if config.threads is None:
        config = replace(config, threads=place.get("threads"))
    if result is not None:
        whole = run.complete() and not _unjudged(run)
        repaired = result if whole else _repair(run, config, data, title, result, tell)
        if repaired is not None:
            return _measure_missing(run, config, data, title, repaired, tell)
    # These imports are late because planning and help need no torch.
    if config.command is not None:
        from gansweep.training.script.run import resumes, train_script

        resumed = result is None and resumes(run, config)
        result = train_script(run, config, data, title, resumed, place, tell)
        _tell_errors(result, title, tell)
        tell(f"{title}  {summary(result)}")
        return result
    from gansweep.training.train import train

    start = None if result is not None else _checkpoint(run, config, title, tell)
    step = start.step if start else 0
    run.rewind(step)
    if start is not None:
        start.put_back_best(run)
        tell(f"{title}  resumes from step {step}")
    run.record("started", step=step, **place)
    if step and config.judge != "false" and not run.read_evaluations():
        tell(f"{title}  was trained with judge=false until step {step}; later steps are evaluated")
    result = train(run, config, data, title, start, tell)
    _tell_errors(result, title, tell)
    tell(f"{title}  {summary(result)}")
    return result


def _check_networks(run: Run, config: Config) -> None:
    """Raise ValueError if the code of a network has changed since the run was trained."""
    if changed := changed_networks(run, config):
        raise ValueError(f"the code of {changed[0]} has changed")


def _completing(config: Config) -> Any:
    """Return the module that completes finished runs: of scripts by images, else by weights."""
    if config.command is not None:
        from gansweep.training.script import finished

        return finished
    from gansweep.training import train

    return train


def _repair(
    run: Run,
    config: Config,
    data: Prepared,
    title: str,
    result: Result,
    tell: Callable[[str], object],
) -> Result | None:
    """Draw the missing picture, or measure the missing distance, of a finished run.

    Returns the result of the run, or None if its final weights cannot be used and the run must be
    trained again.
    """
    finished = _completing(config)
    what, file = ("final weights", run.final.name)
    if config.command is not None:
        what, file = ("images", run.script.name)
    has_picture = run.complete()
    try:
        _check_networks(run, config)
        gan = finished.load_finished(run, config, data)
    except Exception as error:
        missing = "distance" if has_picture else "picture"
        reason = f"{file} cannot be used ({one_line(error)})"
        tell(f"{title}  has no {missing} and is trained again, as {reason}")
        return None
    if not has_picture:
        finished.redraw(run, gan)
        tell(f"{title}  had no picture; the picture was drawn again from the {what}")
    if _unjudged(run):
        result = finished.judge_finished(run, config, data, gan, result)
        tell(f"{title}  was trained with judge=false; its {what} were judged")
        _tell_errors(result, title, tell)
    return result


def _measure_missing(
    run: Run,
    config: Config,
    data: Prepared,
    title: str,
    result: Result,
    tell: Callable[[str], object],
) -> Result:
    """Measure the metrics that the score of a finished run lacks, by its best weights.

    Returns the result. The run is never trained again: if its weights cannot be used, the metrics
    are null, with the reason. If the device or a feature net is missing, nothing is written, so
    that a later command can measure them.
    """
    missing, judge = _missing(run), result.get("judge")
    if not missing or not judge:
        return result
    try:
        _check_networks(run, config)
        measured = _completing(config).measure_finished(run, config, data, judge, missing)
        best = "weights" if config.command is None else "images"
        tell(f"{title}  was finished; its best {best} were measured by {', '.join(missing)}")
    except UserError as error:
        tell(f"{title}  cannot be measured by {', '.join(missing)}: {error}")
        return result
    except Exception as error:
        if cause_of(error, run) in ("out of memory", "disk"):
            raise
        reason = f"the finished run cannot be measured ({one_line(error)})"
        absent = cast("Score", {**dict.fromkeys(missing), **judge["score"]})
        errors = {**judge.get("errors", {}), **dict.fromkeys(missing, reason)}
        measured = {**judge, "score": absent, "errors": errors}
    completed = cast("Result", {**result, "judge": measured})
    run.finish(completed)
    errors = measured.get("errors", {})
    for name in missing:
        if name in errors:
            tell(f"{title}  metric {name}: {errors[name]}")
    return completed


def _tell_errors(result: Result, title: str, tell: Callable[[str], object]) -> None:
    """Tell the user for each metric without a value the reason."""
    judge = result.get("judge")
    for name, reason in judge.get("errors", {}).items() if judge else ():
        tell(f"{title}  metric {name}: {reason}")


def _checkpoint(
    run: Run, config: Config, title: str, tell: Callable[[str], object]
) -> Checkpoint | None:
    """Return the checkpoint from which an interrupted run resumes.

    Returns None if the run must be trained from the start: without a usable checkpoint, after a
    change of a network's code, and after a failure other than a kill or a shortage of memory.
    """
    from gansweep.training.checkpoint import load_checkpoint

    failure = read_json(run.failure)
    if failure is not None and failure.get("cause") not in ("killed", "out of memory"):
        return None  # A resumed run would diverge again, or meet the same bug.
    if run.last.exists() and (changed := changed_networks(run, config)):
        tell(f"{title}  is trained from the start, as the code of {changed[0]} has changed")
        return None
    try:
        return load_checkpoint(run)
    except ValueError as error:
        tell(f"{title}  is trained from the start, as its checkpoint is damaged ({error})")
        return None


def load_plan(run: Run) -> tuple[Config, Prepared]:
    """Return the configuration of a planned run, and the data set with which it was planned.

    Raises UserError if config.json is missing, damaged or edited, or if the data have changed.
    """
    config, planned = read_plan(run)
    if planned.ready():  # In this usual case, the source of the data is not read again.
        return config, planned
    options = own_values(config, "data")
    data = prepare(config.data, planned.size, config.limit, options, config.labels)
    if (data.sha256, data.labels_sha256) != (planned.sha256, planned.labels_sha256):
        raise UserError(
            f"data={data.name} has changed since run {run.id} was planned; type the command again"
        )
    return config, data


def read_plan(run: Run) -> tuple[Config, Prepared]:
    """Return the same as `load_plan`, but the data may be missing on this machine.

    Raises UserError if config.json is missing, damaged or edited.
    """
    record, fault = run.examine(run.config)
    if record is None or "params" not in record:
        state = f"damaged ({fault})" if fault else "missing or damaged"
        raise UserError(f"{run.config} is {state}; type the command again")
    if was_edited(run.id, record):
        raise UserError(
            f"{run.config} has been edited: its values are not those of run {run.id}; type the "
            "sweep's command again, which writes the file again"
        )
    try:
        config = from_record(record["params"])
        planned = Prepared.from_description(record["data"])
    except (UserError, TypeError, KeyError) as error:
        raise UserError(f"{run.config} cannot be used: {one_line(error)}") from None
    check_code(run.id, config, record["identity"])
    return config, planned


def check_code(run_id: str, config: Config, identity: Mapping[str, Any]) -> None:
    """Raise UserError if a component's code has changed since the run was planned."""
    for name, code in identity_of(config).items():
        if name.endswith(".code") and identity.get(name, code) != code:
            kind = name.partition(".")[0]
            raise UserError(
                f"the code of {kind}={component_of(config, kind)} has changed since run {run_id} "
                "was planned; type the command again"
            )
