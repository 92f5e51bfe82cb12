"""Read what a data set of the user returns, as uint8 images.

The forms are:

* an array or a tensor of images, N×H×W (grey), N×C×H×W or N×H×W×C, with C 1 or 3 and H = W of 4
  pixels or more, so that no shape has two meanings; its numbers are uint8, or floats from 0 to 1;
* a sequence, such as a list or a torch Dataset, whose items are images or (image, label). An image
  is a PIL image of any size, which is cropped to its central square and resized as by data=images,
  or an array or tensor H×W, C×H×W or H×W×C; all arrays have one shape;
* a pair (images, labels), a tuple of one of these and a sequence of as many labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from gansweep.loading import told
from gansweep.store.errors import UserError
from gansweep.terminal.console import track
from gansweep.training.data.images import fit
from gansweep.training.data.pictures import GREY_MODES, convert

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST = 4  # pixels: smaller images could be read as channels
GREY_WEIGHTS = (0.299, 0.587, 0.114)  # of red, green and blue, as in PIL
FORMS = "gansweep takes an array, a sequence of images or a torch Dataset, or (images, labels)"
SHAPES = (
    f"gansweep takes square images of {LEAST} pixels or more, N×H×W, N×C×H×W or N×H×W×C, with 1 "
    "or 3 channels"
)


@dataclass
class Returned:
    """The images of a data set. `images` is uint8 N×C×H×W, or a sequence of items.

    `what` names the data set in messages: `data=mypkg.data:cats`. `labels` is a sequence of as many
    labels; None if only the items have labels, or nothing has.
    """

    images: Any
    what: str
    labels: Any = None

    @property
    def count(self) -> int:
        return len(self.images)

    def load(
        self, numbers: NDArray[np.int64], size: int, channels: int | None
    ) -> NDArray[np.uint8]:
        """Return the images with these numbers as uint8 N×C×size×size.

        `channels` None keeps the colours as they are. Raises UserError for an item that is
        no image.
        """
        if isinstance(self.images, np.ndarray):
            return _resized(_in_colours(self.images[numbers], channels), size)
        return self._read(numbers, size, channels)

    def labels_of(self, numbers: NDArray[np.int64]) -> list[int | str]:
        """Return the labels of the images with these numbers, whole numbers or texts.

        Raises UserError if the images have no labels, or labels of another kind.
        """
        found = []
        for number in map(int, numbers):
            if self.labels is not None:
                label = self.labels[number]
            else:
                item = None if isinstance(self.images, np.ndarray) else self.images[number]
                if not isinstance(item, tuple | list) or len(item) < 2:
                    raise UserError(
                        f"{self.what} returns no labels, which labels=true needs: return (images, "
                        "labels), or pairs (image, label)"
                    )
                label = item[1]
            found.append(self._label(label, number))
        return found

    def _label(self, label: Any, number: int) -> int | str:
        if hasattr(label, "item") and getattr(label, "ndim", 0) == 0:  # of NumPy or torch
            label = label.item()
        if isinstance(label, bool) or not isinstance(label, int | str):
            raise UserError(
                f"{self.what}: the label of image {number} is {_kind(label)}; gansweep takes whole "
                "numbers and texts"
            )
        return label

    def _read(
        self, numbers: NDArray[np.int64], size: int, channels: int | None
    ) -> NDArray[np.uint8]:
        """Return the items with these numbers, as `load` does."""
        name = self.what.partition("=")[2]
        arrays: list[Any] = []
        pictures: list[NDArray[np.uint8]] = []
        for number in track(map(int, numbers), len(numbers), f"data: reading {name}"):
            try:
                image = _image_of(self.images[number])
                if isinstance(image, Image.Image):
                    pictures.append(_fitted(image, size, channels))
                    continue
            except Exception as error:
                raise UserError(
                    f"{self.what}: item {number} cannot be read: {told(error)}"
                ) from error
            array = _as_array(image)
            if array is None:
                raise UserError(
                    f"{self.what}: item {number} is {_kind(image)}, no image; gansweep takes PIL "
                    "images, arrays and tensors, or pairs (image, label)"
                )
            if arrays and array.shape != arrays[0].shape:
                raise UserError(
                    f"{self.what}: item {number} has the shape {_text(array.shape)}, and the first "
                    f"{_text(arrays[0].shape)}; only PIL images may differ in size"
                )
            arrays.append(array)
        if arrays and pictures:
            raise UserError(f"{self.what} returns PIL images and arrays; gansweep takes one kind")
        if arrays:
            return _resized(_in_colours(as_pixels(np.stack(arrays), self.what), channels), size)
        most = max(len(picture) for picture in pictures)
        return np.stack([np.repeat(p, most // len(p), axis=0) for p in pictures])


def returned(found: Any, what: str) -> Returned:
    """Return what a data set has returned, in one form. Raises UserError if it is none of them."""
    labels = None
    if isinstance(found, tuple) and len(found) == 2:
        found, labels = found
    array = _as_array(found)
    if array is not None:
        found = as_pixels(array, what) if len(array.shape) and len(array) else np.empty(0)
    elif not _is_sequence(found):
        raise UserError(f"{what} returns {_kind(found)}; {FORMS}")
    if labels is not None:
        _check_labels(labels, len(found), what)
    return Returned(found, what, labels)


def _check_labels(labels: Any, count: int, what: str) -> None:
    if not _is_sequence(labels) and _as_array(labels) is None:
        raise UserError(f"{what} returns a pair whose second part is {_kind(labels)}; {FORMS}")
    if len(labels) != count:
        raise UserError(f"{what} returns {count} images and {len(labels)} labels")


def as_pixels(array: NDArray[Any], what: str) -> NDArray[np.uint8]:
    """Return images, in one of the shapes and types of this module, as uint8 N×C×H×W.

    Raises UserError for any other shape or type, and for floats outside of 0 to 1.
    """
    shape = array.shape
    if len(shape) == 3:
        array = array[:, None]
    elif len(shape) == 4 and shape[1] not in (1, 3) and shape[3] in (1, 3):
        array = array.transpose(0, 3, 1, 2)
    sides = array.shape[2:]
    square = array.ndim == 4 and sides[0] == sides[1] >= LEAST
    if not square or array.shape[1] not in (1, 3):
        raise UserError(f"{what}: its images have the shape {_text(shape)}; {SHAPES}")
    if array.dtype == np.uint8:
        return array
    if not np.issubdtype(array.dtype, np.floating):
        raise UserError(
            f"{what}: its numbers are {array.dtype}; gansweep takes uint8, or floats from 0 to 1"
        )
    low, high = array.min(), array.max()
    if not (low >= 0 and high <= 1):  # true for NaN, too
        raise UserError(
            f"{what}: its floats reach from {low:g} to {high:g}; gansweep takes uint8, or floats "
            "from 0 to 1"
        )
    return (array * 255).round().astype(np.uint8)


def _fitted(picture: Image.Image, size: int, channels: int | None) -> NDArray[np.uint8]:
    """Return a picture as data=images reads it, uint8 C×size×size."""
    own = channels or (1 if picture.mode in GREY_MODES else 3)
    upright = ImageOps.exif_transpose(picture)
    pixels = np.asarray(fit(convert(upright, own), size))
    return pixels.reshape(size, size, own).transpose(2, 0, 1)


def _in_colours(pixels: NDArray[np.uint8], channels: int | None) -> NDArray[np.uint8]:
    """Return images N×C×H×W in 1 or 3 channels; None keeps those that there are."""
    if channels in (None, pixels.shape[1]):
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=1)
    grey = np.tensordot(pixels, np.array(GREY_WEIGHTS), axes=(1, 0)).round()
    return grey.astype(np.uint8)[:, None]


def _resized(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return square images N×C×H×H, resized bilinearly to N×C×size×size."""
    if pixels.shape[-1] == size:
        return np.ascontiguousarray(pixels)
    planes = pixels.reshape(-1, *pixels.shape[2:])
    resized = [
        np.asarray(Image.fromarray(plane).resize((size, size), Image.Resampling.BILINEAR))
        for plane in planes
    ]
    return np.stack(resized).reshape(*pixels.shape[:2], size, size)


def _image_of(item: Any) -> Any:
    """Return the image of an item, which may be a pair (image, label)."""
    return item[0] if isinstance(item, tuple | list) and item else item


def _as_array(value: Any) -> NDArray[Any] | None:
    """Return an array, or a tensor as an array; None for anything else."""
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "detach") and hasattr(value, "numpy"):  # a tensor, without importing torch
        return np.asarray(value.detach().cpu().numpy())
    return None


def _is_sequence(value: Any) -> bool:
    """Return whether a value has a length and items by number, as lists and torch Datasets do."""
    if isinstance(value, str | bytes | dict | Image.Image):
        return False
    has_length = isinstance(value, Sequence) or hasattr(value, "__len__")
    return has_length and hasattr(value, "__getitem__")


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"a value of type {type(value).__name__}"


def _text(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))
