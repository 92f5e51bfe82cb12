"""A lease on a folder: of all processes on all hosts that share it, one at a time holds the folder.

Locks of files are not to be trusted on every shared file system, and clocks of hosts differ. This
lease needs what POSIX and NFS promise for folders: that mkdir, rename and readdir are atomic and
that a name that was created before a listing is in it.

* A lease is a folder `FOLDER/.lease/HOST_PID_TOKEN`. A process creates its own, then lists all. If
  another living process has one, the newcomer gives up; of two newcomers, the smaller token stays.
* A holder changes the file `beat` every few seconds. Another host takes it for dead when it has
  looked many times, for SECONDS on its own clock, and has seen no change. Processes of one host
  need not wait: the holder locks this file, and the kernel releases that with its process.
* A file is written in the folder of the lease and then renamed to its place (`fence`). Who takes
  over removes that folder first. So a process that was frozen beyond its lease and goes on has
  nothing left to rename: it cannot write over the files of the new holder.
"""

from __future__ import annotations

import errno
import fcntl
import math
import os
import re
import shutil
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from gansweep.store.errors import Held, UserError

LEASES = ".lease"
SECONDS = 60.0  # without a beat, until a holder counts as dead; $GANSWEEP_LEASE replaces it
BEATS = 6  # in this time
TRUST = 0.1  # leases for which a holder that has shown or seen its lease need not look again
ATTEMPTS = 20  # to create a lease while others remove empty folders
PATIENCE = 2.0  # seconds for which a newcomer waits until another one has given up
NOBODY = "-"  # in the place of a host, if the file system has no locks


def seconds() -> float:
    """Return the length of a lease in seconds. Raises UserError if $GANSWEEP_LEASE is invalid."""
    given = os.environ.get("GANSWEEP_LEASE") or SECONDS
    with suppress(ValueError):
        if (value := float(given)) > 0:
            return value
    raise UserError(f"GANSWEEP_LEASE={given}: it must be a number of seconds, as in 60")


def host() -> str:
    """Return a name of this machine's kernel, within which locks of files are reliable.

    It differs after a restart, and is equal in all containers of a machine. $GANSWEEP_HOST
    replaces it.
    """
    return re.sub(r"[^\w.-]|_", "-", os.environ.get("GANSWEEP_HOST") or _kernel())


@cache
def _kernel() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return socket.gethostname()


def _now() -> float:
    """Return seconds of a clock that also counts while this machine is suspended, where it can."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Watch:
    """Judges by changes that this process has seen, on its own clock, whether something lives."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[object, float, float]] = {}  # value, first and last look

    def silent(self, name: str, value: object, between: float) -> float:
        """Return for how many seconds this process has looked and found the same value.

        between: seconds. After a longer pause between two looks, as of a reader that was itself
        frozen, the time counts from anew.
        """
        now = time.monotonic()
        before, first, last = self._seen.get(name, (None, now, now))
        if before != value or now - last > between:
            first = now
        self._seen[name] = (value, first, now)
        return now - first


_watch = Watch()
_held: dict[Path, Lease] = {}  # the leases of this process, by folder
_with_dead: set[Path] = set()  # folders in which this process has seen leases of dead processes


class Lease:
    """A lease of this process, from `take`. path: its folder; lost: whether another has taken over;
    seen_at: the last time at which it was there.

    on_loss: called, in a thread, as soon as this process learns that it has lost the lease.
    """

    def __init__(self, folder: Path, path: Path, handle: int, on_loss: Callable[[], object]):
        self.folder = folder
        self.path = path
        self._handle = handle
        self._on_loss = on_loss
        self._pause = seconds() / BEATS
        self.seen_at = -math.inf
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    @property
    def token(self) -> str:
        return self.path.name.rpartition("_")[2]

    @property
    def lost(self) -> bool:
        """Whether the folder of the lease is gone. The file system is asked, not a cache."""
        now = _now()
        try:
            os.close(os.open(self.path / "beat", os.O_RDONLY))  # NFS asks the server at an open
        except OSError as error:
            return error.errno in (errno.ENOENT, errno.ESTALE)
        self.seen_at = now
        return False

    @property
    def fresh(self) -> bool:
        """Whether this lease was shown or seen so lately that no other host takes it for dead."""
        return _now() - self.seen_at < TRUST * seconds()

    def show(self, beat: int) -> None:
        """Write the beat that other hosts watch. Raises OSError if the lease is gone."""
        now = _now()
        write_beat(self.path, str(beat))
        self.seen_at = now

    def begin(self) -> None:
        """Show that the lease is established, and keep it alive."""
        self.show(1)
        _held[self.folder] = self
        self._thread.start()

    def _beat(self) -> None:
        number = 1
        while not self._end.wait(self._pause):
            number += 1
            try:
                self.show(number)
            except OSError:  # a server may be away for a time
                if self.lost:
                    self._on_loss()
                    return

    def release(self) -> None:
        """End the lease, and remove its folder."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()
        _held.pop(self.folder, None)
        os.close(self._handle)
        try:
            (self.path / "beat").unlink()
            self.path.rmdir()
        except OSError:  # it has an unfinished file
            shutil.rmtree(self.path, ignore_errors=True)
        with suppress(OSError):  # others have leases
            self.path.parent.rmdir()


def write_beat(path: Path, text: str) -> None:
    """Write the beat of a lease. Raises OSError if the lease is gone."""
    handle = os.open(path / "beat", os.O_WRONLY)
    try:
        os.pwrite(handle, text.encode(), 0)
    finally:
        os.close(handle)  # NFS sends the change to the server here


def take(folder: Path, on_loss: Callable[[], object] = lambda: None) -> Lease | None:
    """Return a lease on the folder, or None if another process holds it or was quicker.

    Leases of processes that have ended are removed. Raises OSError if the folder cannot be written.
    """
    entries = (_enter(folder, on_loss) for _ in range(ATTEMPTS))
    own = next((entry for entry in entries if entry is not None), None)
    if own is None:
        return None
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            found = [path for path in (folder / LEASES).iterdir() if path != own.path]
            others = [path for path in found if path.name[0] != "." and _lives(path)]
            if not others:
                break
            smaller = any(other.name.rpartition("_")[2] < own.token for other in others)
            if smaller or any(map(_established, others)) or time.monotonic() > deadline:
                own.release()
                return None
            time.sleep(0.01)
        for path in found:
            _remove(path)
        _with_dead.discard(folder)
        own.begin()
    except FileNotFoundError:  # another process has removed this lease meanwhile
        own.release()
        return None
    except BaseException:
        own.release()
        raise
    return own


def clear(folder: Path) -> None:
    """Remove the leases of processes that this process has seen to be dead.

    A new process, as that of a job, would have to watch them for as long again.
    """
    if folder in _with_dead and (own := take(folder)) is not None:
        own.release()


def _enter(folder: Path, on_loss: Callable[[], object]) -> Lease | None:
    """Create a lease that is not yet established.

    Returns None if another process has removed it, as part of its own taking or releasing.
    """
    seconds()  # an invalid setting is refused before anything is written
    token = uuid.uuid4().hex[:12]
    hidden = folder / LEASES / f".{token}"
    handle = -1
    try:
        with suppress(FileExistsError):
            hidden.parent.mkdir(parents=True)
        hidden.mkdir()  # fails if another process has removed the empty parent meanwhile
        handle = os.open(hidden / "beat", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            where = host()
        except OSError:
            where = NOBODY
        path = hidden.with_name(f"{where}_{os.getpid()}_{token}")
        hidden.rename(path)  # only a whole lease can be seen
    except OSError as error:
        if handle >= 0:
            os.close(handle)
        shutil.rmtree(hidden, ignore_errors=True)
        if isinstance(error, FileNotFoundError):
            return None
        raise
    return Lease(folder, path, handle, on_loss)


def living(folder: Path) -> list[Path]:
    """Return the leases on the folder that are held, as far as this process can know.

    A lease of another host counts as held until this process has seen no beat for `seconds()`.
    """
    try:
        found = list((folder / LEASES).iterdir())
    except OSError:
        return []
    alive = [path for path in found if path.name[0] != "." and _lives(path)]
    if len(alive) < len(found):
        _with_dead.add(folder)
    return alive


def server_time(folder: Path) -> float:
    """Return the time of the file server, which also stamps the beats. Raises OSError.

    The clock of this host may differ.
    """
    probe = folder / f".{uuid.uuid4().hex[:12]}.time"
    probe.write_bytes(b"-")
    try:
        return probe.stat().st_mtime
    finally:
        probe.unlink()


def silence(folder: Path, now: float) -> float:
    """Return for how many seconds the last living holder of a folder has shown no beat.

    now: see `server_time`. It is for people only: a process that takes over watches the beats. The
    holders of this host are alive as long as their locks, so the result is 0 for them.
    """
    others = [path for path in living(folder) if path.name.partition("_")[0] != host()]
    with suppress(OSError, ValueError):
        return max(0.0, now - max((path / "beat").stat().st_mtime for path in others))
    return 0.0


def _lives(path: Path) -> bool:
    try:
        if path.name.partition("_")[0] == host():
            return _locked(path / "beat")
        beat = (path / "beat").read_text(encoding="ascii")
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return _watch.silent(str(path), beat, seconds() / 2) < seconds()


def _locked(path: Path) -> bool:
    """Return whether a process of this host holds the lock. Readers try a shared lock."""
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _established(path: Path) -> bool:
    """Return whether the holder of a lease is past `take`."""
    with suppress(OSError):
        return bool((path / "beat").read_text(encoding="ascii"))
    return False


def _remove(path: Path) -> None:
    """Remove the lease of a dead process, and its unfinished files. Raises OSError if that fails.

    A process that was only frozen may write a file meanwhile, so this is repeated.
    """
    for _ in range(100):
        shutil.rmtree(path, ignore_errors=True)
        if not path.exists():
            return
        time.sleep(0.01)
    raise OSError(f"{path} cannot be removed")


@contextmanager
def fence(path: Path) -> Iterator[Path]:
    """Yield the folder for a temporary file that is then renamed to `path`, or another check.

    It is that of the lease if this process holds one around `path`, else the folder of `path`.
    Raises Held if the lease is lost.
    """
    own = next((_held[folder] for folder in path.parents if folder in _held), None)
    if own is None:
        yield path.parent
        return
    now = _now()
    try:
        yield own.path
        own.seen_at = now  # a file in the folder of the lease was renamed
    except OSError:
        if own.lost:
            raise Held(f"{own.folder} was taken over by another process") from None
        raise


def check(path: Path) -> None:
    """Raise Held if this process has lost its lease around `path`, to which it wants to append."""
    own = next((_held[folder] for folder in path.parents if folder in _held), None)
    if own is not None and not own.fresh and own.lost:
        raise Held(f"{own.folder} was taken over by another process")
