"""Errors that the user can correct: one clear line, exit code 2, no traceback."""

from __future__ import annotations

import difflib
import errno
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

INTERRUPTED = 130  # the exit code of a process that Ctrl-C ended


class UserError(Exception):
    """An error that the user can correct. Its message gives error, place and remedy in one line."""

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows instead of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class Diverged(Exception):
    """The loss of a run is no longer finite, which is an outcome of training and not a bug."""


class ScriptFailed(UserError):
    """A script of the user has failed; its output, in the run's log, says why."""


class Killed(ScriptFailed):
    """SIGKILL from outside has ended a script, so another attempt may succeed."""


class Held(UserError):
    """Another living process holds the lock of a run."""


class FailedInOtherSweep(UserError):
    """A run of this sweep has failed in another sweep since this sweep was planned."""


def choices_hint(value: str, choices: Iterable[str]) -> str:
    """Return a hint that lists all choices, after `did you mean 'alpha'?` if one is similar."""
    choices = list(choices)
    near = nearest(value, choices)
    suggestion = f"did you mean {near!r}? " if near else ""
    return f"{suggestion}valid: {', '.join(choices)}"


def nearest(value: str, choices: Iterable[str]) -> str | None:
    """Return the choice most similar to `value`, or None if none is similar."""
    return next(iter(difflib.get_close_matches(value, list(choices), n=1, cutoff=0.6)), None)


def printable(text: str) -> str:
    """Return `text` with control characters escaped, as names from files may contain them."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and line feed

# Errors of a disk or a file system, which the user can correct and which are no bugs.
_REFUSED = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR,
    errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG, errno.EIO, errno.EFBIG, errno.ELOOP,
    errno.ESTALE,
}  # fmt: skip


def refused_by_disk(error: BaseException) -> bool:
    """Return whether the error comes from the disk or its permissions, and so stops every run."""
    return isinstance(error, OSError) and error.errno in _REFUSED


# These texts come from torch, cuBLAS, the CPU's allocator, the kernel, JAX and Python's scripts.
_OUT_OF_MEMORY = (
    "out of memory", "ALLOC_FAILED", "can't allocate", "Cannot allocate memory",
    "RESOURCE_EXHAUSTED", "MemoryError",
)  # fmt: skip


def out_of_memory(error: BaseException) -> bool:
    """Return whether the error is a shortage of memory, in which case a retry could help."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in _OUT_OF_MEMORY)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print a UserError or an error of the file system as one line, and exit with code 2.

    Ctrl-C also prints one line, and exits with code 130. All other exceptions are bugs and are
    raised with their tracebacks.
    """
    try:
        yield
    except UserError as error:
        line = printable(" ".join(str(error).splitlines()))
        print(f"gansweep: error: {line}", file=sys.stderr)
        raise SystemExit(2) from None
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        where = f"{error.filename}: " if error.filename else ""
        print(f"gansweep: error: {where}{error.strerror}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("gansweep: interrupted", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
