"""A job in a process of its own, forked from a warm server; how it ended is always known."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from gansweep.launch.child import STOP, Ended
from gansweep.launch.forkserver import ForkServer, exit_code
from gansweep.store.errors import UserError

PRELOAD = "gansweep.launch.preload"
SERVER_DIES = (
    "the server from which runs are forked ends while it imports torch: there is too little memory "
    "(ulimit -v shows a limit), or python -c 'import torch' fails too"
)
_PR_SET_CHILD_SUBREAPER = 36
_OOM_KILLS = Path("/proc/vmstat")

# One server for this process.
_server: ForkServer | None = None
_servers_lost = 0  # that were killed
_preload = PRELOAD


def warm_up(preload: str = PRELOAD) -> None:
    """Start the server now: it imports while the caller goes on."""
    global _preload
    if preload != _preload:
        shut_down()
    _preload = preload
    _adopt_orphans()
    keep_warm()


def keep_warm() -> ForkServer:
    """The server; started again if it was killed, so that it imports before it is needed."""
    global _server, _servers_lost
    if _server is None or not _server.alive():
        if _server is not None:
            _servers_lost += 1
            _server.close()
        _server = ForkServer(_preload)
    return _server


def server_pid() -> int | None:
    """The server's process; None if there is none."""
    return None if _server is None else _server.pid


def _adopt_orphans() -> None:
    """Jobs whose server was killed become our children: their exit codes reach us (Linux)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap_strays(known: set[int]) -> None:
    """Reap orphans that nobody waits for: forked by a server that died before it said so.

    known: the jobs that are waited for. Where no server has died there are none, and the children
    of whoever uses this as a library are theirs. macOS gives us no orphans, and has no `waitid`
    before Python 3.13.
    """
    if not _servers_lost or not hasattr(os, "waitid"):
        return
    with suppress(ChildProcessError):
        while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if found.si_pid in known | {server_pid()}:
                return  # it is told of only once it is reaped; its turn comes
            os.waitpid(found.si_pid, os.WNOHANG)


def shut_down() -> None:
    """End the server. Its jobs must have ended."""
    global _server, _servers_lost
    if _server is not None:  # it may still be importing for jobs that never came
        _server.close()
        _server = None
    _servers_lost = 0


class Process:
    """A running job.

    Its end is told by its own pipe, not by the server: a job outlives a killed server, and no
    job outlives its sweep by more than a checkpoint.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        *,
        log: Path | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.started = time.monotonic()
        self._oom_kills = _oom_kills()
        for attempt in range(5):
            try:
                self.pid, self.connection, self._end = keep_warm().fork()
                break
            except OSError:  # the server was killed
                if attempt == 4:
                    raise UserError(SERVER_DIES) from None
                time.sleep(0.1 * 2**attempt)
        self._answer: Ended | None = None
        with suppress(OSError):  # it was killed at once
            self.connection.send((function, arguments, log, environment or {}))

    def stop(self) -> None:
        """Ask it to write a checkpoint and end. One that somebody has suspended goes on for it."""
        with suppress(OSError):
            self.connection.send(STOP)
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, with whatever it has started."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            if os.getpgid(self.pid) == self.pid:
                os.killpg(self.pid, number)
            else:  # it has only just been forked
                os.kill(self.pid, number)

    def ended(self) -> Ended | None:
        """How it ended; None while it runs. Reaps the process."""
        try:
            if not self.connection.poll():
                return None
            self._answer = self.connection.recv()
            return None  # it is about to close the pipe
        except (EOFError, OSError):
            pass
        except Exception as error:  # an answer that cannot be unpickled here
            self._answer = Ended(error=error)
            return None
        self.connection.close()
        ended = self._answer or Ended()
        ended.exit_code = self._reap()
        ended.out_of_memory = ended.killed and _oom_kills() > self._oom_kills
        return ended

    def _reap(self) -> int | None:
        code = exit_code(self._end, 10)
        os.close(self._end)
        if code is None:  # perhaps the server was killed: then the job is our child now
            with suppress(ChildProcessError):
                for _ in range(100):
                    pid, status = os.waitpid(self.pid, os.WNOHANG)
                    if pid:
                        return os.waitstatus_to_exitcode(status)
                    time.sleep(0.1)
        return code


def _oom_kills() -> int:
    """How often the kernel has killed for memory since the machine started."""
    with suppress(OSError, ValueError, IndexError):
        return int(_OOM_KILLS.read_text().split("\noom_kill ")[1].split()[0])
    return 0
