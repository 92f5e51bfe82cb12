"""Errors that are the user's to mend: one clear line, exit code 2, no traceback."""

from __future__ import annotations

import difflib
import errno
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

INTERRUPTED = 130  # the exit code of a process that Ctrl-C ended


class UserError(Exception):
    """What is wrong, where, and the remedy, in one line."""


class Diverged(Exception):
    """A run's loss is no longer a finite number: an outcome of training, not a bug."""


class Held(UserError):
    """A run belongs to another living process."""


class FailedElsewhere(UserError):
    """Another sweep has trained the run meanwhile, and it failed."""


def choices_hint(value: str, choices: Iterable[str]) -> str:
    """`did you mean 'alpha'?` when something is near, and all the valid choices."""
    choices = list(choices)
    near = nearest(value, choices)
    meant = f"did you mean {near!r}? " if near else ""
    return f"{meant}valid: {', '.join(choices)}"


def nearest(value: str, choices: Iterable[str]) -> str | None:
    """The choice that `value` is probably a misspelling of."""
    return next(iter(difflib.get_close_matches(value, list(choices), n=1, cutoff=0.6)), None)


def printable(text: str) -> str:
    """Names and messages from files may hold control characters: these never reach a terminal."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and line feed

# What a disk or a file system refuses: the user's to mend, not a bug.
_REFUSED = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR,
    errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG, errno.EIO, errno.EFBIG, errno.ELOOP,
    errno.ESTALE,
}  # fmt: skip


def refused_by_disk(error: BaseException) -> bool:
    """Is it the disk or its permissions that end every run, rather than this one's own fault?"""
    return isinstance(error, OSError) and error.errno in _REFUSED


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print a UserError, or what the file system refuses, as one line and exit with 2.

    Ctrl-C is one line and exit code 130. Everything else is a bug and passes through with its
    traceback.
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
