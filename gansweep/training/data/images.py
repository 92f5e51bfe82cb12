"""`images`: any folder or zip of pictures, grey or colour, of any size."""

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
    """Centre crop to a square and resize, as document 000 did."""
    return ImageOps.fit(picture, (size, size), Image.Resampling.BILINEAR)


@dataset("images", files=True)
def images(spec: DataConfig, size: int) -> Source:
    """your own pictures: data=images data.root=FOLDER_OR_ZIP"""
    if spec.root is None:
        raise UserError("data=images needs data.root=FOLDER_OR_ZIP, where the pictures are")
    where = Path(spec.root).expanduser()
    pictures = Pictures(where)

    def load(numbers: np.ndarray) -> np.ndarray:
        channels = spec.channels or pictures.channels()
        return pictures.read(numbers, lambda p: fit(p, size), size, channels, where.name)

    return Source(
        key=pictures.key(),
        count=len(pictures.names),
        load=load,
        label=f"{where.resolve().stem.capitalize()} Output",
    )
