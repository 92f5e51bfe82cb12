"""A data set of one's own: drawn discs, squares and triangles, with the shape as the label.

python -m gansweep -m data=examples.shapes:shapes data.filled=true,false lr=2e-4,1e-3
"""

from typing import Annotated

import numpy as np
from PIL import Image, ImageDraw

import gansweep

SHAPES = ("disc", "square", "triangle")
SCALE = 4  # each picture is drawn larger and then reduced, so that its edges are smooth


def shapes(
    image_size: int,
    count: Annotated[int, gansweep.option("number of pictures", low=1)] = 3000,
    filled: bool = True,
) -> tuple[list[Image.Image], list[str]]:
    """drawn discs, squares and triangles, grey"""
    rng = np.random.default_rng(0)
    labels = [SHAPES[i] for i in rng.integers(len(SHAPES), size=count)]
    return [draw(rng, image_size * SCALE, name, filled) for name in labels], labels


def draw(rng: np.random.Generator, size: int, name: str, filled: bool) -> Image.Image:
    """Draw one shape of random place, radius and angle; gansweep reduces the picture."""
    picture = Image.new("L", (size, size))
    x, y = rng.uniform(0.35, 0.65, 2) * size
    circle = (x, y, rng.uniform(0.15, 0.3) * size)
    sides = {"disc": 40, "square": 4, "triangle": 3}[name]
    form = {"fill": 255} if filled else {"outline": 255, "width": size // 10}
    ImageDraw.Draw(picture).regular_polygon(circle, sides, rng.uniform(0, 360), **form)
    return picture
