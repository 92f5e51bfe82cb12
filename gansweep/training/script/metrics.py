"""Read the metrics.jsonl that a script writes while it trains."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from gansweep.training.logged import metric_name


class ScriptMetrics:
    """The stream of a script's numbers, of which each call returns the new ones.

    `last` is the last step that was returned: lines of earlier steps are passed over, as a resumed
    script may write them again. `warn` is called with a sentence at the first invalid line.
    """

    def __init__(self, path: Path, last: int, warn: Callable[[str], object] | None) -> None:
        self.path = path
        self.last = last
        self._warn = warn
        self._read = 0  # bytes
        self._lines = 0

    def new(self, *, ended: bool = False) -> Iterator[tuple[int, dict[str, float]]]:
        """Yield (step, numbers by name) of each new line; NaN is a number here.

        `ended` says whether the script has ended, after which a last line needs no line feed.
        """
        for text in self._new_lines(ended):
            self._lines += 1
            line = _parsed(text)
            if line is None:
                self._complain()
            elif line["step"] > self.last:
                self.last = line["step"]
                yield self.last, _numbers(line)

    def _new_lines(self, ended: bool) -> list[bytes]:
        data = b""
        with suppress(OSError), self.path.open("rb") as stream:
            if stream.seek(0, 2) < self._read:  # a resumed script has begun the file anew
                self._read = self._lines = 0
            stream.seek(self._read)
            data = stream.read()
        if not ended:
            data = data[: data.rfind(b"\n") + 1]
        self._read += len(data)
        return [line for line in data.split(b"\n") if line.strip()]

    def _complain(self) -> None:
        if self._warn is not None:
            self._warn(
                f"metrics.jsonl, line {self._lines}, is no JSON object with a whole number `step`; "
                "such lines are left out"
            )
            self._warn = None


def _parsed(text: bytes) -> dict[str, Any] | None:
    """Return the object in a line, or None if it is not valid."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(line, dict) or type(line.get("step")) is not int or line["step"] < 0:
        return None
    return line


def _numbers(line: dict[str, Any]) -> dict[str, float]:
    """Return the numbers of a line by their names in gansweep's files."""
    found = {}
    for name, value in line.items():
        if name != "step" and isinstance(value, int | float) and not isinstance(value, bool):
            found["epoch" if name == "epoch" else metric_name(name)] = value
    return found
