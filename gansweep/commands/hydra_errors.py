"""Convert Hydra's errors to one line, with a remedy if one is known."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

import gansweep

# Patterns of Hydra's messages, and their remedies.
_REMEDIES = (
    (
        r"hydra/launcher[/=]submitit_(slurm|local)\b",
        "; install the launcher with pip install 'gansweep[slurm]'",
    ),
    (r"hydra/launcher[/=]ray(_aws)?\b", "; install the launcher with pip install 'gansweep[ray]'"),
)


def explained(error: Exception) -> str:
    """Return Hydra's message for an error, without the search path and the stack."""
    reasons = [str(e).split("\n\n")[0] for e in (error, error.__cause__) if e is not None]
    reason = " ".join(" ".join(reasons).split())
    profile = re.search(r"In '(profile/[^']+)'.*Key 'profile' not in", reason)
    if profile is not None:
        return f"{profile[1]}.yaml: its first line must be # @package _global_"
    return reason + missing_extra(reason)


def raised_by_hydra(error: Exception) -> bool:
    """Return whether Hydra raised the error before it called any code of gansweep."""
    entry = str(Path(__file__).with_name("train.py"))
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    own = str(Path(gansweep.__file__).parent)
    return not any(file.startswith(own) for file in files if file != entry)


def missing_extra(reason: str) -> str:
    """Return the remedy for a launcher that needs an extra of gansweep; empty for other reasons."""
    return next((remedy for pattern, remedy in _REMEDIES if re.search(pattern, reason)), "")
