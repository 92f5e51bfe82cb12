"""Asking the run of this process to stop: it writes a checkpoint at its next step and ends.

Who asks: Ctrl-C and SIGTERM (a scheduler's warning), or the launcher that started the process.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from gansweep.terminal.console import console

_requested = threading.Event()


class Stopped(Exception):
    """The run stopped when asked to; its checkpoint is the place to go on from."""


def request() -> None:
    """Let the run stop at its next step."""
    _requested.set()


def requested() -> bool:
    return _requested.is_set()


@contextmanager
def on_signals() -> Iterator[None]:
    """Within: the first Ctrl-C or SIGTERM requests the stop, a second one is KeyboardInterrupt.

    Only a main thread can hear signals; elsewhere nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def heard(*_: object) -> None:
        if requested():
            raise KeyboardInterrupt
        request()
        console.print("\nstopping at the next step, with a checkpoint (Ctrl-C: at once)")

    _requested.clear()
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, heard) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
