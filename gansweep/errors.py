"""Errors that are the user's to mend: one clear line, exit code 2, no traceback."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class UserError(Exception):
    """What is wrong, where, and the remedy, in one line."""


class Diverged(Exception):
    """A run's loss is no longer a finite number: an outcome of training, not a bug."""


def choices_hint(value: str, choices: Iterable[str]) -> str:
    """`did you mean 'alpha'?` when something is near, and all the valid choices."""
    choices = list(choices)
    near = difflib.get_close_matches(value, choices, n=1, cutoff=0.6)
    meant = f"did you mean {near[0]!r}? " if near else ""
    return f"{meant}valid: {', '.join(choices)}"


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print a UserError as one line on stderr and exit with 2; let everything else through."""
    try:
        yield
    except UserError as error:
        print(f"gansweep: error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
