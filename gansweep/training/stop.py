"""Ask the run of this process to stop, which writes a checkpoint after the current step and ends.

The request comes from Ctrl-C, from SIGTERM (a scheduler's warning) or from the launcher that
started the process.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from gansweep.terminal.console import console

_requested = threading.Event()


class Stopped(Exception):
    """The run has stopped because it was asked to; it can be resumed from its checkpoint."""


def request() -> None:
    """Ask the run to stop after the current step."""
    _requested.set()


def requested() -> bool:
    """Return whether the run has been asked to stop."""
    return _requested.is_set()


@contextmanager
def on_signals() -> Iterator[None]:
    """Handle Ctrl-C and SIGTERM within the `with` block.

    The first signal requests the stop; the second one raises KeyboardInterrupt. Only the main
    thread of a process can handle signals, so in any other thread nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(*_: object) -> None:
        if requested():
            raise KeyboardInterrupt
        request()
        console.print("\nthe run saves a checkpoint and stops (press Ctrl-C again to stop at once)")

    _requested.clear()
    signals = (signal.SIGINT, signal.SIGTERM)
    previous_handlers = [signal.signal(number, handle) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, previous_handlers, strict=True):
            signal.signal(number, handler)
