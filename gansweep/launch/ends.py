"""Why a job has ended, in the words of the retry policy and in those for the screen."""

from __future__ import annotations

from contextlib import suppress

from gansweep.launch.child import Ended
from gansweep.store.errors import FailedInOtherSweep, Held
from gansweep.store.run import Run
from gansweep.training import stop
from gansweep.training.job import cause_of, one_line

# What a retried run does, by the cause of an error; all others resume.
RETRIED = {"out of memory": "retries alone on its device", "killed": "starts again"}


def cause_of_end(ended: Ended, run: Run, stopping: bool) -> tuple[str, str]:
    """Return why a job has ended, for the policy in retry.py, and in words for the screen."""
    error = ended.error
    if ended.returned or (error is None and run.complete()):
        return "done", ""
    if isinstance(error, Held):
        return "held", ""
    if isinstance(error, FailedInOtherSweep):
        return "failed elsewhere", one_line(error)
    if isinstance(error, stop.Stopped) or (stopping and error is None):
        return "stopped", "was preempted"
    if error is None:
        return "killed" if ended.killed else "crashed", ended.how()
    cause = cause_of(error, run)
    return cause, "ran out of memory" if cause == "out of memory" else one_line(error)


def checkpointed(run: Run) -> int:
    """Return the time of the run's checkpoint in ns, or 0 if there is none."""
    with suppress(OSError):
        return run.last.stat().st_mtime_ns
    return 0
