"""The files beside a report: thumbnails and logs, its own so that the folder stands alone."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gansweep.report.table.collect import Results
from gansweep.report.table.outcome import Outcome
from gansweep.report.table.text import slug
from gansweep.store.run import write_if_new

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
    """Put there the pictures and the logs that a report shows. Leaves none of an earlier report.

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
    if wanted:
        (folder / IMAGES).mkdir(exist_ok=True)
    for run_id, (run, path) in wanted.items():
        if _put_thumbnail(run, path):
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


def link_picture(source: Path, target: Path) -> bool:
    """Put a picture of a run beside a report. Returns whether it is there.

    A hard link costs no room and a tenth of a new file's time, and a run's files are never
    changed in place; where the folders are on different disks it is a copy.
    """
    if not source.is_file():  # a named pipe is no picture
        return False
    try:
        try:
            os.link(source, target)
        except FileExistsError:
            if not target.samefile(source):
                target.unlink()
                return link_picture(source, target)
        except FileNotFoundError:
            raise
        except OSError:
            write_if_new(target, source.read_bytes())
    except FileNotFoundError:  # the sweep has just begun this run again
        return False
    return True


def _put_thumbnail(run: Outcome, path: Path) -> bool:
    """Put a run's picture there; a note, and False, if it cannot be read."""
    assert run.picture is not None
    try:
        shrunk = _shrunk(run.picture)
    except Exception as error:  # a decoder has many ways to refuse a damaged file
        run.note = f"{run.picture} cannot be read ({type(error).__name__})"
        run.picture = None
        return False
    if shrunk is None:
        return link_picture(run.picture, path)
    write_if_new(path, shrunk)
    return True


def _shrunk(path: Path) -> bytes | None:
    """A picture scaled down to a thumbnail; None if, checked, it is small enough as it is."""
    from PIL import Image

    data = path.read_bytes()
    with Image.open(io.BytesIO(data)) as picture:
        if max(picture.size) <= LARGEST:
            picture.verify()  # its chunks' checksums: much quicker than decoding it
            return None
        picture.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
        shrunk = io.BytesIO()
        picture.save(shrunk, format="PNG", optimize=True)
    return shrunk.getvalue()
