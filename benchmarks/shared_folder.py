"""A simulated file server: the real code runs on real files, and its calls take virtual time.

Every call that a network file system sends to its server takes a round trip of virtual time and
is counted; the call itself then runs on a folder of this machine. Many tasks run in one thread,
as greenlets: a task that waits for the server, or sleeps, lets the others run. The costs, in
round trips, are those of NFS without caches, which is the dearest case:

* 1 for stat, mkdir, rename, unlink, rmdir, chmod, utime, fsync, a lock and each open file, also
  for one that does not exist;
* 1 more for all reads of an open file together, as it is small, and 1 for all its writes, which
  are sent when it is closed;
* 1 for a listing, and 1 more for each 1,000 names.

`O_APPEND` is not atomic, as on NFS: a line is written where the file ended when it was opened.
"""

from __future__ import annotations

import builtins
import fcntl
import heapq
import io
import itertools
import os
import stat
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from greenlet import getcurrent, greenlet

PATHS = ("stat", "lstat", "mkdir", "rename", "replace", "unlink", "remove", "rmdir", "chmod",
         "utime", "access", "readlink")  # fmt: skip
NAMES = 1000  # names of a listing in one answer of the server


class Server:
    """The file server, and the virtual clock of all tasks.

    folder: the shared folder; latency: seconds of a round trip; most: operations that the server
    does in a second, the others wait; None: any number.
    """

    def __init__(self, folder: Path, latency: float = 0.0, most: float | None = None) -> None:
        self.folder = str(folder)
        self.latency = latency
        self.each = 1 / most if most else 0.0
        self.now = 1000.0
        self.kinds: Counter[str] = Counter()
        self.seconds: Counter[int] = Counter()
        self._free_at = 0.0
        self._queue: list[tuple[float, int, greenlet, int]] = []
        self._order = itertools.count()
        self._hub = getcurrent()
        self._offsets: dict[int, int] = {}  # of files that were opened to append
        self._files: dict[int, set[str]] = {}  # open files: whether they were read or written

    # --- Tasks ----------------------------------------------------------------------------------

    def start(self, work: Callable[[], object], after: float = 0.0, **marks: Any) -> greenlet:
        """Start a task. marks: attributes of its greenlet, besides those of the present one."""
        task = greenlet(work, parent=self._hub)
        task.__dict__.update({**vars(getcurrent()), "turn": 0, **marks})
        self.wake(task, after)
        return task

    def wake(self, task: greenlet, after: float = 0.0) -> None:
        """Let a task go on after some seconds, unless something else lets it go on before."""
        entry = (self.now + after, next(self._order), task, task.__dict__["turn"])
        heapq.heappush(self._queue, entry)

    def sleep(self, seconds: float) -> None:
        if getcurrent() is not self._hub:
            self.wake(getcurrent(), max(0.0, seconds))
            self.pause()

    def pause(self) -> None:
        """Let the others run until this task is woken."""
        self._hub.switch()
        getcurrent().__dict__["turn"] += 1

    def run(self) -> None:
        """Run all tasks to their ends."""
        while self._queue:
            moment, _, task, turn = heapq.heappop(self._queue)
            if not task.dead and task.__dict__["turn"] == turn:
                self.now = moment
                task.switch()

    # --- Costs ----------------------------------------------------------------------------------

    def charge(self, kind: str, count: int = 1) -> None:
        """Count operations, and let the task wait for each of them."""
        self.kinds[kind] += count
        for _ in range(count):
            self._free_at = max(self._free_at, self.now) + self.each
            self.seconds[int(self.now)] += 1
            self.sleep(self._free_at - self.now + self.latency)

    def shares(self, path: Any, folder: int | None = None) -> bool:
        """Return whether a call is about the shared folder."""
        if isinstance(path, int):
            return path in self._files
        if folder is not None and folder in self._files:
            return True
        return os.fspath(path).startswith(self.folder)

    def _use(self, handle: int, how: str) -> None:
        if how not in self._files[handle]:
            self._files[handle].add(how)
            self.charge(how)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Let this process's calls about the shared folder be those of the simulation."""
        real = {n: getattr(os, n) for n in (*PATHS, "open", "close", "write", "pwrite", "fsync",
                                            "listdir", "scandir")}  # fmt: skip
        opened, locked = io.open, fcntl.flock

        def by_path(name: str) -> Callable[..., Any]:
            def call(path: Any, *more: Any, dir_fd: int | None = None, **options: Any) -> Any:
                if self.shares(path, dir_fd):
                    self.charge(name)
                if dir_fd is not None:
                    options["dir_fd"] = dir_fd
                return real[name](path, *more, **options)

            return call

        def open_number(path: Any, flags: int, *more: Any, dir_fd: int | None = None) -> int:
            shared = self.shares(path, dir_fd)
            if shared:
                self.charge("open")
            handle: int = real["open"](path, flags & ~os.O_APPEND if shared else flags, *more,
                                       dir_fd=dir_fd)  # fmt: skip
            self._files.pop(handle, None)
            if shared:
                self._files[handle] = set()
                if flags & os.O_APPEND:
                    self._offsets[handle] = os.fstat(handle).st_size
            return handle

        def close(handle: int) -> None:
            self._files.pop(handle, None)
            self._offsets.pop(handle, None)
            real["close"](handle)

        def write(handle: int, data: bytes) -> int:
            if handle not in self._files:
                return int(real["write"](handle, data))
            self._use(handle, "write")
            if handle in self._offsets:
                return int(real["pwrite"](handle, data, self._offsets[handle]))
            return int(real["write"](handle, data))

        def pwrite(handle: int, data: bytes, offset: int) -> int:
            if handle in self._files:
                self._use(handle, "write")
            return int(real["pwrite"](handle, data, offset))

        def fsync(handle: int) -> None:
            if handle in self._files and not stat.S_ISDIR(os.fstat(handle).st_mode):
                self.charge("fsync")  # of a folder it does nothing, as servers change it at once

        def open_file(file: Any, mode: str = "r", *more: Any, **options: Any) -> Any:
            if isinstance(file, int):
                if file in self._files:
                    self._use(file, "read" if mode[0] == "r" else "write")
            elif self.shares(file):
                self.charge("open")
                size = real["stat"](file).st_size if real["access"](file, 0) else 0
                if "r" not in mode or real["access"](file, 0):
                    if mode[0] == "r" or ("+" in mode and size):
                        self.charge("read")
                    if mode[0] != "r" or "+" in mode:
                        self.charge("write")
            stream = opened(file, mode, *more, **options)
            self._files.pop(stream.fileno(), None)
            if isinstance(file, int) or self.shares(file):
                self._files[stream.fileno()] = {"read", "write"}  # these are charged
            return stream

        def listed(name: str) -> Callable[..., Any]:
            def call(path: Any = ".") -> Any:
                if self.shares(path):
                    self.charge("listing")
                    if not isinstance(path, int) and name == "scandir":
                        self.charge("listing", len(real["listdir"](path)) // NAMES)
                return real[name](path)

            return call

        def flock(handle: Any, how: int) -> None:
            if handle in self._files:
                self.charge("lock")
            locked(handle, how)

        try:
            for name in PATHS:
                setattr(os, name, by_path(name))
            os.open, os.close, os.write, os.pwrite, os.fsync = (
                open_number, close, write, pwrite, fsync)  # type: ignore[assignment]  # fmt: skip
            os.listdir, os.scandir = listed("listdir"), listed("scandir")
            io.open = builtins.open = open_file
            fcntl.flock = flock
            yield
        finally:
            for name, function in real.items():
                setattr(os, name, function)
            io.open = builtins.open = opened
            fcntl.flock = locked


class Clock:
    """The module `time`, as the simulated code imports it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.sleep = server.sleep

    def monotonic(self) -> float:
        return self._server.now

    time = monotonic

    def clock_gettime(self, clock: int) -> float:
        return self._server.now

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


class Threads:
    """The module `threading`, whose threads are tasks: the heartbeats of leases."""

    def __init__(self, server: Server) -> None:
        self.Event = lambda: _Event(server)
        self.Thread = lambda target, daemon: _Thread(server, target)

    def __getattr__(self, name: str) -> Any:
        return getattr(threading, name)


class _Event:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._set = False
        self._waiting: greenlet | None = None

    def set(self) -> None:
        self._set = True
        if self._waiting is not None:
            self._server.wake(self._waiting)

    def wait(self, seconds: float) -> bool:
        self._waiting = getcurrent()
        until = self._server.now + seconds
        while not self._set and self._server.now < until - 1e-9:
            self._server.sleep(until - self._server.now)
        self._waiting = None
        return self._set


class _Thread:
    def __init__(self, server: Server, target: Callable[[], object]) -> None:
        self._server = server
        self._target = target
        self._task: greenlet | None = None

    def start(self) -> None:
        self._task = self._server.start(self._target)

    def is_alive(self) -> bool:
        return self._task is not None and not self._task.dead

    def join(self) -> None:
        while self.is_alive():
            self._server.sleep(0.001)
