"""Row lists that are no grid: the YAML files of sweeps/.

title: what the table shows
data: [digits, faces]        # which of the profile's data sets; both if left out
set: {smooth: 0}             # parameters of all rows
profiles: {demo: {steps: 250}}   # parameters under one profile
tables:
  - remark: text before the table
    columns: [gen, disc, gen_drop / disc_drop, lr]
    rows:
      - [1, 1, n/a, 0.0005]
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gansweep.config import check
from gansweep.errors import UserError, choices_hint
from gansweep.resources import sweeps_folder
from gansweep.sweep.manifest import Table

NOT_APPLICABLE = "n/a"
ROLES = ("digits", "faces")
KEYS = {"title", "data", "set", "profiles", "tables"}


@dataclass
class Recipe:
    """A row list. rows: the typed parameters of each row, in order."""

    name: str
    title: str
    data: list[str] = field(default_factory=lambda: list(ROLES))
    common: dict[str, Any] = field(default_factory=dict)
    profiles: dict[str, dict[str, Any]] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)


def find_recipe(name: str) -> Path:
    """A YAML file, or a name in ./sweeps or in the sweeps that come with gansweep."""
    given = Path(name)
    folders = [Path("sweeps"), sweeps_folder()]
    for path in (given, *(folder / f"{name}.yaml" for folder in folders)):
        if path.is_file():
            return path
    known = sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})
    raise UserError(f"sweep={name}: {choices_hint(name, known)}, or the path of a YAML file")


def read_recipe(name: str) -> Recipe:
    """Raises UserError, naming the file and the place in it, for anything that is wrong."""
    import yaml

    path = find_recipe(name)
    try:
        record = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: not readable as YAML ({reason})") from None
    if not isinstance(record, dict) or not isinstance(record.get("tables"), list):
        raise UserError(f"{path}: a row list needs `tables`, each with `columns` and `rows`")
    for key in record.keys() - KEYS:
        raise UserError(f"{path}: {choices_hint(str(key), sorted(KEYS))} (not {key!r})")
    try:
        recipe = Recipe(
            name=path.stem,
            title=str(record.get("title", path.stem)),
            data=_roles(record.get("data", list(ROLES))),
            common=_checked(record.get("set") or {}),
            profiles={p: _checked(v) for p, v in (record.get("profiles") or {}).items()},
        )
        for number, table in enumerate(record["tables"], 1):
            _add_table(recipe, number, table)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return recipe


def _roles(roles: Any) -> list[str]:
    for role in roles:
        if role not in ROLES:
            raise UserError(f"data: {role}: {choices_hint(str(role), ROLES)}")
    return list(roles)


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    return {name: check(name, value) for name, value in values.items()}


def _add_table(recipe: Recipe, number: int, table: dict[str, Any]) -> None:
    try:
        columns, rows = [str(c) for c in table["columns"]], table["rows"]
    except (KeyError, TypeError):
        raise UserError(f"table {number} needs `columns` and `rows`") from None
    first = len(recipe.rows)
    for i, cells in enumerate(rows, 1):
        if len(cells) != len(columns):
            raise UserError(
                f"table {number}, row {i} has {len(cells)} values for {len(columns)} columns"
            )
        try:
            recipe.rows.append(_row(columns, cells))
        except UserError as error:
            raise UserError(f"table {number}, row {i}: {error}") from None
    indices = list(range(first, len(recipe.rows)))
    recipe.tables.append(
        Table(
            columns,
            indices,
            remark=str(table.get("remark") or "").strip(),
            headings={str(k): str(v) for k, v in (table.get("headings") or {}).items()},
            results=[str(result) for result in table.get("results") or []],
        )
    )


def _row(columns: list[str], cells: list[Any]) -> dict[str, Any]:
    """Cells to typed parameters; `n/a` leaves a parameter at what the network has: nothing."""
    import yaml

    values = {}
    for column, cell in zip(columns, cells, strict=True):
        names = column.split(" / ")
        merged = len(names) > 1 and isinstance(cell, str) and cell != NOT_APPLICABLE
        parts = cell.split(" / ") if merged else [cell] * len(names)
        if len(parts) != len(names):
            raise UserError(f"{column}: {cell!r} does not have {len(names)} parts")
        for name, part in zip(names, parts, strict=True):
            if part != NOT_APPLICABLE:
                values[name] = check(name, yaml.safe_load(part) if merged else part)
    return values


def select_rows(text: str | None, count: int) -> set[int]:
    """`0-5,34` → the rows 0 to 5 and 34; all of them for None. Raises UserError."""
    if text is None:
        return set(range(count))
    chosen: set[int] = set()
    for part in text.strip("[]").replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise UserError(
                f"rows={text}: {part!r} is neither a row nor a range; write rows=0-5,34"
            )
        span = range(int(first), int(last if dash else first) + 1)
        if not span or span[-1] >= count:
            raise UserError(f"rows={text}: {part} is not within the rows 0-{count - 1}")
        chosen.update(span)
    return chosen
