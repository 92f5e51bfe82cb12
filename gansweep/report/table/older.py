"""Complete the parameters of runs and sweeps that are older than a parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gansweep.config import DEFAULTS, HYPERPARAMETERS, LEGACY_VALUES, effective, from_record
from gansweep.store.errors import UserError


def completed(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a row with the hyperparameters that an older manifest lacks.

    A missing hyperparameter gets its value in `trained_with`. The stored values stay as they are.
    """
    missing = [name for name in HYPERPARAMETERS if name not in params and name != "seed"]
    if not missing:
        return dict(params)
    values = trained_with(params)
    return {**params, **{name: values[name] for name in missing}}


def trained_with(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return all hyperparameters with which a run was trained whose record may lack some.

    A missing hyperparameter has the value with which its version trained (see `from_record`). A
    hyperparameter without effect beside the others is None.
    """
    # A manifest stores None for a parameter without effect, which may be no valid value.
    given = {name: value for name, value in params.items() if value is not None}
    try:
        return effective(from_record(given))
    except UserError:  # this version does not know a stored value, such as a plugin's network
        return {**DEFAULTS, **LEGACY_VALUES, **given}
