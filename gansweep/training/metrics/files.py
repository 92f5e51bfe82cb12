"""Tensors in files: written whole or not at all, read without running anything."""

from __future__ import annotations

import io
import pickle
import warnings
from pathlib import Path
from typing import Any

import torch

from gansweep.store.run import write_bytes


def save(path: Path, state: dict[str, Any]) -> None:
    """`torch.save`, whose own writing hides a full disk behind a RuntimeError.

    Given a path it would also put that (temporary) name into the file, and equal weights would
    not be equal bytes.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_bytes(path, buffer.getbuffer())


def load(path: Path) -> Any:
    """The tensors in a file, on the CPU. Raises ValueError if it holds anything else.

    torch's own message advises to read such a file all the same, and to let it run what it likes.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of files that are refused right after
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError:
            raise ValueError(f"{path.name} is damaged, or holds more than weights") from None
