"""Evaluate conditions on the values of rows, such as `lr<1e-4 and gen==1`, in pandas' grammar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gansweep.store.errors import UserError, choices_hint

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE = "write a condition such as lr<1e-4 and gen==1"


def meets(frame: pd.DataFrame, condition: str, what: str) -> pd.Series:
    """Return for each row of `frame` whether it meets a condition on the columns.

    what: what the user wrote, for messages. Raises UserError, in one line, for a name that is no
    column, for bad syntax, and for an expression that is no condition.
    """
    import pandas as pd

    kept = evaluated(frame, condition, what)
    if not isinstance(kept, pd.Series) or kept.dtype != bool:
        raise UserError(f"{what}: not a condition; write for example lr<1e-4 and gen==1")
    return kept


def evaluated(frame: pd.DataFrame, expression: str, what: str) -> Any:
    """Return the value of an expression of the columns. Raises UserError as `meets` does."""
    import pandas as pd

    try:
        return frame.eval(expression, engine="python")
    except pd.errors.UndefinedVariableError as error:
        name = str(error).split("'")[1]
        raise UserError(f"{what}: {choices_hint(name, frame.columns)}") from None
    except Exception as error:  # pandas and Python raise many kinds for a bad expression
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{what}: {reason}; {EXAMPLE}") from None
