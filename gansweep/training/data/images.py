"""Read `images`, which is any folder or zip of pictures, grey or colour, of any size."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from PIL import Image, ImageOps

from gansweep.store.errors import UserError
from gansweep.training.data.pictures import Pictures
from gansweep.training.data.source import Classes, Source, dataset

if TYPE_CHECKING:
    import numpy as np

    from gansweep.params import DataConfig


def fit(picture: Image.Image, size: int) -> Image.Image:
    """Crop a picture to its central square and resize it to `size` pixels, as document 000 does.

    The name of this function is part of the key of the cache.
    """
    return ImageOps.fit(picture, (size, size), Image.Resampling.BILINEAR)


@dataset("images", files=True, classes=True)
def images(spec: DataConfig, size: int) -> Source:
    """your own pictures: data=images data.root=FOLDER_OR_ZIP"""
    if spec.root is None:
        raise UserError("data=images needs data.root=FOLDER_OR_ZIP, where the pictures are")
    root = Path(spec.root).expanduser()
    pictures = Pictures(root)

    def load(numbers: np.ndarray) -> np.ndarray:
        channels = spec.channels or pictures.channels()
        return pictures.read(numbers, lambda p: fit(p, size), size, channels, root.name)

    return Source(
        key=pictures.key(),
        count=len(pictures.names),
        load=load,
        label=f"{root.resolve().stem.capitalize()} Output",
        classes=Classes({"folders": True}, lambda numbers: folders(pictures, numbers)),
    )


def folders(pictures: Pictures, numbers: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Return the classes of pictures, as torchvision's ImageFolder does: the first folder of each.

    A folder that holds the whole zip does not count. Returns the names of all classes and the class
    numbers of the pictures `numbers`. Raises UserError for a picture that lies in no folder.
    """
    import numpy as np

    parts = [PurePosixPath(name).parts for name in pictures.names]
    if pictures.is_zip and min(map(len, parts)) > 2 and len({part[0] for part in parts}) == 1:
        parts = [part[1:] for part in parts]
    outside = [name for name, part in zip(pictures.names, parts, strict=True) if len(part) < 2]
    if outside:
        raise UserError(
            f"labels=true needs a folder for each class in {pictures.where}, and {outside[0]} lies "
            "in none"
        )
    found = [part[0] for part in parts]
    names, classes = np.unique(found, return_inverse=True)
    return names.tolist(), classes[numbers]
