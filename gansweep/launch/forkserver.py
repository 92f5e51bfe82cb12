"""The fork server: a process that imports once and then forks a child for every job.

The fork server of multiprocessing has no public way to end it, to get its process id, or to learn
how its children ended after it was killed.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from contextlib import suppress
from multiprocessing.connection import Connection, wait

from gansweep.launch.child import run_job
from gansweep.launch.stop_request import WARNING

_OF_SWEEP = {signal.SIGINT, WARNING}
_PID = struct.Struct("q")
_EXIT = struct.Struct("i")  # a child's exit code as in `subprocess`, negative for a signal
# With `-c`, sys.path begins with the working folder, where a json.py would hide Python's. Without
# settings, the parent was killed before it wrote them.
_CODE = (
    "import sys; sys.path = [p for p in sys.path if p]; "
    "import json; settings = json.loads(sys.stdin.read() or sys.exit()); "
    "sys.path, sys.argv = settings['path'], settings['argv']; "
    "from gansweep.launch.forkserver import serve; serve(settings['socket'], settings['preload'])"
)


class ForkServer:
    """The parent's handle of the server. preload: the module that the server imports first."""

    def __init__(self, preload: str) -> None:
        self._socket, theirs = socket.socketpair()
        # Only the sweep handles Ctrl-C and Slurm's warning of a time limit. The server inherits the
        # blocked signals, and then ignores them.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _OF_SWEEP)
        try:
            self._process = start(theirs.fileno(), preload)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()

    @property
    def pid(self) -> int:
        """The process id of the server."""
        return self._process.pid

    def alive(self) -> bool:
        """Return whether the server runs. A server that has ended is reaped."""
        return self._process.poll() is None

    def fork(self) -> tuple[int, Connection, int]:
        """Fork a child. Returns its process id, a connection to it, and a pipe for `exit_code`.

        The call waits until the server has imported its module. Raises OSError if the server was
        killed.
        """
        ours, theirs = multiprocessing.Pipe()
        end, ends = os.pipe()
        try:
            socket.send_fds(self._socket, [b"."], [theirs.fileno(), ends])
            answer = self._socket.recv(_PID.size)
            if len(answer) < _PID.size:
                raise ConnectionResetError("the fork server has ended")
        except BaseException:
            ours.close()
            os.close(end)
            self.close()  # a late answer would be taken for that of the next call
            raise
        finally:
            theirs.close()
            os.close(ends)
        return _PID.unpack(answer)[0], ours, end

    def close(self) -> None:
        """End the server at once, even during its imports. Its children continue."""
        self._process.kill()
        self._process.wait()
        self._socket.close()


def start(number: int, preload: str) -> subprocess.Popen[bytes]:
    """Start an interpreter that runs `serve` with the socket of this file descriptor."""
    settings = {"socket": number, "preload": preload, "path": sys.path, "argv": sys.argv}
    options = ["-B"] if sys.dont_write_bytecode else []
    process = subprocess.Popen(
        [sys.executable, *options, "-c", _CODE], pass_fds=[number], stdin=subprocess.PIPE
    )
    assert process.stdin is not None
    with suppress(OSError), process.stdin as stdin:  # the process was killed at its start
        stdin.write(json.dumps(settings).encode())
    return process


def exit_code(end: int, seconds: float) -> int | None:
    """Return the exit code of a child, or None if the server does not report it in `seconds`.

    A server that was killed reports nothing.
    """
    if not wait([end], seconds):
        return None
    code = os.read(end, _EXIT.size)
    return _EXIT.unpack(code)[0] if len(code) == _EXIT.size else None


def serve(number: int, preload: str) -> None:
    """Import in the server process, then fork on each request until the parent has ended."""
    for ignored in _OF_SWEEP:
        signal.signal(ignored, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _OF_SWEEP)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    importlib.import_module(preload)
    parent = socket.socket(fileno=number)
    wake, woken = os.pipe()  # gets a byte for every child that ends
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    ends: dict[int, int] = {}  # by child, the pipe that receives its exit code
    while True:
        ready = select.select([number, wake], [], [])[0]
        if wake in ready:
            with suppress(BlockingIOError):
                os.read(wake, 4096)
            _report_ends(ends)
        if number in ready:
            try:
                _, files, _, _ = socket.recv_fds(parent, 1, 2)
            except OSError:
                files = []
            if not files:  # the parent has ended
                return
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for file in (number, wake, woken, files[1], *ends.values()):
                    os.close(file)
                try:
                    run_job(Connection(files[0]))
                finally:  # a job must not continue this loop
                    os._exit(1)
            os.close(files[0])
            ends[pid] = files[1]
            with suppress(OSError):
                parent.sendall(_PID.pack(pid))


def _report_ends(ends: dict[int, int]) -> None:
    """Reap the children that have ended, and report their exit codes."""
    while ends:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        end = ends.pop(pid, None)
        if end is not None:
            with suppress(OSError):  # the parent no longer reads the pipe
                os.write(end, _EXIT.pack(os.waitstatus_to_exitcode(status)))
            os.close(end)
