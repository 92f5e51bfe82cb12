"""Record where a result comes from: the versions, commit and device in every run folder."""

from __future__ import annotations

import functools
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from gansweep import __version__
from gansweep.store.records import Environment

PACKAGE = Path(__file__).resolve().parents[1]
PACKAGES = ("torch", "torchvision", "pytorch-lightning", "hydra-core", "numpy", "mlxtend")


def environment(device: torch.device) -> Environment:
    """Return the versions, the commit and the device of this process, for `environment.json`.

    The record holds no host name and no path.
    """
    if device.type == "cuda":
        hardware = torch.cuda.get_device_name(device)
    else:
        hardware = platform.machine()
    return {
        "gansweep": __version__,
        "commit": commit(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "system": platform.system(),
        "device": device.type,
        "hardware": hardware,
        "threads": torch.get_num_threads(),
    }


@functools.cache
def commit() -> str | None:
    """Return the short hash of the commit that gansweep runs from, with `+` after local changes.

    Returns None if gansweep does not run from its own checkout. The hash is read once, when
    the code is imported (preload.py), because a sweep continues with that code, whatever is
    committed meanwhile.
    """
    try:
        root = _git(PACKAGE, "rev-parse", "--show-toplevel")
        # An installed copy may lie in the checkout of another project, for instance in its .venv.
        if Path(root) != PACKAGE.parent:
            return None
        dirty = "+" if _git(PACKAGE, "status", "--porcelain", "--", ".") else ""
        return _git(PACKAGE, "rev-parse", "--short", "HEAD") + dirty
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    completed = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True, text=True, check=True, timeout=10,
    )  # fmt: skip
    return completed.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
