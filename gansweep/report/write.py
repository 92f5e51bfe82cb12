"""Writing a report: `REPORTS/NAME/README.md`, its pictures, and the block in another document."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from gansweep.errors import UserError
from gansweep.report.collect import ReportTable, collect
from gansweep.report.markdown import render, render_block
from gansweep.report.thumbnails import write_thumbnails
from gansweep.run import write_file
from gansweep.sweep.manifest import Manifest, manifest_path, read_manifest

IMAGES = "images"


@dataclass
class Report:
    """A written report. images: run id → file name within the report's `images`."""

    path: Path
    manifest: Manifest
    tables: list[ReportTable]
    images: dict[str, str]
    best: list[str] = field(default_factory=list)


def write_report(
    name: str, *, out: str | Path, reports: str | Path, thumbnail: str = "equilibrium"
) -> Report:
    """Build the report of a sweep from its files, as far as they are.

    thumbnail: see `collect`.

    Raises UserError if there is no such sweep or the folder cannot be written.
    """
    manifest = read_manifest(out, name)
    tables = collect(manifest, out, thumbnail)
    folder = Path(reports) / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        images = write_thumbnails(tables, folder / IMAGES)
        relative = {run: f"{IMAGES}/{file}" for run, file in images.items()}
        best, plots = _of_search(manifest, out, folder)
        path = folder / "README.md"
        _write_if_new(path, render(manifest, tables, relative, best, plots))
    except OSError as error:
        raise UserError(
            f"cannot write the report {error.filename or folder}: {error.strerror}; "
            "choose another folder with reports=DIR"
        ) from None
    return Report(path, manifest, tables, images, best)


def _of_search(
    manifest: Manifest, out: str | Path, folder: Path
) -> tuple[list[str], list[tuple[str, str]]]:
    """What the study of a search tells beside its table."""
    if not manifest.search:
        return [], []
    from gansweep.report.study_plots import write_plots
    from gansweep.sweep.study import best_setting, read_study

    study = read_study(manifest.search["storage"], manifest.name, manifest_path(out, manifest.name))
    plots = write_plots(study, folder / IMAGES, manifest.search["label"])
    return best_setting(study, manifest.search["label"]), [
        (alt, f"{IMAGES}/{file}") for alt, file in plots
    ]


def update_block(report: Report, document: Path) -> bool:
    """Put the tables between the document's two markers. Returns whether anything changed.

    Raises UserError if the document or one of its markers is missing.
    """
    name = report.manifest.name
    start, end = f"<!-- gansweep:{name} -->", f"<!-- /gansweep:{name} -->"
    try:
        text = document.read_bytes().decode("utf-8")  # its line ends stay what they are
    except OSError as error:
        raise UserError(f"{document}: {error.strerror}") from None
    if text.count(start) != 1 or text.count(end) != 1 or text.index(start) > text.index(end):
        raise UserError(f"{document} needs the lines {start} and {end}, once each, in this order")
    folder = os.path.relpath((report.path.parent / IMAGES).resolve(), document.resolve().parent)
    prefix = quote(Path(folder).as_posix())
    images = {run: f"{prefix}/{file}" for run, file in report.images.items()}
    block = render_block(report.manifest, report.tables, images)
    before, after = text[: text.index(start)], text[text.index(end) :]
    middle = f"{start}\n\n{block}\n"
    if "\r\n" in text:
        middle = middle.replace("\n", "\r\n")
    return _write_if_new(document, before + middle + after)


def _write_if_new(path: Path, text: str) -> bool:
    data = text.encode("utf-8")
    if path.exists() and path.read_bytes() == data:
        return False
    write_file(path, lambda temporary: temporary.write_bytes(data))
    return True
