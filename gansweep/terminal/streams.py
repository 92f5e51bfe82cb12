"""Make standard output and error accept characters that cannot be encoded."""

from __future__ import annotations

import io
import sys


def replace_what_cannot_be_encoded() -> None:
    """Print `?` for a character that cannot be encoded, instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
