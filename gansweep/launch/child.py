"""The job's side of its process: receive a function, call it, answer what became of it."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from gansweep.store.errors import Held
from gansweep.training import stop

STOP = "stop"
GRACE = 60.0  # seconds a job has for its checkpoint when its sweep has died


@dataclass
class Ended:
    """How a job's process ended.

    result: what the function returned, if it did; error: what it raised, else. Without both it
    died: `exit_code` as in `subprocess`, negative for a signal. out_of_memory: the kernel killed
    somebody for memory meanwhile, and a job that was killed was probably it.
    """

    result: Any = None
    error: BaseException | None = None
    exit_code: int | None = None
    returned: bool = False
    out_of_memory: bool = False

    def how(self) -> str:
        """Of a process that died: `killed by SIGKILL`, `exited with code 3`."""
        if self.exit_code is None:
            return "its process is gone"
        if self.exit_code >= 0:
            return f"its process exited with code {self.exit_code}"
        with suppress(ValueError):
            name = signal.Signals(-self.exit_code).name
            memory = " when memory ran out" if self.out_of_memory else ""
            return f"killed by {name}{memory}"
        return f"killed by signal {-self.exit_code}"

    @property
    def killed(self) -> bool:
        """Was it ended from outside, by no fault of its own?"""
        outside = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
        return not self.returned and self.error is None and -(self.exit_code or 0) in outside


def run_job(connection: Connection) -> None:
    """In the new process: receive a function, call it, answer what became of it."""
    os.setsid()  # Ctrl-C reaches the sweep alone, which asks its jobs to stop
    signal.signal(signal.SIGTERM, lambda *_: stop.request())
    try:
        function, arguments, log, environment = connection.recv()
    except (EOFError, OSError):  # the sweep was killed meanwhile
        os._exit(1)
    except Exception as error:  # what cannot be unpickled here
        connection.send(Ended(error=_portable(error)))
        os._exit(0)
    os.environ.update(environment)  # before anything here has touched CUDA
    if log is not None:
        try:
            _redirect(log)
        except OSError:  # of a disk that refuses it the answer tells
            _redirect(Path(os.devnull))
    faulthandler.enable()
    threading.Thread(target=_listen, args=(connection,), daemon=True).start()
    try:
        answer = Ended(result=function(*arguments), returned=True)
    except BaseException as error:
        if not isinstance(error, stop.Stopped | Held) and not hasattr(error, "logged"):
            traceback.print_exc()
        answer = Ended(error=_portable(error))
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    with suppress(OSError):  # nobody listens any more
        connection.send(answer)
    os._exit(0)


def _redirect(log: Path) -> None:
    """What this process prints, natively too, goes to the log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)


def _listen(connection: Connection) -> None:
    """Stop when asked to, or when the sweep has died."""
    try:
        while connection.recv() != STOP:
            pass
        stop.request()
        connection.recv()  # waits for the end of the sweep
    except (EOFError, OSError):
        stop.request()
        time.sleep(GRACE)
        os._exit(1)


def _portable(error: BaseException) -> BaseException:
    """The error, if it survives pickling; else one of our own that says the same."""
    import pickle

    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
