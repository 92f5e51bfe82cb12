"""Forward a run to its loggers while it trains, as a callback of Lightning's Trainer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl

from gansweep.config import Config
from gansweep.declare import items
from gansweep.store.errors import Diverged
from gansweep.store.run import Run
from gansweep.training import stop


class Forwarding(pl.Callback):
    """This callback forwards what the other callbacks have written to the run's files.

    It waits SECONDS between two calls, and longer if a call is slow, so that a remote tracker costs
    no more than SHARE of the training.
    """

    SECONDS = 2.0
    SHARE = 0.02

    def __init__(self, forward: Callable[[], object]) -> None:
        self.forward = forward
        self._next = 0.0

    def on_train_batch_end(
        self, trainer: pl.Trainer, gan: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.tick()

    def tick(self) -> None:
        """Forward what is new, unless the last call was a moment ago."""
        started = time.monotonic()
        if started < self._next:
            return
        self.forward()
        ended = time.monotonic()
        self._next = ended + max(self.SECONDS, (ended - started) / self.SHARE)


@contextmanager
def forwarding(
    run: Run, config: Config, warn: Callable[[str], object]
) -> Iterator[list[Forwarding]]:
    """Open the loggers of `config.logger`, yield their callback, and close them at the end.

    Without loggers there is no callback. warn: receives a line for a logger that fails, which does
    not end the run.
    """
    if config.logger is None:
        yield []
        return
    from gansweep.training.loggers.follower import Follower

    def failed(name: str, error: Exception) -> None:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        warn(
            f"logger={name} failed and gets nothing more of this run ({reason}); "
            f"python -m gansweep export {run.id} --to {name} sends the rest"
        )

    follower = Follower(run, items(config.logger), failed)
    try:
        yield [Forwarding(follower.forward)]
    except BaseException as error:
        follower.close(_status(error))
        raise
    follower.close("done")


def _status(error: BaseException) -> str:
    """Return the status of a run that ended with an error."""
    if isinstance(error, Diverged):
        return "diverged"
    interrupted = isinstance(error, stop.Stopped | KeyboardInterrupt)
    return "interrupted" if interrupted else "failed"
