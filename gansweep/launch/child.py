"""The process of a job: it receives a function, calls it and sends back how the call ended."""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from gansweep.store.errors import Held
from gansweep.training import stop

STOP = "stop"
GRACE = 60.0  # seconds that a job has for its checkpoint after its sweep died


@dataclass
class Ended:
    """The end of a job's process.

    returned: whether the function returned; result: its return value; error: the exception that it
    raised. Without a return and an error, the process died. exit_code: the exit code as in
    `subprocess`, negative for a signal, or None if it is unknown; out_of_memory: whether the job
    was killed and the kernel killed a process for lack of memory while the job ran.
    """

    result: Any = None
    error: BaseException | None = None
    exit_code: int | None = None
    returned: bool = False
    out_of_memory: bool = False

    def how(self) -> str:
        """Return how the process died: `killed by SIGKILL` or `its process exited with code 3`."""
        if self.exit_code is None:
            return "its process ended with an unknown exit code"
        if self.exit_code >= 0:
            return f"its process exited with code {self.exit_code}"
        with suppress(ValueError):
            name = signal.Signals(-self.exit_code).name
            memory = " when memory ran out" if self.out_of_memory else ""
            return f"killed by {name}{memory}"
        return f"killed by signal {-self.exit_code}"

    @property
    def killed(self) -> bool:
        """Whether a signal from outside ended the process."""
        outside = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
        return not self.returned and self.error is None and -(self.exit_code or 0) in outside


def run_job(connection: Connection) -> None:
    """Receive a function in the new process, call it, send back an `Ended`, and exit."""
    os.setsid()  # Ctrl-C then reaches only the sweep, which asks its jobs to stop
    signal.signal(signal.SIGTERM, lambda *_: stop.request())
    try:
        function, arguments, log, environment = connection.recv()
    except (EOFError, OSError):  # the sweep was killed meanwhile
        os._exit(1)
    except Exception as error:  # a function or an argument that cannot be unpickled here
        connection.send(Ended(error=portable(error)))
        os._exit(0)
    os.environ.update(environment)  # before CUDA is initialized
    if log is not None:
        try:
            _redirect(log)
        except OSError:  # the job's answer reports the disk's error
            _redirect(Path(os.devnull))
    faulthandler.enable()
    threading.Thread(target=_listen, args=(connection,), daemon=True).start()
    try:
        answer = Ended(result=function(*arguments), returned=True)
    except BaseException as error:
        if not isinstance(error, stop.Stopped | Held) and not hasattr(error, "logged"):
            traceback.print_exc()
        answer = Ended(error=portable(error))
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    with suppress(OSError):  # the sweep has ended
        connection.send(answer)
    os._exit(0)


def _redirect(log: Path) -> None:
    """Append all output of this process to the log, including that of native code."""
    log.parent.mkdir(parents=True, exist_ok=True)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)


def _listen(connection: Connection) -> None:
    """Request a stop when the sweep asks for one or dies; after its death, exit after GRACE."""
    try:
        while connection.recv() != STOP:
            pass
        stop.request()
        connection.recv()  # blocks until the sweep ends
    except (EOFError, OSError):
        stop.request()
        time.sleep(GRACE)
        os._exit(1)


def portable(
    error: BaseException, dumps: Callable[[BaseException], bytes] = pickle.dumps
) -> BaseException:
    """Return the error, or a RuntimeError with its text if `dumps` cannot pickle the error."""
    try:
        pickle.loads(dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
