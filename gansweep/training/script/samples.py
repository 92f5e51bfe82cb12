"""Read the images that a script has written, `samples/STEP.npz` or `samples/STEP.png`."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gansweep.store.errors import UserError
from gansweep.training.data import Prepared

NAME = re.compile(r"(\d+)\.(npz|png)")
LEAST = 200  # images of a file that is judged: one half for the evaluation, the other for the score

Images = NDArray[np.uint8]


class Incomplete(ValueError):
    """A file cannot be read, perhaps because the script is still writing it."""


def sample_files(folder: Path) -> dict[int, Path]:
    """Return the files of images in the folder {out} by step, in ascending order."""
    found: dict[int, Path] = {}
    for path in sorted((folder / "samples").glob("*")):
        if match := NAME.fullmatch(path.name):
            found[int(match[1])] = path
    return dict(sorted(found.items()))


def read_images(path: Path, data: Prepared) -> Images:
    """Return the images in a file, uint8 N×C×H×W.

    Raises Incomplete if the file cannot be read, and UserError, in one line, if its images are not
    those of `data` in kind and size.
    """
    try:
        return _from_array(path, data) if path.suffix == ".npz" else _from_picture(path, data)
    except UserError:
        raise
    except Exception as error:  # the readers have many ways to refuse a part of a file
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise Incomplete(f"samples/{path.name} cannot be read ({reason})") from None


def _from_array(path: Path, data: Prepared) -> Images:
    where = f"samples/{path.name}"
    with np.load(path, allow_pickle=False) as archive:
        if "images" not in archive.files:
            having = ", ".join(archive.files) or "nothing"
            raise UserError(f"{where} has no array `images`; it has {having}")
        images: NDArray[np.generic] = archive["images"]
    if images.dtype != np.uint8:
        raise UserError(
            f"{where}: images are {images.dtype}, not uint8, 0 to 255: write np.uint8(255 * x) for "
            "x in [0, 1], np.uint8(255 * (x + 1) / 2) for x in [-1, 1]"
        )
    shape, size, channels = images.shape[1:], data.size, data.channels
    if shape == (size, size) and channels == 1:
        images = images[:, None]
    elif shape == (size, size, channels):
        images = images.transpose(0, 3, 1, 2)
    elif shape != (channels, size, size):
        wanted = f"N×{size}×{size}" + ("" if channels == 1 else f"×{channels}")
        made = "×".join(map(str, images.shape))
        raise UserError(f"{where}: images are {made}, not {wanted}, the size of data={data.name}")
    if not len(images):
        raise UserError(f"{where} has no images")
    return np.ascontiguousarray(images, dtype=np.uint8)


def _from_picture(path: Path, data: Prepared) -> Images:
    """Cut a picture into square images, row by row."""
    size = data.size
    with Image.open(path) as picture:
        picture.load()
        pixels = np.asarray(picture.convert("L" if data.channels == 1 else "RGB"))
    height, width = pixels.shape[:2]
    if height % size or width % size:
        raise UserError(
            f"samples/{path.name} has {width}×{height} pixels, not a grid of {size}×{size} images, "
            f"the size of data={data.name}, without gaps"
        )
    tiles = pixels.reshape(height // size, size, width // size, size, data.channels)
    images = tiles.transpose(0, 2, 4, 1, 3).reshape(-1, data.channels, size, size)
    return np.ascontiguousarray(images)


def halves(images: Images) -> tuple[Images, Images]:
    """Return the images for the evaluation and those for the score.

    They differ, so that no image that has helped to choose the best step is in its score.
    """
    middle = len(images) // 2
    return images[:middle], images[middle:]


def check_count(path: Path, images: Images) -> None:
    """Raise UserError if there are too few images for the judge."""
    if len(images) < LEAST:
        raise UserError(
            f"samples/{path.name} has {len(images)} images, too few for the judge: write {LEAST} "
            "or more, or add judge=false"
        )
