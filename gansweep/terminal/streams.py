"""Make standard output and error accept characters that their encoding lacks."""

from __future__ import annotations

import io
import sys


def replace_what_cannot_be_encoded() -> None:
    """Print `?` for a character that the encoding lacks, so that it does not end a command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
