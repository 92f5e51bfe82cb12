"""Writing tensors to a file, whole or not at all."""

from __future__ import annotations

import io
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
