"""Write tensors to files atomically, and read them without running code from the files."""

from __future__ import annotations

import io
import pickle
import warnings
from pathlib import Path
from typing import Any

import torch

from gansweep.store.run import write_bytes


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state` to `path` in the format of `torch.save`. Raises OSError on a full disk.

    `torch.save` itself raises RuntimeError on a full disk. It also writes the name of a given path,
    here a temporary one, into the file, so that files of equal weights would differ.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_bytes(path, buffer.getbuffer())


def load(path: Path, *, mmap: bool = False) -> Any:
    """Return the tensors in a file, on the CPU.

    mmap: whether the tensors are read from the disk only when they are used. Raises ValueError if
    the file is damaged or has other objects. The message of torch for this case is replaced, as it
    advises to load the file with permission to run any code.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns about files that it then refuses.
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
        except pickle.UnpicklingError:
            raise ValueError(f"{path.name} is damaged, or holds more than weights") from None
