"""A job in a process of its own, forked from a warm server; how it ended is always known."""

from __future__ import annotations

import ctypes
import faulthandler
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from gansweep.launch.names import LAUNCHER
from gansweep.store.errors import Held, UserError
from gansweep.training import stop

PRELOAD = "gansweep.launch.preload"
STOP = "stop"
GRACE = 60.0  # seconds a job has for its checkpoint when its sweep has died
_PR_SET_CHILD_SUBREAPER = 36
_OOM_KILLS = Path("/proc/vmstat")


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


def warm_up(preload: str = PRELOAD) -> None:
    """Start the server now: it imports while the caller goes on. Raises UserError on Windows."""
    known = multiprocessing.get_all_start_methods()
    if "forkserver" not in known:
        raise UserError(f"hydra/launcher={LAUNCHER} needs fork; here use hydra/launcher=basic")
    if multiprocessing.get_start_method(allow_none=True) not in (None, *known):
        # A worker of joblib's has a method of its own, which the server's jobs would not know.
        multiprocessing.set_start_method("forkserver", force=True)
    _adopt_orphans()
    multiprocessing.set_forkserver_preload([preload])
    keep_warm()


def keep_warm() -> None:
    """Start the server again if it was killed, so that it imports before it is needed."""
    forkserver.ensure_running()


def _adopt_orphans() -> None:
    """Jobs whose server was killed become our children: their exit codes reach us (Linux)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap_strays(known: set[int]) -> None:
    """Reap orphans that nobody waits for: forked by a server that died before it said so.

    known: the jobs that are waited for, as the server is by `keep_warm`.
    """
    server: Any = forkserver._forkserver
    with suppress(ChildProcessError):
        while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if found.si_pid in known | {server._forkserver_pid}:
                return  # it is told of only once it is reaped; its turn comes
            os.waitpid(found.si_pid, os.WNOHANG)


def shut_down() -> None:
    """End the server. Its jobs must have ended."""
    server: Any = forkserver._forkserver  # multiprocessing has no public end for it
    pid = server._forkserver_pid
    if pid is not None:  # it may still be importing for jobs that never came
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            server._stop()


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
        context = multiprocessing.get_context("forkserver")
        self.started = time.monotonic()
        self._oom_kills = _oom_kills()
        for attempt in range(5):
            self.connection, theirs = context.Pipe()
            self._process = context.Process(
                target=_run, args=(theirs, function, arguments, log, environment or {}), daemon=True
            )
            try:
                self._process.start()
                break
            except (EOFError, ConnectionError, FileNotFoundError):  # the server was killed
                self.connection.close()
                if attempt == 4:
                    raise RuntimeError("the fork server dies while it imports; see above") from None
                time.sleep(0.1 * 2**attempt)
            finally:
                theirs.close()
        assert self._process.pid is not None
        self.pid: int = self._process.pid
        self._answer: Ended | None = None

    def stop(self) -> None:
        """Ask it to write a checkpoint and end."""
        with suppress(OSError):
            self.connection.send(STOP)

    def kill(self) -> None:
        """End it at once, with whatever it has started."""
        with suppress(ProcessLookupError):
            if os.getpgid(self.pid) == self.pid:
                os.killpg(self.pid, signal.SIGKILL)
            else:  # it has only just been forked
                os.kill(self.pid, signal.SIGKILL)

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
        self._process.join(10)
        code = self._process.exitcode
        if code in (None, 255):  # perhaps the server was killed: then the job is our child now
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


def _run(
    connection: Connection,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    log: Path | None,
    environment: dict[str, str],
) -> None:
    """In the new process: call the function, answer what became of it."""
    os.setsid()  # Ctrl-C reaches the sweep alone, which asks its jobs to stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: stop.request())
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
