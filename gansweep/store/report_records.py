"""The records of a report's folder as types: the data of the gallery, and a line of runs.csv.

docs/files.md says what the fields mean. The page's scripts read them: gansweep/report/gallery/.
"""

from __future__ import annotations

from typing import Any, TypedDict


class PageColumn(TypedDict):
    """A column of the table, pictures apart."""

    name: str
    heading: str
    numeric: bool


class PagePicture(TypedDict):
    """A column of pictures."""

    heading: str
    metric: str
    direction: str
    real: str | None
    real_label: str


class Thumb(TypedDict):
    """A picture in a cell."""

    run: str
    src: str | None
    label: str


class PageCell(TypedDict, total=False):
    """What a row has in a column of pictures: `why` there is nothing, or all the others."""

    why: str
    runs: list[str]
    thumbs: list[Thumb]
    value: float | None
    text: str
    mark: str
    notes: list[str]


class PageRow(TypedDict):
    """A row of the table."""

    key: str
    label: str
    values: list[Any]
    texts: list[str]
    cells: list[PageCell]


class PageTable(TypedDict):
    """Rows under one heading line."""

    remark: str
    rows: list[PageRow]


class PageRun(TypedDict, total=False):
    """A run, as far as the page shows it before somebody opens it."""

    title: str
    row: str
    picture: int
    seed: int
    status: str
    value: float | None
    text: str
    marks: list[str]
    note: str
    full: str | None
    steps: list[list[Any]]
    equilibrium: int | None
    nearest: str | None
    details: str


class Page(TypedDict):
    """The JSON in index.html."""

    title: str
    command: str
    columns: list[PageColumn]
    pictures: list[PagePicture]
    tables: list[PageTable]
    runs: dict[str, PageRun]
    caption: list[str]


class Series(TypedDict):
    """A curve over training."""

    name: str
    group: str
    x: list[int]
    y: list[float | None]


class PageDetails(TypedDict):
    """What the page loads when a run is opened: an entry of runs/details-N.js."""

    params: list[list[str]]
    facts: list[list[str]]
    command: str
    series: list[Series]
    log: list[str]


class CsvLine(TypedDict, total=False):
    """A line of runs.csv: these columns, and one for each parameter and each metric by its name."""

    row: int
    sweep: str
    column: str
    run: str
    seed: int
    epochs_trained: float
    training_time: float
    images_per_second: float
    equilibrium_epoch: float
    equilibrium: str
    flags: str
    status: str
    commit: str
    metric: str
    note: str
    picture: str
