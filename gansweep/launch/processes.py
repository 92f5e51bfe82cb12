"""Processes of jobs, forked from a server that has imported torch, and the ways they ended."""

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

# This process has one server.
_server: ForkServer | None = None
_servers_lost = 0  # the number of servers that were killed
_preload = PRELOAD


def warm_up(preload: str = PRELOAD) -> None:
    """Start the server, which imports the module `preload` while the caller continues."""
    global _preload
    if preload != _preload:
        shut_down()
    _preload = preload
    _adopt_orphans()
    keep_warm()


def keep_warm() -> ForkServer:
    """Return the server. A server that was killed is replaced, so that imports start early."""
    global _server, _servers_lost
    if _server is None or not _server.alive():
        if _server is not None:
            _servers_lost += 1
            _server.close()
        _server = ForkServer(_preload)
    return _server


def server_pid() -> int | None:
    """Return the server's process id, or None if there is no server."""
    return None if _server is None else _server.pid


def _adopt_orphans() -> None:
    """Let jobs whose server was killed become children of this process (Linux), for exit codes."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap_strays(known: set[int]) -> None:
    """Reap orphans that a server forked but died before it reported them.

    known: the process ids of the jobs of the pool, which `Process.ended` reaps. If no server has
    died, there are no orphans, and all children belong to the program that uses gansweep. macOS
    has no orphans of this kind, and no `waitid` before Python 3.13.
    """
    if not _servers_lost or not hasattr(os, "waitid"):
        return
    with suppress(ChildProcessError):
        while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if found.si_pid in known | {server_pid()}:
                return  # waitid reports this child again until it is reaped; later calls continue
            os.waitpid(found.si_pid, os.WNOHANG)


def shut_down() -> None:
    """End the server. All jobs must have ended before."""
    global _server, _servers_lost
    if _server is not None:  # the server may still import
        _server.close()
        _server = None
    _servers_lost = 0


class Process:
    """The process of a job.

    The pipe of the job shows its end, and not the server, because a job outlives a killed server. A
    job outlives its sweep only until it has written a checkpoint.
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
        with suppress(OSError):  # the process was killed at its start
            self.connection.send((function, arguments, log, environment or {}))

    def stop(self) -> None:
        """Ask the job to write a checkpoint and end. A suspended job is continued for this."""
        with suppress(OSError):
            self.connection.send(STOP)
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill the job, and all processes that it has started."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to the process group of the job."""
        with suppress(ProcessLookupError):
            if os.getpgid(self.pid) == self.pid:
                os.killpg(self.pid, number)
            else:  # the process has not yet called setsid
                os.kill(self.pid, number)

    def ended(self) -> Ended | None:
        """Return how the job ended, or None while it runs. A job that has ended is reaped."""
        try:
            if not self.connection.poll():
                return None
            self._answer = self.connection.recv()
            return None  # the job closes the pipe next
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
        """Return the exit code, or None if it is unknown."""
        code = exit_code(self._end, 10)
        os.close(self._end)
        if code is None:  # if the server was killed, the job is now a child of this process
            with suppress(ChildProcessError):
                for _ in range(100):
                    pid, status = os.waitpid(self.pid, os.WNOHANG)
                    if pid:
                        return os.waitstatus_to_exitcode(status)
                    time.sleep(0.1)
        return code


def _oom_kills() -> int:
    """Return how many processes the kernel has killed for lack of memory since it started."""
    with suppress(OSError, ValueError, IndexError):
        return int(_OOM_KILLS.read_text().split("\noom_kill ")[1].split()[0])
    return 0
