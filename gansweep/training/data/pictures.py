"""Read many picture files, from a folder or a zip, into one array."""

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
# PIL and zipfile raise these for damaged, encrypted, unusually packed or huge files.
UNREADABLE = (
    OSError, SyntaxError, ValueError, RuntimeError, NotImplementedError, EOFError, zlib.error,
    zipfile.BadZipFile, Image.DecompressionBombError,
)  # fmt: skip
# Pillow warns about pictures of 90 megapixels, which are only slow, and refuses twice as many.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
MAX_NAMED_FILES = 10  # A message names at most this many unusable files.
GREY_MODES = {"1", "L", "LA", "I", "I;16", "F"}


def _is_picture(path: PurePath) -> bool:
    """Return whether `path` has a picture's suffix and is no macOS metadata file (`._x.jpg`)."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith("._")


class Pictures:
    """This class reads the picture files in a folder, its subfolders or a zip, sorted by name.

    Raises UserError if there are no pictures, if the zip is damaged, or if an entry of the zip
    points outside it.
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
            raise UserError(f"{where} is no folder and no zip; set data.root to the pictures")
        if not names:
            raise UserError(
                f"{where} has no pictures in it ({', '.join(sorted(SUFFIXES))}); "
                "set data.root to a folder or zip with pictures"
            )
        self.names = sorted(names)

    def _open_zip(self) -> list[str]:
        """Open the zip and return the names of its pictures."""
        try:
            self._zip = zipfile.ZipFile(self.where)
        except (zipfile.BadZipFile, OSError) as error:
            raise UserError(
                f"{self.where} is not a readable zip ({error}); set data.root to a folder or a zip"
            ) from None
        names = []
        for name in self._zip.namelist():
            path = PurePosixPath(name.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts or ":" in "".join(path.parts[:1]):
                raise UserError(
                    f"the entry {name!r} of {self.where} points outside the zip; "
                    "pack the pictures again with plain relative names"
                )
            if _is_picture(path):
                names.append(name)
        return names

    @property
    def is_zip(self) -> bool:
        return self._zip is not None

    def key(self) -> dict[str, Any]:
        """Return the part of the cache's key that says which files these are, as JSON."""
        if self._zip is not None:
            files = [[n, self._zip.getinfo(n).CRC] for n in self.names]
        else:
            stats = ((n, (self.where / n).stat()) for n in self.names)
            files = [[n, s.st_size, s.st_mtime_ns] for n, s in stats]
        return {"files": files}

    def open(self, name: str) -> Image.Image:
        """Open a picture and read its header.

        Raises UserError, which names the file, if the file is not a readable picture.
        """
        try:
            if self._zip is None:
                return Image.open(self.where / name)
            return Image.open(io.BytesIO(self._zip.read(name)))
        except UNREADABLE as error:
            raise self._unreadable(name, error) from None

    def _unreadable(self, name: str, error: Exception) -> UserError:
        """Return the error that names the file, the reason and the remedy."""
        why = str(error) if isinstance(error, ValueError) else type(error).__name__
        return UserError(
            f"{self.where / name} is not a usable picture ({why}); "
            "remove it or replace it with an intact one"
        )

    def channels(self) -> int:
        """Return 1 if the headers say that every picture is grey, else 3.

        Files without a readable header do not count; `read` names them.
        """
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
        """Decode the pictures `numbers` of `names` in parallel, as uint8 N×C×size×size.

        `fit` crops and resizes one picture to size × size, and `what` names the data in the
        progress bar. Raises UserError, which names all unusable files.
        """
        names = [self.names[number] for number in numbers]

        def decode_or_error(name: str) -> np.ndarray | UserError:
            try:
                return decode(name)
            except UserError as error:  # One message names all unusable files in the end.
                return error

        def decode(name: str) -> np.ndarray:
            with self.open(name) as picture:
                try:
                    upright = ImageOps.exif_transpose(picture)
                    pixels = np.asarray(fit(convert(upright, channels)))
                except UNREADABLE as error:
                    raise self._unreadable(name, error) from None
            return pixels.reshape(size, size, channels).transpose(2, 0, 1)

        result = np.empty((len(names), channels, size, size), np.uint8)
        pool = ThreadPoolExecutor()  # PIL releases the interpreter's lock while it decodes.
        try:
            decoded = track(pool.map(decode_or_error, names), len(names), f"data: reading {what}")
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
            listed = ", ".join(list(faults)[:MAX_NAMED_FILES])
            unnamed = len(faults) - MAX_NAMED_FILES
            more = f" and {unnamed} more" if unnamed > 0 else ""
            raise UserError(
                f"{len(faults)} pictures in {self.where} are not usable: {listed}{more}; "
                "remove them or replace them with intact ones"
            )
        return result


def convert(picture: Image.Image, channels: int) -> Image.Image:
    """Convert a picture to 8-bit grey (one channel) or RGB.

    Transparent parts become white, and greys of more than 8 bits are scaled.
    """
    if picture.mode in ("I", "I;16", "F"):
        values = np.asarray(picture, dtype=np.float64)
        top = 65535 if values.max() > 255 else 255
        picture = Image.fromarray((values.clip(0, top) * (255 / top)).round().astype(np.uint8))
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture.convert("L" if channels == 1 else "RGB")
