"""The folders conf/ and sweeps/, in a checkout or inside the installed package."""

from __future__ import annotations

from pathlib import Path


def _folder(name: str) -> Path:
    """Return a folder that a wheel has inside the package and a checkout beside the package."""
    package = Path(__file__).parents[1]
    inside = package / name
    return inside if inside.is_dir() else package.parent / name


def conf_folder() -> Path:
    """Return Hydra's primary configuration folder."""
    return _folder("conf")


def sweeps_folder() -> Path:
    """Return the folder of the row lists that gansweep includes."""
    return _folder("sweeps")


def packaged_choices(group: str) -> list[str]:
    """Return the choices of a group, `data` or `profile`, that gansweep includes."""
    return sorted(path.stem for path in (conf_folder() / group).glob("*.yaml"))
