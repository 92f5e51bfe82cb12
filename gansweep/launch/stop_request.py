"""Receives the signals that stop a sweep: Ctrl-C, a scheduler's SIGTERM, a closed terminal."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

WARNING = signal.SIGUSR2  # the signal that Slurm sends to a worker before a job's time is over


class StopRequest:
    """Counts the signals that ask this process to stop.

    times: how many were received.
    """

    def __init__(self) -> None:
        self.times = 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Count signals within the context; a second Ctrl-C raises KeyboardInterrupt.

        Other repeated signals are only counted, since schedulers and terminals send theirs more
        than once for one event. Outside the main thread, which alone receives signals, nothing
        changes.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        # Signals that already have a handler keep that handler: nohup ignores SIGHUP, and submitit
        # handles SIGTERM.
        default = (signal.SIG_DFL, signal.default_int_handler)
        numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
        handled = [number for number in numbers if signal.getsignal(number) in default]
        before = [signal.signal(number, self._on_signal) for number in handled]
        try:
            yield
        finally:
            for number, handler in zip(handled, before, strict=True):
                signal.signal(number, handler)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if self.times and number == signal.SIGINT:
            raise KeyboardInterrupt
        if number == signal.SIGHUP and not self.times:  # the terminal is closed: print to nowhere
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            os.close(null)
        self.times += 1
