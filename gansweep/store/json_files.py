"""Read and write the JSON of a run's files: one object in a file, or one in each line."""

from __future__ import annotations

import errno
import json
import math
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from gansweep.store.check import is_number
from gansweep.store.lease import check

_ended_well: dict[Path, int] = {}  # the sizes of streams after whole lines of this process
_DECODER = json.JSONDecoder(parse_constant=lambda _: None)


def parse(text: str) -> Any:
    """Return the JSON value, with None for NaN. Raises ValueError for invalid JSON."""
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("the brackets are nested too deeply") from None


def finite(value: Any) -> Any:
    """Return `value` with None for numbers that are not finite, as JSON has no NaN."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_json(answer: Any) -> None:
    """Print the answer of a command for programs, with null for numbers that are not finite."""
    print(json.dumps(finite(answer), indent=2, default=str))


def opened(path: Path) -> BinaryIO:
    """Open a file to read. Raises OSError unless it is a regular file; a named pipe would block."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "no regular file", str(path))
    return os.fdopen(handle, "rb")


def append_line(path: Path, record: Any) -> None:
    """Append a JSON line. A last line that a full disk or a kill has cut off is ended first.

    Raises Held if this process has lost the run to whose folder `path` belongs.
    """
    check(path)
    with path.open("ab") as stream:
        size = stream.tell()
        cut = b""
        if size and size != _ended_well.pop(path, None) and tail_of(path, 1) != b"\n":
            cut = b"\n"
        stream.write(cut + json.dumps(finite(record)).encode() + b"\n")
        stream.flush()
        _ended_well[path] = stream.tell()


def read_bytes(path: Path) -> bytes:
    """Return the content of a file. Raises OSError unless it is a regular file."""
    with opened(path) as stream:
        return stream.read()


def tail_of(path: Path, size: int) -> bytes:
    """Return the last `size` bytes of a file. Raises OSError if it cannot be read."""
    with opened(path) as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - size))
        return stream.read()


def ends_with(path: Path, end: bytes) -> bool:
    """Return whether the file exists and ends with these bytes."""
    try:
        return tail_of(path, len(end)) == end
    except OSError:
        return False


def read_lines(path: Path, tail: int | None = None) -> list[dict[str, Any]]:
    """Return the JSON objects of a stream, without damaged lines. tail: only the last objects."""
    data = b""
    with suppress(OSError):
        data = read_bytes(path) if tail is None else tail_of(path, 512 * (tail + 1))
    texts = data.decode("utf-8", "replace").split("\n")
    texts = [text for text in texts if text.strip()]
    try:  # parsing all lines at once is three times as fast
        values = parse(f"[{','.join(texts)}]")
    except ValueError:
        values = []
        for text in texts:
            with suppress(ValueError):
                values.append(parse(text))
    lines = [value for value in values if isinstance(value, dict)]
    return lines if tail is None else lines[-tail:]


def with_step(lines: list[dict[str, Any]]) -> list[Any]:
    """Return the lines that have a step, as the others are damaged."""
    return [line for line in lines if is_number(line.get("step"), int)]
