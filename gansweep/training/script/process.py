"""The process of a script: its start, its end by SIGTERM, and its end with gansweep's own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from gansweep.store.errors import Killed, ScriptFailed, UserError
from gansweep.store.json_files import tail_of

GRACE = 10.0  # seconds that a script has between SIGTERM and SIGKILL
# The guard reads the script's process group, and waits for the end of its input, which comes when
# this process ends in whatever way. Then it kills the group.
_GUARD = 'read group; read end; kill -s KILL -- "-$group"'


class ScriptProcess:
    """A running script, in a process group of its own. Its output is appended to the file `log`."""

    def __init__(self, words: list[str], environment: dict[str, str], log: Path) -> None:
        """Start the script. Raises UserError if its program cannot be started."""
        self._log = log
        self._offset = log.stat().st_size if log.exists() else 0
        self._guard = subprocess.Popen(
            ["sh", "-c", _GUARD], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            with log.open("ab") as output:
                self._process = subprocess.Popen(
                    words, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                    stderr=subprocess.STDOUT, start_new_session=True,
                )  # fmt: skip
        except OSError as error:
            self._dismiss_guard()
            raise UserError(f"command: {words[0]} cannot be started: {error.strerror}") from None
        assert self._guard.stdin is not None
        with suppress(OSError):  # somebody has killed the guard
            self._guard.stdin.write(f"{self._process.pid}\n".encode())
            self._guard.stdin.flush()

    def running(self) -> bool:
        """Return whether the script runs."""
        return self._process.poll() is None

    def terminate(self) -> bool:
        """Send SIGTERM, and SIGKILL after GRACE. Returns whether SIGTERM was enough."""
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)  # a suspended script hears SIGTERM only when it goes on
        deadline = time.monotonic() + GRACE
        while self.running() and time.monotonic() < deadline:
            time.sleep(0.02)
        return not self.running()

    def check_end(self) -> None:
        """Raise an error, in one line, unless the script has ended with exit code 0.

        The error is Killed for SIGKILL, and ScriptFailed for all other ends.
        """
        code = self._process.returncode
        if code == 0:
            return
        if code == -signal.SIGKILL:
            raise Killed("the script was killed by SIGKILL")
        how = f"exit code {code}"
        if code < 0:
            how = f"killed by signal {-code}"
            with suppress(ValueError):
                how = f"killed by {signal.Signals(-code).name}"
        said = self._last_line()
        raise ScriptFailed(f"{how}: {said}" if said else how)

    def _last_line(self) -> str:
        """Return the last line of the script's output, at most 300 characters."""
        size = self._log.stat().st_size - self._offset
        text = tail_of(self._log, min(size, 4096)).decode("utf-8", "replace") if size else ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1][:300] if lines else ""

    def close(self) -> None:
        """Kill what is left of the script and of the processes that it has started."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._dismiss_guard()

    def _dismiss_guard(self) -> None:
        self._guard.kill()
        self._guard.wait()
        assert self._guard.stdin is not None
        with suppress(OSError):
            self._guard.stdin.close()

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to the process group of the script."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
