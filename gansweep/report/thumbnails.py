"""The pictures beside a report: copied, never linked, so that the folder stands alone."""

from __future__ import annotations

import io
import re
from pathlib import Path

from gansweep.report.collect import Outcome, ReportTable
from gansweep.run import write_file

LARGEST = 256  # pixels: larger grids are scaled down


def write_thumbnails(tables: list[ReportTable], folder: Path) -> dict[str, str]:
    """Copy every picture; returns run id → file name. Leaves no picture of an earlier report."""
    names: dict[str, str] = {}
    for table in tables:
        for picture in table.pictures:
            for row, cell in table.frame[picture].items():
                for outcome in cell if isinstance(cell, list) else []:
                    _copy(outcome, f"row{row}-{_slug(picture)}", folder, names)
    for path in folder.glob("row*.png"):
        if path.name not in names.values():
            path.unlink()
    return names


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower().removesuffix("output")).strip("-")


def _copy(outcome: Outcome, stem: str, folder: Path, names: dict[str, str]) -> None:
    if outcome.picture is None or outcome.run_id in names:
        return
    try:
        data = _shrunk(outcome.picture)
    except (OSError, SyntaxError, ValueError) as error:
        outcome.note = f"{outcome.picture} cannot be read ({type(error).__name__})"
        outcome.picture = None
        return
    name = f"{stem}.png"
    if name in names.values():  # another seed of the same row
        name = f"{stem}-{outcome.run_id.rpartition('-')[2]}.png"
    if name in names.values():
        name = f"{stem}-{outcome.run_id}.png"
    path = folder / name
    if not path.exists() or path.read_bytes() != data:
        write_file(path, lambda temporary: temporary.write_bytes(data))
    names[outcome.run_id] = name


def _shrunk(path: Path) -> bytes:
    """The file's bytes, checked; scaled down if it is larger than a thumbnail should be."""
    from PIL import Image

    data = path.read_bytes()
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        if max(picture.size) <= LARGEST:
            return data
        picture.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
        shrunk = io.BytesIO()
        picture.save(shrunk, format="PNG", optimize=True)
    return shrunk.getvalue()
