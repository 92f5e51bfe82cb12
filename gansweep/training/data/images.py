"""Read `images`, which is any folder or zip of pictures, grey or colour, of any size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageOps

from gansweep.store.errors import UserError
from gansweep.training.data.pictures import Pictures
from gansweep.training.data.source import Source, dataset

if TYPE_CHECKING:
    import numpy as np

    from gansweep.params import DataConfig


def fit(picture: Image.Image, size: int) -> Image.Image:
    """Crop a picture to its central square and resize it to `size` pixels, as document 000 does.

    The name of this function is part of the key of the cache.
    """
    return ImageOps.fit(picture, (size, size), Image.Resampling.BILINEAR)


@dataset("images", files=True)
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
    )
