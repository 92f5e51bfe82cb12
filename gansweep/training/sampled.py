"""Write images of a trained generator into a folder: pictures or one array, a grid, a strip."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gansweep.store.errors import UserError
from gansweep.terminal.console import track
from gansweep.training.data.pixels import as_bytes
from gansweep.training.generator import BATCH, Labels, Source
from gansweep.training.grid import tiles
from gansweep.training.samples import MOST_ROWS

Images = NDArray[np.uint8]
STRIPS = 4  # pairs of latents in an interpolation


@contextmanager
def new_folder(to: Path) -> Iterator[Path]:
    """Yield a folder to write into, which becomes the folder `to` at the end of the `with` block.

    So `to` has all files or does not exist. Raises UserError if `to` has files already.
    """
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UserError(f"{to} has files already, and these would be mixed with others: --to NEW")
    folder = to.parent / f".{to.name}.{os.getpid()}"
    folder.mkdir(parents=True)
    try:
        yield folder
        folder.replace(to)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_images(
    source: Source, folder: Path, n: int, seed: int, label: Labels = None, *, as_array: bool
) -> Path:
    """Draw n images into `folder`, and return the file or the folder that has them.

    With `as_array`, the file is `images.npz` with `images`, uint8 N×C×H×W, and `labels`, int64
    (N,), if there are classes. Otherwise they are `images/00000.png` and so on, with a folder for
    each class. Raises UserError as `Source.inputs` does.
    """
    z, labels = source.inputs(n, seed, label)
    parts = source.batches(z, labels)
    tracked = track(parts, -(-n // BATCH), "sampling")
    if as_array:
        path = folder / "images.npz"
        arrays = {"images": np.concatenate([_pixels(part) for part in tracked])}
        if labels is not None:
            arrays["labels"] = labels.numpy()
        np.savez(path, **arrays)  # type: ignore[arg-type]
        return path
    names = [re.sub(r"[/\\\0]", "-", name) for name in source.classes]
    digits = max(5, len(str(n - 1)))
    number = 0
    for part in tracked:
        for image in _pixels(part):
            parents = [] if labels is None else [names[int(labels[number])]]
            path = folder.joinpath("images", *parents, f"{number:0{digits}d}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            tiles(image[None], 1).save(path)
            number += 1
    return folder / "images"


def write_grid(source: Source, path: Path, side: int, seed: int, label: Labels = None) -> None:
    """Write side × side images as one picture: the first ones that this seed draws.

    With classes and without `label`, the picture has a row of `side` latents for each of the first
    MOST_ROWS classes. Raises UserError as `Source.inputs` does.
    """
    if source.classes and label is None:
        rows = min(len(source.classes), MOST_ROWS)
        z = source.inputs(side, seed)[0].repeat(rows, 1)
        labels: Tensor | None = torch.arange(rows).repeat_interleave(side)
    else:
        z, labels = source.inputs(side * side, seed, label)
    tiles(_drawn(source, z, labels), side).save(path, optimize=True)


def write_strip(source: Source, path: Path, steps: int, seed: int, label: Labels = None) -> None:
    """Write STRIPS rows of `steps` images on the straight way from one latent to another.

    A straight way stays inside the cube from which latents are drawn. With classes and without
    `label`, the rows show the first classes. Raises UserError as `Source.inputs` does, and for a
    module that draws its own latents.
    """
    if not source.takes_latents:
        raise UserError(
            "--interpolate needs latents, and sample(n) of this module draws its own: write "
            "sample(z)"
        )
    z, _ = source.inputs(2 * STRIPS, seed, label)
    labels = None
    if source.classes:
        chosen = [i % len(source.classes) for i in range(STRIPS)] if label is None else label
        labels = source.inputs(STRIPS, seed, chosen)[1]
    assert labels is None or isinstance(labels, Tensor)
    share = torch.linspace(0, 1, steps)[None, :, None]
    start, end = z[::2, None, :], z[1::2, None, :]
    way = (start + (end - start) * share).flatten(0, 1)
    repeated = None if labels is None else labels.repeat_interleave(steps)
    tiles(_drawn(source, way, repeated), steps).save(path, optimize=True)


def _drawn(source: Source, z: Tensor, labels: Tensor | None) -> Images:
    return np.concatenate([_pixels(part) for part in source.batches(z, labels)])


def _pixels(images: Tensor) -> Images:
    """Return images as the bytes of a picture file, uint8 N×C×H×W."""
    found: Images = as_bytes(images).numpy()
    return found
