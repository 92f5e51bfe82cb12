"""What is printed reaches its reader, whatever the encoding of the terminal or the file."""

from __future__ import annotations

import io
import sys


def replace_what_cannot_be_encoded() -> None:
    """What an encoding lacks is no reason to end a command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
