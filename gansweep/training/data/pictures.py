"""Reading many picture files, from a folder or a zip, into one array."""

from __future__ import annotations

import io
import warnings
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from gansweep.store.errors import UserError
from gansweep.terminal.console import track

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm"}
# What PIL and zipfile raise for damaged, encrypted, oddly packed or monstrous files.
UNREADABLE = (
    OSError, SyntaxError, ValueError, RuntimeError, NotImplementedError, EOFError, zlib.error,
    zipfile.BadZipFile, Image.DecompressionBombError,
)  # fmt: skip
# Pillow warns of 90 megapixels, which only take their time, and refuses twice as many.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
NAMED = 10  # unusable files that a message names
GREY_MODES = {"1", "L", "LA", "I", "I;16", "F"}


def _is_picture(path: PurePath) -> bool:
    """By its name; `._x.jpg` are macOS's notes about x.jpg."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith("._")


class Pictures:
    """The picture files of a folder (with its subfolders) or of a zip, in the order of names.

    Raises UserError if there are none, if the zip is damaged or if an entry leaves its folder.
    """

    def __init__(self, where: Path) -> None:
        self.where = where
        self._zip: zipfile.ZipFile | None = None
        if where.is_dir():
            names = [
                p.relative_to(where).as_posix()
                for p in where.rglob("*")
                if _is_picture(p) and p.is_file()
            ]
        elif where.is_file():
            names = self._open_zip()
        else:
            raise UserError(f"{where}: no such folder or zip; set data.root to the pictures")
        if not names:
            raise UserError(
                f"{where}: no pictures in it ({', '.join(sorted(SUFFIXES))}); "
                "set data.root to a folder or zip that holds some"
            )
        self.names = sorted(names)

    def _open_zip(self) -> list[str]:
        try:
            self._zip = zipfile.ZipFile(self.where)
        except (zipfile.BadZipFile, OSError) as error:
            raise UserError(
                f"{self.where}: not a readable zip ({error}); set data.root to a folder or a zip"
            ) from None
        names = []
        for name in self._zip.namelist():
            path = PurePosixPath(name.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts or ":" in "".join(path.parts[:1]):
                raise UserError(
                    f"{self.where}: its entry {name!r} points outside the zip; "
                    "pack the pictures again with plain relative names"
                )
            if _is_picture(path):
                names.append(name)
        return names

    def key(self) -> dict[str, Any]:
        """What decides the pixels: names, sizes and times of the files."""
        if self._zip is not None:
            files = [[n, self._zip.getinfo(n).CRC] for n in self.names]
        else:
            stats = ((n, (self.where / n).stat()) for n in self.names)
            files = [[n, s.st_size, s.st_mtime_ns] for n, s in stats]
        return {"files": files}

    def open(self, name: str) -> Image.Image:
        """The picture, its header read. Raises UserError, naming the file, if it is none."""
        try:
            if self._zip is None:
                return Image.open(self.where / name)
            return Image.open(io.BytesIO(self._zip.read(name)))
        except UNREADABLE as error:
            raise self._unreadable(name, error) from None

    def _unreadable(self, name: str, error: Exception) -> UserError:
        why = str(error) if isinstance(error, ValueError) else type(error).__name__
        return UserError(
            f"{self.where / name}: not a usable picture ({why}); "
            "remove it or replace it with an intact one"
        )

    def channels(self) -> int:
        """1 if every picture is grey, else 3, from the headers; `read` names what has none."""
        for name in self.names:
            with suppress(UserError), self.open(name) as picture:
                if picture.mode not in GREY_MODES:
                    return 3
        return 1

    def read(
        self,
        numbers: np.ndarray,
        fit: Callable[[Image.Image], Image.Image],
        size: int,
        channels: int,
        what: str,
    ) -> np.ndarray:
        """Pictures by their numbers, decoded in parallel: uint8 N×C×size×size.

        fit: crops and resizes one picture to size × size.
        """
        names = [self.names[number] for number in numbers]

        def one(name: str) -> np.ndarray | UserError:
            try:
                return pixels_of(name)
            except UserError as error:  # kept, so that one message can name them all
                return error

        def pixels_of(name: str) -> np.ndarray:
            with self.open(name) as picture:
                try:
                    upright = ImageOps.exif_transpose(picture)
                    pixels = np.asarray(fit(_shades(upright, channels)))
                except UNREADABLE as error:
                    raise self._unreadable(name, error) from None
            return pixels.reshape(size, size, channels).transpose(2, 0, 1)

        result = np.empty((len(names), channels, size, size), np.uint8)
        pool = ThreadPoolExecutor()  # PIL decodes without holding the interpreter's lock
        try:
            decoded = track(pool.map(one, names), len(names), f"data: reading {what}")
            faults = {}
            for i, picture in enumerate(decoded):
                if isinstance(picture, UserError):
                    faults[names[i]] = picture
                else:
                    result[i] = picture
        finally:
            pool.shutdown(cancel_futures=True)
        if len(faults) == 1:
            raise faults.popitem()[1]
        if faults:
            listed = ", ".join(list(faults)[:NAMED])
            more = f" and {len(faults) - NAMED} more" if len(faults) > NAMED else ""
            raise UserError(
                f"{self.where}: {len(faults)} pictures are not usable: {listed}{more}; "
                "remove them or replace them with intact ones"
            )
        return result


def _shades(picture: Image.Image, channels: int) -> Image.Image:
    """In 8-bit grey or colour; transparent parts become white, deep greys are scaled."""
    if picture.mode in ("I", "I;16", "F"):
        deep = np.asarray(picture, dtype=np.float64)
        top = 65535 if deep.max() > 255 else 255
        picture = Image.fromarray((deep.clip(0, top) * (255 / top)).round().astype(np.uint8))
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture.convert("L" if channels == 1 else "RGB")
