"""The types of the records in a report's folder: the data of the gallery, and a line of runs.csv.

docs/files.md describes the fields. The scripts in gansweep/report/gallery/ read the gallery's data.
"""

from __future__ import annotations

from typing import Any, TypedDict


class PageColumn(TypedDict):
    """A column of the table that has no pictures."""

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
    """A cell in a column of pictures: only `why` if there is no run, or else all other fields."""

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
    """Rows under one line of headings."""

    remark: str
    rows: list[PageRow]


class PageRun(TypedDict, total=False):
    """The data of a run that the page shows before the run is opened."""

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
    """The data that the page loads when a run is opened: an entry of runs/details-N.js."""

    params: list[list[str]]
    facts: list[list[str]]
    command: str
    series: list[Series]
    log: list[str]


class CsvLine(TypedDict, total=False):
    """A line of runs.csv. Each parameter and each metric is a further column with its name."""

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
    ema_length: float
    ema_distance: float
    status: str
    commit: str
    metric: str
    note: str
    picture: str
