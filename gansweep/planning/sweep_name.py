"""Name a sweep after the settings of its command, so that a person can tell sweeps apart."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from gansweep.config import HYPERPARAMETERS, PARAMS
from gansweep.notation import format_value
from gansweep.planning.overrides import Axis
from gansweep.planning.row_list import ROLES
from gansweep.store.manifest import manifest_path

LONGEST = 40  # characters of a name, without its digest
MOST_LISTED = 3  # values of a parameter that a name lists; of more it has the first and the last


def sweep_name(first: list[str], axes: Iterable[Axis], digest: str, old: str, out: str) -> str:
    """Return a name such as `lr_1e-4+5e-5-beta1_0.3..0.9-baea07`.

    first: the words with which the name begins; axes: the settings of the command that change
    results; digest: it tells apart sweeps with equal words; old: the name that earlier versions
    gave, which a sweep in the folder `out` keeps.
    """
    if manifest_path(out, old).exists():
        return old
    axes = [axis for axis in axes if axis.values != (None,) and changes_results(axis.name)]
    words = [*first, *map(_with_values, axes)]
    if len("-".join(words)) > LONGEST:
        words = [*first, *(axis.name for axis in axes)]
    while len(words) > 1 and len("-".join(words)) > LONGEST:
        words.pop()
    return "-".join([*(words or ["row"]), digest])


def changes_results(name: str) -> bool:
    """Return whether a parameter of a command line can change a run's results."""
    return name not in PARAMS or name in ROLES or name in HYPERPARAMETERS


def _with_values(axis: Axis) -> str:
    """Return `lr_1e-4`, `lr_1e-4+5e-5`, `beta1_0.1..0.9`, or the name of a data set alone."""
    if any(" " in str(value) for value in axis.values):  # the command of a script
        return _plain(axis.name)
    texts = [_plain(value) for value in axis.values]
    text = "+".join(texts) if len(texts) <= MOST_LISTED else f"{texts[0]}..{texts[-1]}"
    return text if axis.name == "data" else f"{_plain(axis.name)}_{text}"


def _plain(value: Any) -> str:
    """Return a value without the characters that a folder or a shell could misread.

    Of an import path and of a file, the last part is enough.
    """
    text = re.split(r"[/:]", format_value(value).rstrip("/"))[-1]
    return re.sub(r"[^\w.-]+", "_", text).strip("._") or "null"
