"""Draw `toyfaces`, 10,000 colour faces that stand in for CelebA where there are no photographs.

Every face consists of soft-edged ellipses on a square from −1 to 1 (y points down). A whole batch
is drawn at once, and the same number gives the same face at every size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gansweep.terminal.console import track
from gansweep.training.data.source import Source, dataset

if TYPE_CHECKING:
    from gansweep.params import DataConfig

FACE_COUNT = 10_000
DRAWING_VERSION = 1  # The version is part of the cache's key.
FACES_PER_BATCH = 100

SKIN = np.array(
    [[255, 224, 196], [241, 194, 155], [224, 172, 125], [198, 134, 88], [141, 85, 48], [92, 58, 36]]
)
HAIR = np.array(
    [[28, 22, 20], [62, 40, 26], [110, 70, 36], [176, 128, 66], [226, 196, 130], [150, 62, 32],
     [160, 160, 164]]
)  # fmt: skip
IRIS = np.array([[70, 44, 24], [100, 70, 34], [60, 96, 70], [70, 110, 160], [90, 100, 110]])


@dataset("toyfaces", files=False, note="drawn, not photographed")
def toyfaces(spec: DataConfig, size: int) -> Source:
    """10,000 drawn (not photographed) colour faces; no network, no files"""

    def load(numbers: np.ndarray) -> np.ndarray:
        faces = np.empty((len(numbers), 3, size, size), np.uint8)
        starts = range(0, len(numbers), FACES_PER_BATCH)
        for start in track(starts, len(starts), "data: drawing toyfaces"):
            batch = slice(start, start + FACES_PER_BATCH)
            faces[batch] = draw(numbers[batch], size)
        if spec.channels == 1:
            grey = faces.transpose(0, 2, 3, 1) @ np.array([0.299, 0.587, 0.114])
            return grey.round().astype(np.uint8)[:, None]
        return faces

    return Source({"drawing": DRAWING_VERSION}, FACE_COUNT, load, "Drawn Face Output")


class _Canvas:
    """A canvas holds a batch of pictures, B×S×S×3, and the coordinates of their pixels, B×S×S."""

    def __init__(self, batch: int, size: int) -> None:
        self.pixel = 2 / size
        centres = ((np.arange(size) + 0.5) * self.pixel - 1).astype(np.float32)
        self.x = np.broadcast_to(centres[None, None, :], (batch, size, size))
        self.y = np.broadcast_to(centres[None, :, None], (batch, size, size))
        self.rgb = np.zeros((batch, size, size, 3), np.float32)

    def pose(self, cx: np.ndarray, cy: np.ndarray, roll: np.ndarray, scale: np.ndarray) -> None:
        """Draw from now on in the frame of a head at (cx, cy), turned by `roll` radians."""
        x, y = self.x - _map(cx), self.y - _map(cy)
        cos, sin = _map(np.cos(roll)), _map(np.sin(roll))
        self.x, self.y = (x * cos + y * sin) / _map(scale), (y * cos - x * sin) / _map(scale)

    def edge(self, distance: np.ndarray) -> np.ndarray:
        """Return the coverage, 0 to 1, of pixels that lie `distance` inside a shape's border."""
        return np.clip(distance / self.pixel + 0.5, 0, 1)

    def ellipse(self, cx, cy, rx, ry, bend=0.0) -> np.ndarray:  # type: ignore[no-untyped-def]
        """Return the coverage, B×S×S, by an ellipse, which `bend` curves like a smile."""
        rx, ry = _map(rx), _map(ry)
        dx = self.x - _map(cx)
        dy = self.y - _map(cy) + _map(bend) * dx * dx
        # This first-order distance to the border is exact along the axes, so thin shapes stay thin.
        radius = np.sqrt((dx / rx) ** 2 + (dy / ry) ** 2)
        slope = np.sqrt((dx / rx**2) ** 2 + (dy / ry**2) ** 2)
        coverage = self.edge((1 - radius) * radius / np.maximum(slope, 1e-6))
        # A shape that is thinner than a pixel cannot cover the pixel.
        return coverage * np.minimum(1, 2 * np.minimum(rx, ry) / self.pixel)

    def paint(self, coverage: np.ndarray, colour: np.ndarray, strength=1.0) -> None:  # type: ignore[no-untyped-def]
        """Blend `colour` (B×3 or B×S×S×3, 0 to 255) over the canvas by `coverage` (B×S×S)."""
        if colour.ndim == 2:
            colour = colour[:, None, None, :].astype(np.float32)
        alpha = (coverage * _map(strength))[..., None]
        self.rgb = self.rgb * (1 - alpha) + colour * alpha


def _map(value: object) -> np.ndarray:
    """Reshape one number for each picture, (B,), to B×1×1; keep a single number as it is."""
    array = np.asarray(value, dtype=np.float32)
    return array if array.ndim == 0 else array[:, None, None]


def draw(numbers: np.ndarray, size: int) -> np.ndarray:
    """Return the faces with these numbers, (B,), as uint8 B×3×size×size."""
    n = len(numbers)
    streams = [np.random.default_rng([2013, int(i)]) for i in numbers]
    uniform = np.stack([stream.random(48) for stream in streams])
    column = iter(range(uniform.shape[1]))

    def between(low: float, high: float) -> np.ndarray:
        return low + (high - low) * uniform[:, next(column)]

    def chance(share: float) -> np.ndarray:
        return (uniform[:, next(column)] < share).astype(float)

    def pick(palette: np.ndarray, vary: float) -> np.ndarray:
        chosen = palette[(uniform[:, next(column)] * len(palette)).astype(int)]
        return np.clip(chosen * between(1 - vary, 1 + vary)[:, None], 0, 255)

    def colour(low: float, high: float) -> np.ndarray:
        return np.stack([between(low, high) for _ in range(3)], axis=1)

    canvas = _Canvas(n, size)
    _background(canvas, colour(30, 230), colour(30, 230), between(-1, 1), between(-1, 1))

    yaw = between(-1, 1)
    canvas.pose(
        between(-0.12, 0.12) + 0.06 * yaw, between(-0.08, 0.1), between(-0.22, 0.22),
        between(0.92, 1.18),
    )  # fmt: skip
    skin, hair, iris = pick(SKIN, 0.12), pick(HAIR, 0.2), pick(IRIS, 0.25)
    half_width, half_height = between(0.44, 0.54), between(0.6, 0.7)
    light = between(-0.35, 0.35)
    shade = 1 + _map(light) * canvas.x - 0.12 * canvas.y
    lit_skin = np.clip(skin[:, None, None, :].astype(np.float32) * shade[..., None], 0, 255)

    _body(canvas, hair, skin, colour(20, 220), half_width, chance(0.45), between(0.5, 1.0))
    head = canvas.ellipse(0.0, 0.0, half_width, half_height)
    canvas.paint(canvas.ellipse(-half_width, 0.02, 0.09, 0.14), skin * 0.9, 0.5 - 0.5 * yaw)
    canvas.paint(canvas.ellipse(half_width, 0.02, 0.09, 0.14), skin * 0.9, 0.5 + 0.5 * yaw)
    canvas.paint(head, lit_skin)

    shift = 0.14 * yaw  # A turned head moves its features sideways.
    beard = canvas.edge(canvas.y - 0.2 - 0.5 * canvas.x**2) * head
    canvas.paint(beard, hair * 0.8, 0.75 * chance(0.22))
    _mouth(canvas, skin, shift, between(0.12, 0.2), between(-0.6, 1.6), chance(0.4))
    canvas.paint(canvas.ellipse(shift * 1.3 + 0.03, 0.12, 0.05, 0.13), skin * 0.8, 0.7)
    canvas.paint(canvas.ellipse(shift * 1.3 + 0.01, 0.1, 0.035, 0.12), np.minimum(skin * 1.08, 255))
    _eyes(canvas, hair, iris, shift, between(0.18, 0.23), between(0.035, 0.065), chance(0.16))

    parting, hairline = between(-0.25, 0.25), between(-0.42, -0.26)
    cap = canvas.ellipse(0.0, -0.03, half_width + 0.06, half_height + 0.05)
    front = canvas.edge(_map(hairline) + 0.9 * (canvas.x - _map(parting)) ** 2 - canvas.y)
    gloss = np.clip(hair[:, None, None, :].astype(np.float32) * (shade + 0.15)[..., None], 0, 255)
    canvas.paint(cap * front, gloss, 1 - chance(0.08))
    return canvas.rgb.round().clip(0, 255).astype(np.uint8).transpose(0, 3, 1, 2)


def _background(
    canvas: _Canvas, near: np.ndarray, far: np.ndarray, dx: np.ndarray, dy: np.ndarray
) -> None:
    blend = np.clip(0.5 + 0.35 * (_map(dx) * canvas.x + _map(dy) * canvas.y), 0, 1)[..., None]
    mixed = near[:, None, None, :] * blend + far[:, None, None, :] * (1 - blend)
    canvas.rgb = mixed.astype(np.float32)


def _body(
    canvas: _Canvas, hair: np.ndarray, skin: np.ndarray, clothes: np.ndarray,
    half_width: np.ndarray, is_long: np.ndarray, length: np.ndarray,
) -> None:  # fmt: skip
    """Paint long hair (where `is_long`), the neck and the shoulders."""
    canvas.paint(
        canvas.ellipse(0.0, 0.15, half_width + 0.17, 0.62 + 0.3 * length), hair * 0.85, is_long
    )
    canvas.paint(canvas.ellipse(0.0, 0.7, 0.22, 0.4), skin * 0.82)
    canvas.paint(canvas.ellipse(0.0, 1.45, 0.95, 0.62), clothes)


def _mouth(
    canvas: _Canvas, skin: np.ndarray, shift: np.ndarray, half_width: np.ndarray,
    smile: np.ndarray, teeth: np.ndarray,
) -> None:  # fmt: skip
    lips = np.stack([skin[:, 0] * 0.85, skin[:, 1] * 0.5, skin[:, 2] * 0.5], axis=1)
    canvas.paint(canvas.ellipse(shift, 0.36, half_width, 0.055, smile), lips)
    white = np.full_like(skin, 238.0)
    canvas.paint(canvas.ellipse(shift, 0.352, half_width * 0.8, 0.024, smile), white, teeth)
    canvas.paint(
        canvas.ellipse(shift, 0.352, half_width * 0.9, 0.012, smile), lips * 0.45, 1 - teeth
    )


def _eyes(
    canvas: _Canvas, hair: np.ndarray, iris: np.ndarray, shift: np.ndarray,
    eye_offset: np.ndarray, opening: np.ndarray, glasses: np.ndarray,
) -> None:  # fmt: skip
    white, black = np.full_like(iris, 240.0), np.full_like(iris, 18.0)
    for side in (-1, 1):
        x = side * eye_offset + shift
        canvas.paint(canvas.ellipse(x, -0.2, 0.12, 0.026, -0.9), hair * 0.6)
        canvas.paint(canvas.ellipse(x, -0.07, 0.105, opening + 0.014), black, 0.8)
        canvas.paint(canvas.ellipse(x, -0.06, 0.095, opening), white)
        canvas.paint(
            canvas.ellipse(x + shift * 0.2, -0.06, 0.045, np.minimum(opening, 0.045)), iris
        )
        canvas.paint(canvas.ellipse(x + shift * 0.2, -0.06, 0.022, 0.022), black)
        rim = canvas.ellipse(x, -0.05, 0.165, 0.13) - canvas.ellipse(x, -0.05, 0.135, 0.1)
        canvas.paint(np.clip(rim, 0, 1), black, glasses)
