"""The constraint of a search, `constraint='training_time<60 and flags!="D won"'`.

It has the grammar and the names of `--where`. Each condition that `and` joins is a constraint of
its own for the sampler, which gets by how much a trial violates the condition.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gansweep.plugins import METRICS
from gansweep.report.table.cell import Cell
from gansweep.report.table.columns import RESULTS, ReportRow, column_names
from gansweep.report.table.condition import EXAMPLE, evaluated, meets
from gansweep.report.table.outcome import Outcome, read_outcome
from gansweep.report.table.select import named_values
from gansweep.store.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from gansweep.config import Config
    from gansweep.store.run import Run

LEAST = 1e-9  # the violation of a condition with < or > that holds with equality
UNKNOWN = 1.0  # the violation of a condition on a value that the runs do not have, or on texts
BOUNDS = {ast.Lt: 1, ast.LtE: 1, ast.Gt: -1, ast.GtE: -1}  # the sign of the excess left - right
TEXTS = {entry.name for entry in RESULTS if entry.text is str} | {"label"}


@dataclass(frozen=True)
class Condition:
    """A condition that `and` joins to others.

    names: those of its values; excess: the expression that is above 0 where the condition is
    violated, empty if the condition compares no numbers with < <= > >=.
    """

    text: str
    names: frozenset[str]
    excess: str = ""


@dataclass(frozen=True)
class Constraint:
    """The conditions that a trial has to meet to be the best."""

    text: str
    conditions: tuple[Condition, ...]

    def violations(self, row: ReportRow) -> dict[str, float]:
        """Return by how much a row of finished runs violates each condition; not at all: 0 or less.

        A condition is checked on each data set whose runs have its values, as means over the seeds,
        and the worst one counts. A value that no run has violates it.
        """
        frames = [_frame(row, picture) for picture in row.cells]
        found = {}
        for condition in self.conditions:
            known = [f for f in frames if not f[list(condition.names)].isna().any(axis=None)]
            violations = [self._violation(condition, frame) for frame in known]
            found[condition.text] = max(violations, default=UNKNOWN)
        return found

    def _violation(self, condition: Condition, frame: pd.DataFrame) -> float:
        what = f"constraint={self.text}"
        try:
            is_met = bool(meets(frame, condition.text, what).iloc[0])
            if not condition.excess:
                return 0.0 if is_met else UNKNOWN
            excess = float(next(iter(evaluated(frame, condition.excess, what))))
        except UserError:  # such as gen<3 for a trial with gen=conv2
            return UNKNOWN
        if not math.isfinite(excess):
            return 0.0 if is_met else UNKNOWN
        return min(excess, 0.0) if is_met else max(excess, LEAST)


def read_constraint(
    text: str | None, bases: Sequence[tuple[str, dict[str, Any], Config]]
) -> Constraint | None:
    """Return the constraint of a search; None without one.

    bases: for each data set its picture column, its parameters as tables show them, and its
    configuration. Raises UserError, in one line, for a name that no run will have, for bad syntax,
    and for an expression that is no condition.
    """
    if text is None:
        return None
    constraint = Constraint(text, tuple(_conditions(text)))
    planned = {
        label: Cell([Outcome("0-s1", "planned", None, "", _record(base))])
        for label, _, base in bases
    }
    row = ReportRow("", 0, bases[0][1], {}, planned)
    # Values that a run may have stand for those that no run has yet.
    frame = _frame(row, None)
    for name in frame.columns:
        if name in TEXTS:
            frame[name] = ""
        elif name in RESULTS or name in METRICS:
            frame[name] = 1.0
    for condition in constraint.conditions:
        what = f"constraint={text}"
        meets(frame, condition.text, what)
        if condition.excess:
            evaluated(frame, condition.excess, what)
    return constraint


def violations_of(
    constraint: Constraint | None, params: dict[str, Any], runs: dict[str, list[Run]]
) -> dict[str, float]:
    """Return by how much finished runs violate each condition; empty without a constraint.

    params: as tables show them; runs: those of each picture column.
    """
    if constraint is None:
        return {}
    cells = {label: Cell([read_outcome(run) for run in found]) for label, found in runs.items()}
    return constraint.violations(ReportRow("", 0, params, {}, cells))


def _frame(row: ReportRow, picture: str | None) -> pd.DataFrame:
    """Return the values of one row, by the names that conditions know; NaN for a missing number."""
    names = [name for name in column_names([row]) if name not in ("row", "sweep")]
    frame = named_values([row], picture, names).astype(object)
    for name in frame.columns:
        frame[name] = _column(name, frame[name].iloc[0])
    return frame


def _column(name: str, value: Any) -> list[Any]:
    if name in TEXTS:
        return [value or ""]
    return [math.nan if value is None else value]


def _record(base: Config) -> Any:
    params = {"judge": base.judge, "labels": base.labels}
    return {"data": {"name": base.data.name}, "params": params}


def _conditions(text: str) -> list[Condition]:
    """Return the conditions that `and` joins. Raises UserError for bad syntax."""
    joined = {"&": " and ", "|": " or "}  # pandas reads them so
    source = re.sub(r"'[^']*'|\"[^\"]*\"|[&|]", lambda m: joined.get(m[0], m[0]), text).strip()
    try:
        tree = ast.parse(source, mode="eval")
    except (SyntaxError, ValueError) as error:
        reason = getattr(error, "msg", str(error))
        raise UserError(f"constraint={text}: {reason}; {EXAMPLE}") from None
    return list(_parts(tree.body, source))


def _parts(node: ast.expr, source: str) -> list[Condition]:
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        return [part for value in node.values for part in _parts(value, source)]
    whole = ast.get_source_segment(source, node) or source
    if not isinstance(node, ast.Compare) or not all(type(op) in BOUNDS for op in node.ops):
        return [Condition(whole, _names(node))]
    # A chain, 1 < a < 2, is a condition for each of its comparisons.
    sides = [node.left, *node.comparators]
    parts = []
    for left, op, right in zip(sides, node.ops, sides[1:], strict=False):
        one, other = (ast.get_source_segment(source, side) or "" for side in (left, right))
        excess = f"({one}) - ({other})" if BOUNDS[type(op)] > 0 else f"({other}) - ({one})"
        shown = whole if len(node.ops) == 1 else f"{one}{_SIGNS[type(op)]}{other}"
        parts.append(Condition(shown, _names(left, right), excess))
    return parts


def _names(*nodes: ast.expr) -> frozenset[str]:
    return frozenset(n.id for node in nodes for n in ast.walk(node) if isinstance(n, ast.Name))


_SIGNS: dict[type[ast.cmpop], str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
