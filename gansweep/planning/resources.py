"""Where the text files are: conf/ and sweeps/, in a checkout or inside the installed package."""

from __future__ import annotations

from pathlib import Path


def _folder(name: str) -> Path:
    """In a wheel the folder lies within the package, in a checkout beside it."""
    package = Path(__file__).parents[1]
    inside = package / name
    return inside if inside.is_dir() else package.parent / name


def conf_folder() -> Path:
    """Hydra's primary configuration folder."""
    return _folder("conf")


def sweeps_folder() -> Path:
    """The row lists that come with gansweep."""
    return _folder("sweeps")


def packaged_choices(group: str) -> list[str]:
    """The choices of a group, `data` or `profile`, that come with gansweep."""
    return sorted(path.stem for path in (conf_folder() / group).glob("*.yaml"))
