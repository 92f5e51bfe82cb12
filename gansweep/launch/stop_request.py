"""Hearing that a sweep should stop: Ctrl-C, a scheduler's SIGTERM, a closed terminal."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """times: how often this process was asked to stop."""

    def __init__(self) -> None:
        self.times = 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Within: the first signal is counted, a second Ctrl-C is KeyboardInterrupt.

        Schedulers and terminals send theirs more than once for one event. Only a main thread can
        hear signals; elsewhere nothing changes.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        heeded = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
        # Not those that somebody has a use for: nohup ignores one, submitit waits for another.
        default = (signal.SIG_DFL, signal.default_int_handler)
        heeded = [s for s in heeded if signal.getsignal(s) in default]
        before = [signal.signal(number, self._heard) for number in heeded]
        try:
            yield
        finally:
            for number, handler in zip(heeded, before, strict=True):
                signal.signal(number, handler)

    def _heard(self, number: int, _: FrameType | None) -> None:
        if self.times and number == signal.SIGINT:
            raise KeyboardInterrupt
        if number == signal.SIGHUP and not self.times:  # nobody reads what is printed
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            os.close(null)
        self.times += 1
