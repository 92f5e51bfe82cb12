"""The policy about runs that have ended: which are retried, and which have failed.

It needs no processes and no files, so that every launcher and every worker has the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from gansweep.store.records import Event

RETRIES = 2  # retries of a run that is killed without having written a new checkpoint


class Action(Enum):
    """What follows the end of a run's job."""

    DONE = "done"
    WAIT = "held"  # another process trains the run
    RETRY = "retry"
    RETRY_ALONE = "retry alone on its device"
    FAIL = "failed"
    PRUNE = "pruned"
    STOP = "stopped"  # with the sweep; it can be resumed
    HALT = "halt"  # no run can be trained: the sweep stops


def decide(
    cause: str, *, stopping: bool = False, pruned: bool = False, alone: bool = False, kills: int = 0
) -> Action:
    """Return what follows the end of a job.

    cause: that of `training.job.cause_of`, or `done`, `held`, `failed elsewhere`, `stopped` or
    `crashed`; stopping: whether the sweep stops; pruned: whether the search has ended this run;
    alone: whether the run had its device for itself; kills: how often the run was killed without a
    new checkpoint in between.
    """
    if cause == "done":
        return Action.DONE
    if cause == "held":
        return Action.WAIT
    if cause == "stopped":
        if pruned:
            return Action.PRUNE
        return Action.STOP if stopping else Action.RETRY  # SIGTERM from a scheduler or a person
    if cause == "disk":
        return Action.HALT
    if cause == "out of memory" and not alone:
        return Action.RETRY_ALONE
    if cause == "killed" and kills <= RETRIES:
        return Action.RETRY
    return Action.FAIL


def lost_attempts(history: Sequence[Event]) -> int:
    """Return how many of the latest attempts have begun at one step and have no recorded end.

    Such an attempt ended with its whole machine, so that no process was left to record it.
    """
    lost = 0
    step = None
    for event in reversed(history):
        if event["event"] != "started" or (lost and event.get("step") != step):
            return lost
        lost, step = lost + 1, event.get("step")
    return lost
