"""`celeba`: the 202,599 aligned faces, 178×218, from torchvision's layout or any folder or zip."""

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

LAST_TRAINED = 162_770  # list_eval_partition.txt: later pictures are for validation and testing
CROP = 108  # pixels: the face within the aligned picture, as in document 004
PLACES = (
    "celeba/img_align_celeba",
    "celeba/img_align_celeba.zip",
    "img_align_celeba",
    "img_align_celeba.zip",
)
BY_HAND = (
    "get img_align_celeba.zip from the CelebA page by hand and set data.root to the zip or to "
    "the folder that holds it"
)


def crop_face(picture: Image.Image, size: int) -> Image.Image:
    """The centre 108×108, resized bilinearly: document 004's preparation.

    Raises ValueError if the picture is smaller than that.
    """
    width, height = picture.size
    if min(width, height) < CROP:
        raise ValueError(f"{width}×{height} is smaller than the {CROP}×{CROP} crop")
    left, top = (width - CROP) // 2, (height - CROP) // 2
    face = picture.crop((left, top, left + CROP, top + CROP))
    return face.resize((size, size), Image.Resampling.BILINEAR)


@dataset("celeba", files=True, stand_in="toyfaces")
def celeba(spec: DataConfig, size: int) -> Source:
    """aligned CelebA faces in data.root; cropped to 108×108 for 28 px, fitted for larger"""
    pictures = Pictures(_find(spec))
    channels = spec.channels or 3
    crop = crop_face if size <= CROP else fit
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
    """How many of these pictures, in the order of their names, are of the official training part.

    None if they are named otherwise, or none is of the official test or validation part.
    """
    stems = [PurePosixPath(name).stem for name in names]
    if not all(len(stem) == 6 and stem.isdigit() for stem in stems):
        return None
    trained = sum(int(stem) <= LAST_TRAINED for stem in stems)
    return trained if 0 < trained < len(names) else None


def _find(spec: DataConfig) -> Path:
    if spec.root is None:
        raise UserError(f"data=celeba needs data.root=FOLDER_OR_ZIP; {BY_HAND}")
    root = Path(spec.root).expanduser()
    if root.is_file():
        return root
    for place in PLACES:
        if (root / place).exists():
            return root / place
    if spec.download:
        _download(root)
        return root / PLACES[0]
    if not root.exists():
        raise UserError(f"{root}: no such folder; {BY_HAND}")
    return root


def _download(root: Path) -> None:
    if find_spec("gdown") is None:
        raise UserError(
            "downloading CelebA needs the package gdown (pip install 'gansweep[celeba]'); or "
            f"{BY_HAND}"
        )
    from torchvision.datasets import CelebA

    try:
        CelebA(str(root), split="all", download=True)
    except Exception as error:  # gdown, zip and network errors of many kinds, all with one remedy
        partial = root / "celeba" / "img_align_celeba.zip"
        if partial.exists() and not zipfile.is_zipfile(partial):
            partial.unlink()  # the next try must not take it for the data
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise UserError(
            f"CelebA could not be downloaded ({reason}; Google Drive's quota is the usual cause): "
            f"{BY_HAND}"
        ) from None
