"""Hydra's errors in one line, with the remedy where there is one."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

import gansweep

# Text in Hydra's message → the remedy.
_REMEDIES = (
    (
        r"hydra/launcher[/=]submitit_(slurm|local)\b",
        "; it comes with pip install 'gansweep[slurm]'",
    ),
    (r"hydra/launcher[/=]ray(_aws)?\b", "; it comes with pip install 'gansweep[ray]'"),
)


def explained(error: Exception) -> str:
    """What Hydra says of an error, without its search path and stack."""
    reasons = [str(e).split("\n\n")[0] for e in (error, error.__cause__) if e is not None]
    reason = " ".join(" ".join(reasons).split())
    profile = re.search(r"In '(profile/[^']+)'.*Key 'profile' not in", reason)
    if profile is not None:
        return f"{profile[1]}.yaml: its first line must be # @package _global_"
    return reason + missing_extra(reason)


def raised_by_hydra(error: Exception) -> bool:
    """Was it raised while Hydra read the command line, before it called anything of gansweep's?"""
    entry = str(Path(__file__).with_name("train.py"))
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    own = str(Path(gansweep.__file__).parent)
    return not any(file.startswith(own) for file in files if file != entry)


def missing_extra(reason: str) -> str:
    """The remedy where Hydra cannot find a launcher that comes with an extra."""
    return next((remedy for pattern, remedy in _REMEDIES if re.search(pattern, reason)), "")
