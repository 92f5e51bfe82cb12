"""Find the files that a run writes after some of its steps: `step_NNNNNN.SUFFIX` in a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def by_step(folder: Path, path_of: Callable[[int], Path]) -> dict[int, Path]:
    """Return the existing files `path_of(step)` in a folder by step, in ascending order."""
    numbers = {int(p.stem[5:]) for p in folder.glob("step_*") if p.stem[5:].isdecimal()}
    return {step: path_of(step) for step in sorted(numbers) if path_of(step).is_file()}
