"""Read row lists: YAML files that list the rows of a sweep, or the parameters of a search.

title: The title of the report
profile: narrow              # used unless the command line names another profile
data: [digits, faces]        # data sets of the profile; the default is both
set: {smooth: 0}             # parameters of all rows
profiles: {demo: {steps: 250}}   # parameters under one profile; they override those of rows
tables:
  - remark: text before the table
    columns: [gen, disc, gen_drop / disc_drop, lr]
    rows:
      - [1, 1, n/a, 0.0005]

A table may quote results of a publication, for example with `quoted: [time in the document]`. Each
row of the table then ends in one text per quoted column, and the report shows the texts after our
results.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from gansweep.components import is_option
from gansweep.config import DATA_PARAMS, HYPERPARAMETERS, check, kind_of
from gansweep.planning.resources import packaged_choices, sweeps_folder
from gansweep.planning.search_path import Choices
from gansweep.report.table.columns import RESULTS
from gansweep.store.errors import UserError, choices_hint
from gansweep.store.manifest import NOT_APPLICABLE, SINGLES, Table

ROLES = ("digits", "faces")
KEYS = ("title", "profile", "data", "set", "profiles", "tables", "search")
TABLE_KEYS = ("remark", "columns", "headings", "results", "singles", "quoted", "rows")
# A row may set every parameter that can change a run's results, except the seed.
COLUMNS = [name for name in HYPERPARAMETERS if name != "seed"]


@dataclass
class Recipe:
    """A row list.

    common: parameters of all rows; profiles: parameters under one profile; rows: the typed
    parameters of each row, in order; quotes: the quoted texts of each row, by column; search:
    instead of rows, the range of each searched parameter, None for its declared range.
    """

    name: str
    title: str
    profile: str | None = None
    data: list[str] = field(default_factory=lambda: list(ROLES))
    common: dict[str, Any] = field(default_factory=dict)
    profiles: dict[str, dict[str, Any]] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    quotes: list[dict[str, str]] = field(default_factory=list)
    search: dict[str, str | None] = field(default_factory=dict)


def find_recipe(name: str) -> Path:
    """Return the path of a row list: a YAML file, or a name in ./sweeps or gansweep's sweeps.

    Raises UserError if there is no such file.
    """
    given = Path(name)
    folders = [Path("sweeps"), sweeps_folder()]
    for path in (given, *(folder / f"{name}.yaml" for folder in folders)):
        if path.is_file():
            return path
    known = sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})
    raise UserError(f"sweep={name}: no such list or file; {choices_hint(name, known)}")


def read_recipe(name: str, choices: Choices = packaged_choices) -> Recipe:
    """Read the row list of this name or path. choices: lists the choices of a group.

    Raises UserError with the file and the position in the file for every invalid entry.
    """
    path = find_recipe(name)
    try:
        return _recipe(path.stem, _load(path), choices("profile"))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except RecursionError:
        raise UserError(f"{path}: the YAML is nested too deeply") from None


def is_search(name: str) -> bool:
    """Return whether the row list defines a search; False if it cannot be read.

    `read_recipe` reports the errors.
    """
    try:
        record = _load(find_recipe(name))
    except UserError:
        return False
    return isinstance(record, dict) and bool(record.get("search"))


def _load(path: Path) -> Any:
    """Parse a YAML file. Raises UserError if it is not readable as YAML."""
    try:
        return _load_text(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise UserError(f"not readable as YAML ({error})") from None


@lru_cache(maxsize=1)
def _load_text(text: str) -> Any:
    """Parse YAML, cached: a command reads its row list several times, which can take seconds."""
    import yaml

    try:
        return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"not readable as YAML ({reason})") from None


def _recipe(name: str, record: Any, known: list[str]) -> Recipe:
    _mapping(record, "a row list", KEYS)
    recipe = Recipe(
        name=name,
        title=str(record.get("title", name)),
        profile=_profile(record.get("profile"), known),
        data=_roles(record.get("data", list(ROLES))),
        common=_checked(record.get("set") or {}, "set"),
    )
    profiles = _mapping(record.get("profiles") or {}, "profiles", known)
    recipe.profiles = {p: _checked(values, f"profiles: {p}") for p, values in profiles.items()}
    if "search" in record:
        searched = _mapping(record["search"], "search", COLUMNS)
        if not searched:
            raise UserError("search names no parameter; write `search: {lr: null, beta1: null}`")
        recipe.search = {
            name: text if text is None else str(text) for name, text in searched.items()
        }
        if record.get("tables"):
            raise UserError("the list has `tables` and `search`: write only one of them")
        recipe.rows.append({})
        recipe.quotes.append({})
        return recipe
    for number, table in enumerate(_list(record.get("tables"), "tables"), 1):
        try:
            _add_table(recipe, _mapping(table, "a table", TABLE_KEYS))
        except UserError as error:
            raise UserError(f"table {number}: {error}") from None
    if not recipe.rows:
        raise UserError(
            "the list has no rows; a row list needs `tables`, each with `columns` and `rows`"
        )
    return recipe


def _mapping(value: Any, what: str, keys: Iterable[str]) -> dict[str, Any]:
    """Return `value` if it is a mapping with only these keys. Raises UserError otherwise."""
    if not isinstance(value, dict):
        raise UserError(f"{what} must be a mapping, not {value!r}")
    for key in value:
        if key not in keys:
            raise UserError(f"{what}: no {key!r}: {choices_hint(str(key), sorted(keys))}")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise UserError(f"{what} must be a list, not {value!r}")
    return value


def _profile(name: Any, known: list[str]) -> str | None:
    if name is not None and name not in known:
        raise UserError(f"profile: {name}: {choices_hint(str(name), known)}")
    return None if name is None else str(name)


def _roles(roles: Any) -> list[str]:
    for role in _list(roles, "data"):
        if role not in ROLES:
            raise UserError(f"data: {role}: {choices_hint(str(role), ROLES)}")
    if not roles:
        raise UserError(f"data: [] names no data set; valid: {', '.join(ROLES)}")
    return list(roles)


def _checked(values: Any, what: str) -> dict[str, Any]:
    options = filter(is_option, values) if isinstance(values, dict) else ()
    mapping = _mapping(values, what, {*COLUMNS, *DATA_PARAMS, *options})
    return {name: _checked_value(name, value) for name, value in mapping.items()}


def _checked_value(name: str, value: Any) -> Any:
    """Return a value in its type; that of a component's option is converted with its row."""
    return value if is_option(name) else check(name, _number(name, value))


def _add_table(recipe: Recipe, table: dict[str, Any]) -> None:
    columns = [str(column) for column in _list(table.get("columns"), "columns")]
    results = [str(result) for result in _list(table.get("results") or [], "results")]
    for result in results:
        if result not in RESULTS:
            raise UserError(f"results: no {result!r}: {choices_hint(result, RESULTS.names())}")
    singles = [str(single) for single in _list(table.get("singles") or [], "singles")]
    for single in singles:
        if single not in SINGLES:
            raise UserError(f"singles: no {single!r}: {choices_hint(single, SINGLES)}")
    for column in columns:
        for name in column.split(" / "):
            # A column cannot be of the data, each of which is a picture column.
            if name not in COLUMNS and (not is_option(name) or name.startswith("data.")):
                raise UserError(f"columns: no {name!r}: {choices_hint(name, COLUMNS)}")
    names = [name for column in columns for name in column.split(" / ")]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise UserError(f"columns: {repeated[0]} is repeated")
    quoted = [str(name) for name in _list(table.get("quoted") or [], "quoted")]
    headings = _mapping(table.get("headings") or {}, "headings", columns)
    first = len(recipe.rows)
    for cells in _list(table.get("rows"), "rows"):
        try:
            row = _list(cells, "a row")
            if len(row) != len(columns) + len(quoted):
                raise UserError(f"{len(row)} values for {len(columns) + len(quoted)} columns")
            recipe.rows.append(_row(columns, row[: len(columns)]))
            texts = map(str, row[len(columns) :])
            recipe.quotes.append(dict(zip(quoted, texts, strict=True)))
        except UserError as error:  # rows= selects by the same number
            raise UserError(f"row {len(recipe.rows)}: {error}") from None
    recipe.tables.append(
        Table(
            columns,
            list(range(first, len(recipe.rows))),
            remark=str(table.get("remark") or "").strip(),
            headings={column: str(text) for column, text in headings.items()},
            results=results,
            singles=singles,
            quoted=quoted,
        )
    )


def _row(columns: list[str], cells: list[Any]) -> dict[str, Any]:
    """Convert cells to typed parameters; `n/a` sets nothing: the network has no such value."""
    values = {}
    for column, cell in zip(columns, cells, strict=True):
        names = column.split(" / ")
        merged = len(names) > 1 and isinstance(cell, str) and cell != NOT_APPLICABLE
        parts = cell.split(" / ") if merged else [cell] * len(names)
        if len(parts) != len(names):
            raise UserError(f"{column}: {cell!r} does not have {len(names)} parts")
        for name, part in zip(names, parts, strict=True):
            if part != NOT_APPLICABLE:
                values[name] = _checked_value(name, _part(column, part) if merged else part)
    return values


def _part(column: str, text: str) -> Any:
    """Parse one value of a cell that holds several. Raises UserError for a list or a mapping."""
    import yaml

    with suppress(yaml.YAMLError, RecursionError):
        value = yaml.safe_load(text)
        if not isinstance(value, list | dict):
            return value
    raise UserError(f"{column}: {text!r} is not a single value")


def _number(name: str, value: Any) -> Any:
    """Convert text to a number if the parameter is numeric: YAML 1.1 reads 1e-3 as text."""
    if isinstance(value, str) and kind_of(name) in (int, float):
        for number in (int, float):
            with suppress(ValueError):
                return number(value)
    return value


def select_rows(text: str | None, count: int) -> set[int]:
    """Return the row indices of a selection, for example 0 to 5 and 34 for `0-5,34`.

    None selects all `count` rows. Raises UserError for bad syntax or rows that do not exist.
    """
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
