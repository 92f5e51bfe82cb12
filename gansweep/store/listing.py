"""The listing of a sweep: a file in which its workers tell each other which runs need no look.

It spares each of many workers a look at the folders of all runs. It is a cache, as the folders of
the runs are the truth: a line that is missing, stale or cut costs time and never a run. So lines
are appended without a lock, and a line that another host has overwritten is lost.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from gansweep.store.manifest import manifest_path
from gansweep.store.run import write_text

BEGUN, ENDED, FREE = "begun", "ended", "free"


class Listing:
    """What the workers of a sweep have told so far.

    begun: the runs that were begun and have not ended; ended: those that are done, or have failed
    and are not to be trained again.
    """

    def __init__(self, out: str | Path, name: str) -> None:
        self.path = listing_path(out, name)
        self.begun: set[str] = set()
        self.ended: set[str] = set()
        self._read_until = 0  # bytes
        self._untold: list[str] = []

    def read(self) -> list[str]:
        """Read the lines that were appended since the last call. Returns the runs in them."""
        data = b""
        with suppress(OSError), self.path.open("rb") as stream:
            if os.fstat(stream.fileno()).st_size < self._read_until:
                self._read_until = 0  # the sweep's command has begun a new listing
            stream.seek(self._read_until)
            data = stream.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read_until += len(whole)
        lines = [line.partition(" ") for line in whole.decode("ascii", "replace").splitlines()]
        for word, _, run_id in lines:
            self._take(word, run_id)
        return [run_id for _, _, run_id in lines]

    def tell(self, word: str, run_id: str) -> None:
        """Remember a line, which the next `write` appends."""
        self._take(word, run_id)
        self._untold.append(_line(word, run_id))

    def write(self) -> None:
        """Append the lines that were not yet told."""
        if not self._untold:
            return
        with suppress(OSError):  # it is only a cache
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                os.write(handle, "".join(self._untold).encode())
            finally:
                os.close(handle)
        self._untold.clear()

    def _take(self, word: str, run_id: str) -> None:
        if word == BEGUN and run_id not in self.ended:
            self.begun.add(run_id)
        elif word == ENDED:
            self.begun.discard(run_id)
            self.ended.add(run_id)
        elif word == FREE:
            self.begun.discard(run_id)
            self.ended.discard(run_id)


def listing_path(out: str | Path, name: str) -> Path:
    """Return the path of a sweep's listing."""
    return manifest_path(out, name).with_name("listing")


def begin_listing(out: str | Path, name: str, ended: Iterable[str]) -> None:
    """Replace the listing of a sweep by one of the runs that need no training."""
    write_text(listing_path(out, name), "".join(_line(ENDED, run_id) for run_id in ended))


def _line(word: str, run_id: str) -> str:
    return f"{word} {run_id}\n"
