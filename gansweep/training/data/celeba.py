"""Read `celeba`, 202,599 aligned faces of 178×218 pixels (Liu et al. 2015).

The pictures are in torchvision's layout, in any folder or in a zip.
"""

from __future__ import annotations

import zipfile
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from PIL import Image

from gansweep.store.errors import UserError
from gansweep.training.data.images import fit
from gansweep.training.data.pictures import Pictures
from gansweep.training.data.source import Source, dataset

if TYPE_CHECKING:
    from gansweep.params import DataConfig

LAST_TRAINED = 162_770  # In list_eval_partition.txt, later pictures are for validation and test.
CROP_PIXELS = 108  # Document 004 crops the aligned picture to a face of this size.
KNOWN_PATHS = (
    "celeba/img_align_celeba",
    "celeba/img_align_celeba.zip",
    "img_align_celeba",
    "img_align_celeba.zip",
)
MANUAL_REMEDY = (
    "get img_align_celeba.zip from the CelebA page and set data.root to the zip or to "
    "the folder that holds it"
)


def crop_face(picture: Image.Image, size: int) -> Image.Image:
    """Return the centre 108×108 pixels, resized bilinearly to `size`, as document 004 does.

    Raises ValueError if the picture is smaller than 108×108. The name of this function is part of
    the key of the cache.
    """
    width, height = picture.size
    if min(width, height) < CROP_PIXELS:
        raise ValueError(f"{width}×{height} is smaller than the {CROP_PIXELS}×{CROP_PIXELS} crop")
    left, top = (width - CROP_PIXELS) // 2, (height - CROP_PIXELS) // 2
    face = picture.crop((left, top, left + CROP_PIXELS, top + CROP_PIXELS))
    return face.resize((size, size), Image.Resampling.BILINEAR)


@dataset("celeba", files=True, stand_in="toyfaces")
def celeba(spec: DataConfig, size: int) -> Source:
    """aligned CelebA faces in data.root; cropped to 108×108 for 28 px, fitted for larger"""
    pictures = Pictures(_find(spec))
    channels = spec.channels or 3
    crop = crop_face if size <= CROP_PIXELS else fit
    return Source(
        key={**pictures.key(), "crop": crop.__name__},
        count=len(pictures.names),
        load=lambda chosen: pictures.read(
            chosen, lambda p: crop(p, size), size, channels, "celeba"
        ),
        label="Celeb Output",
        trained=_trained(pictures.names),
    )


def _trained(names: list[str]) -> int | None:
    """Return how many of the sorted `names` belong to the official training part.

    Returns None if the names are not those of CelebA, or if all or none belong to that part.
    """
    stems = [PurePosixPath(name).stem for name in names]
    if not all(len(stem) == 6 and stem.isdigit() for stem in stems):
        return None
    trained = sum(int(stem) <= LAST_TRAINED for stem in stems)
    return trained if 0 < trained < len(names) else None


def _find(spec: DataConfig) -> Path:
    """Return the folder or zip with the pictures; download it if `data.download` is set."""
    if spec.root is None:
        raise UserError(f"data=celeba needs data.root=FOLDER_OR_ZIP; {MANUAL_REMEDY}")
    root = Path(spec.root).expanduser()
    if root.is_file():
        return root
    for path in KNOWN_PATHS:
        if (root / path).exists():
            return root / path
    if spec.download:
        _download(root)
        return root / KNOWN_PATHS[0]
    if not root.exists():
        raise UserError(f"the folder {root} does not exist; {MANUAL_REMEDY}")
    return root


def _download(root: Path) -> None:
    """Download CelebA to `root`. Raises UserError, with the remedy, if this fails."""
    if find_spec("gdown") is None:
        raise UserError(
            "downloading CelebA needs the package gdown (pip install 'gansweep[celeba]'); or "
            f"{MANUAL_REMEDY}"
        )
    from torchvision.datasets import CelebA

    try:
        CelebA(str(root), split="all", download=True)
    except Exception as error:  # A download fails in many ways with one remedy.
        partial = root / "celeba" / "img_align_celeba.zip"
        if partial.exists() and not zipfile.is_zipfile(partial):
            partial.unlink()  # The next attempt must not use this as the data.
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise UserError(
            f"CelebA could not be downloaded ({reason}; Google Drive's quota is the usual cause): "
            f"{MANUAL_REMEDY}"
        ) from None
