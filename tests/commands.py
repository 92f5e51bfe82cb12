"""Run commands as a user types them, `python -m gansweep …`, each in its own process.

An import of torch takes seconds, and most tests run several commands. A server of the test session
therefore imports everything once, and each command is a fork of this server with its own folder,
environment, arguments and output files. The fork server of a sweep is forked likewise. A test that
needs a new interpreter sets `cold=True`, and the environment variable `COLD=1` sets this for all
tests.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

COLD = bool(os.environ.get("COLD")) or sys.platform != "linux"
FAULTS = Path(__file__).parent / "faults"


started: list[Command] = []  # The present test has started these commands.


class Command:
    """A running command with the interface of `subprocess.Popen`; its output goes to files."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        module: str = "gansweep",
        fault: str = "",
        session: bool = True,
        cold: bool = False,
    ) -> None:
        """`fault`: see faults/sitecustomize.py; `session` gives the command its own session."""
        started.append(self)
        self.args = [module, *arguments]
        self.session = session
        self.returncode: int | None = None
        self._files = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        self._popen: subprocess.Popen[bytes] | None = None
        if cold or COLD:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", *self.args], cwd=folder, env=with_fault(fault),
                stdin=subprocess.DEVNULL, stdout=self._files[0], stderr=self._files[1],
                start_new_session=session, preexec_fn=_hear_ctrl_c,
            )  # fmt: skip
            self.pid = self._popen.pid
            return
        self._status, theirs = os.pipe()
        request = {
            "folder": str(folder), "words": self.args, "env": with_fault(fault), "session": session
        }  # fmt: skip
        descriptors = [*(file.fileno() for file in self._files), theirs]
        socket.send_fds(_connection(), [json.dumps(request).encode()], descriptors)
        os.close(theirs)
        self.pid = self._hear()

    def poll(self) -> int | None:
        """Return the exit code as in `subprocess`, or None while the command runs."""
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float = 600) -> int:
        if self._popen is not None:
            self.returncode = self._popen.wait(timeout)
        elif self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout)
            self.returncode = self._hear()
            os.close(self._status)
        return self.returncode

    def communicate(self, timeout: float = 600) -> tuple[str, str]:
        """Wait for the end of the command, and return its output and its errors."""
        self.wait(timeout)
        return self.said()

    def said(self) -> tuple[str, str]:
        """Return the output and the errors that the command has printed so far."""
        out, err = (os.pread(file.fileno(), 1 << 24, 0).decode() for file in self._files)
        return out, err

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def end(self) -> None:
        """Kill the command if it still runs; its jobs then stop."""
        if self.poll() is None:
            os.killpg(self.pid, signal.SIGKILL) if self.session else self.kill()

    def _hear(self) -> int:
        (number,) = struct.unpack("i", os.read(self._status, 4))
        return int(number)


def run(folder: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; `Command` describes the options."""
    command = Command(folder, *arguments, session=False, **options)
    try:
        out, err = command.communicate()
    finally:
        command.kill()
    return subprocess.CompletedProcess(command.args, command.wait(), out, err)


def with_fault(fault: str) -> dict[str, str]:
    """Return an environment that injects a fault into trainings; see faults/sitecustomize.py."""
    if not fault:
        return dict(os.environ)
    path = os.pathsep.join(filter(None, (str(FAULTS), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "GANSWEEP_FAULT": fault}


def _hear_ctrl_c() -> None:
    """Let Ctrl-C reach the process even if the tests run in the background of a shell."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


_server: socket.socket | None = None


def _connection() -> socket.socket:
    """Return the connection to the server, which the first call starts."""
    global _server
    if _server is None:
        _server, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        theirs.close()
    return _server


# --- In the server --------------------------------------------------------------------------------


def _serve(connection: socket.socket) -> None:
    _import()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # No process waits for the watching processes.
    while True:
        message, descriptors, _, _ = socket.recv_fds(connection, 1 << 20, 3)
        if not message:
            return
        if os.fork() == 0:
            connection.close()
            _watch(json.loads(message), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _import() -> None:
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # A process with threads must not be forked.
    import torch
    from hydra.core.plugins import Plugins

    for name in (
        "matplotlib.figure", "optuna", "pandas", "gansweep.commands.train",
        "gansweep.launch.sweep", "gansweep.planning.grid", "gansweep.report",
        "gansweep.search.optimize", "gansweep.training.train", "gansweep.training.rescore",
    ):  # fmt: skip
        __import__(name)
    # The first optimizer imports many modules.
    torch.optim.Adam([torch.zeros(1, requires_grad=True)], fused=True)
    Plugins.instance()


def _watch(request: dict[str, Any], out: int, err: int, status: int) -> NoReturn:
    """Fork the command, and send its process id and later its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.dup2(out, 1)
        os.dup2(err, 2)
        _be_a_process(lambda: _command(**request))
    os.write(status, struct.pack("i", pid))
    _, how = os.waitpid(pid, 0)
    os.write(status, struct.pack("i", os.waitstatus_to_exitcode(how)))
    os._exit(0)


def _command(folder: str, words: list[str], env: dict[str, str], session: bool) -> None:
    """Do the same as `python -m WORDS`."""
    if session:
        os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.modules["gansweep.launch.forkserver"].start = Forked  # type: ignore[attr-defined]
    if env.get("GANSWEEP_FAULT"):
        faults = runpy.run_path(str(FAULTS / "sitecustomize.py"))
        faults["install"](sys.modules["gansweep.training.gan"])
    sys.argv = list(words)
    sys.path[0] = folder
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)


class Forked:
    """The fork server of a sweep as a fork of the sweep, instead of a new interpreter.

    It has the methods of `subprocess.Popen` that the sweep calls.
    """

    def __init__(self, number: int, preload: str) -> None:
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            for ending in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(ending, signal.SIG_DFL)
            serve = sys.modules["gansweep.launch.forkserver"].serve
            _be_a_process(lambda: serve(number, preload), [number])

    def poll(self, options: int = os.WNOHANG) -> int | None:
        if self.returncode is None:
            pid, how = os.waitpid(self.pid, options)
            self.returncode = os.waitstatus_to_exitcode(how) if pid else None
        return self.returncode

    def wait(self) -> int | None:
        return self.poll(0)

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def _be_a_process(work: Callable[[], object], passed: Collection[int] = ()) -> NoReturn:
    """Do the work with only these and the standard files open, and exit as an interpreter does."""
    for descriptor in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        if descriptor > 2 and descriptor not in passed:
            with suppress(OSError):
                os.close(descriptor)
    code = 0
    try:
        work()
    except SystemExit as exit:
        code = exit.code if isinstance(exit.code, int) else int(exit.code is not None)
        if code and exit.code is not code:
            print(exit.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
