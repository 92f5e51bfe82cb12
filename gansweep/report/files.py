"""The files beside a report: thumbnails and logs, copied so that the folder stands alone."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from gansweep.report.collect import Results
from gansweep.report.outcome import Outcome
from gansweep.report.text import slug
from gansweep.run import write_if_new

LARGEST = 256  # pixels: larger grids are scaled down
IMAGES, LOGS = "images", "logs"


@dataclass
class Files:
    """Paths relative to the document that shows them, by run id."""

    images: dict[str, str] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)

    def seen_from(self, prefix: str) -> Files:
        """The same for a document elsewhere."""
        return Files(*({r: f"{prefix}/{p}" for r, p in of.items()} for of in self._all()))

    def _all(self) -> tuple[dict[str, str], dict[str, str]]:
        return self.images, self.logs


def write_files(results: Results, folder: Path, every: bool = False) -> Files:
    """Copy the pictures and the logs that a report shows. Leaves none of an earlier report.

    every: also the pictures of the seeds that are neither best nor worst.
    """
    files = Files()
    taken: set[str] = set()
    wanted: dict[str, tuple[Outcome, Path]] = {}
    for stem, run in _shown(results, every):
        if run.picture is not None and run.run_id not in wanted:
            name = _free(stem, ".png", run.run_id, taken)
            wanted[run.run_id] = run, folder / IMAGES / name
        if run.log and run.run_id not in files.logs:
            name = _free(stem, ".txt", run.run_id, taken)
            write_if_new(folder / LOGS / name, "\n".join([*run.log, ""]).encode())
            files.logs[run.run_id] = f"{LOGS}/{name}"
    with ThreadPoolExecutor() as pool:  # most of it waits for the disk
        done = pool.map(lambda of: _copy_thumbnail(*of), wanted.values())
        for run_id, copied in zip(wanted, done, strict=True):
            path = wanted[run_id][1]
            if copied:
                files.images[run_id] = f"{IMAGES}/{path.name}"
            else:
                taken.discard(path.name)
    for path in (*(folder / IMAGES).glob("row*.png"), *(folder / LOGS).glob("row*.txt")):
        if path.name not in taken:
            path.unlink()
    return files


def _shown(results: Results, every: bool) -> Iterator[tuple[str, Outcome]]:
    """Each run that a report shows, with the stem of its files' names."""
    for table in results.tables:
        for row in table.rows:
            for heading in table.singles:
                for run in row.singles[heading]:
                    yield f"row{row.number}-{slug(heading)}", run
            for heading in table.pictures:
                cell = row.cells[heading]
                shown = [run for run, _ in cell.pictures()]
                for run in cell.runs:
                    if every or run in shown or run.log:
                        yield f"row{row.number}-{slug(heading)}", run


def _free(stem: str, suffix: str, run_id: str, taken: set[str]) -> str:
    """A name that no other run has: another seed of the same row gets its seed's."""
    for name in (stem, f"{stem}-{run_id.rpartition('-')[2]}", f"{stem}-{run_id}"):
        if name + suffix not in taken:
            break
    taken.add(name + suffix)
    return name + suffix


def _copy_thumbnail(run: Outcome, path: Path) -> bool:
    """Copy a run's picture; a note, and False, if it cannot be read."""
    assert run.picture is not None
    try:
        data = _shrunk(run.picture)
    except Exception as error:  # a decoder has many ways to refuse a damaged file
        run.note = f"{run.picture} cannot be read ({type(error).__name__})"
        run.picture = None
        return False
    write_if_new(path, data)
    return True


def _shrunk(path: Path) -> bytes:
    """The file's bytes, checked; scaled down if it is larger than a thumbnail should be."""
    from PIL import Image

    data = path.read_bytes()
    with Image.open(io.BytesIO(data)) as picture:
        if max(picture.size) <= LARGEST:
            picture.verify()  # its chunks' checksums: much quicker than decoding it
            return data
        picture.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
        shrunk = io.BytesIO()
        picture.save(shrunk, format="PNG", optimize=True)
    return shrunk.getvalue()
