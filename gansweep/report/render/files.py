"""Write a report's copies of pictures and logs, so that its folder needs no other files."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gansweep.report.table.collect import Results
from gansweep.report.table.outcome import Outcome
from gansweep.report.table.text import slug
from gansweep.store.run import write_if_new

MAX_SIDE = 256  # pixels; larger pictures are scaled down
IMAGES, LOGS = "images", "logs"


@dataclass
class Files:
    """Paths of pictures and logs by run id, relative to the document that shows the files."""

    images: dict[str, str] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)

    def seen_from(self, prefix: str) -> Files:
        """Return the paths for a document in another folder; `prefix` leads from there to here."""
        return Files(*({r: f"{prefix}/{p}" for r, p in of.items()} for of in self._all()))

    def _all(self) -> tuple[dict[str, str], dict[str, str]]:
        return self.images, self.logs


def write_files(results: Results, folder: Path, every: bool = False) -> Files:
    """Write the pictures and logs of a report into `folder`, and delete those of earlier reports.

    every: also write the pictures of seeds that are neither the best nor the worst.
    """
    files = Files()
    taken: set[str] = set()
    wanted: dict[str, tuple[Outcome, Path]] = {}
    for stem, run in _shown(results, every):
        if run.picture is not None and run.run_id not in wanted:
            name = _free_name(stem, ".png", run.run_id, taken)
            wanted[run.run_id] = run, folder / IMAGES / name
        if run.log and run.run_id not in files.logs:
            name = _free_name(stem, ".txt", run.run_id, taken)
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
    """Yield each run that a report shows, with the stem of its file names."""
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


def _free_name(stem: str, suffix: str, run_id: str, taken: set[str]) -> str:
    """Return an unused file name and add it to `taken`; further seeds of a row add `-sSEED`."""
    for name in (stem, f"{stem}-{run_id.rpartition('-')[2]}", f"{stem}-{run_id}"):
        if name + suffix not in taken:
            break
    taken.add(name + suffix)
    return name + suffix


def link_picture(source: Path, target: Path) -> bool:
    """Link or copy a run's picture to a report's folder. Returns whether the target exists.

    A hard link needs no disk space and a tenth of the time of a copy. It is safe, as a run's files
    are replaced and never changed in place. Between file systems, the picture is copied.
    """
    if not source.is_file():  # for example a named pipe
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
    except FileNotFoundError:  # a sweep has just restarted this run
        return False
    return True


def _put_thumbnail(run: Outcome, path: Path) -> bool:
    """Write a run's thumbnail. If the picture is not readable, set the note and return False."""
    assert run.picture is not None
    try:
        shrunk = _shrunk(run.picture)
    except Exception as error:  # a decoder has many ways to refuse a damaged file
        _refuse(run, error)
        return False
    if shrunk is None:
        return link_picture(run.picture, path)
    write_if_new(path, shrunk)
    return True


def _refuse(run: Outcome, error: Exception) -> None:
    """Replace the picture of a run by a note, as it is not readable."""
    run.note = f"{run.picture} cannot be read ({type(error).__name__})"
    run.picture = None


def inline_files(results: Results) -> Files:
    """Return the pictures of a report as data URIs, for a document without a folder.

    A picture that is not readable is replaced by a note. Logs are left out.
    """
    files = Files()
    for _, run in _shown(results, every=False):
        if run.picture is not None and run.run_id not in files.images:
            try:
                files.images[run.run_id] = data_uri(run.picture)
            except Exception as error:  # a decoder has many ways to refuse a damaged file
                _refuse(run, error)
    return files


def data_uri(path: Path) -> str:
    """Return a picture, scaled down to MAX_SIDE, as a data URI.

    Raises an exception of many kinds if the picture is not readable.
    """
    data = _shrunk(path) or path.read_bytes()
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def _shrunk(path: Path) -> bytes | None:
    """Return a picture scaled down as PNG; None for an intact picture that is small enough."""
    from PIL import Image

    data = path.read_bytes()
    with Image.open(io.BytesIO(data)) as picture:
        if max(picture.size) <= MAX_SIDE:
            picture.verify()  # checks the checksums, much faster than decoding
            return None
        picture.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
        shrunk = io.BytesIO()
        picture.save(shrunk, format="PNG", optimize=True)
    return shrunk.getvalue()
