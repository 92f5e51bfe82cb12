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
    setting: bool


class PagePicture(TypedDict):
    """A column of pictures."""

    heading: str
    metric: str
    short: str
    direction: str
    better: str
    untrained: float | None
    real_value: float | None
    real_n: int | None
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
    words: list[str]
    rank: int | None
    eye: int | None
    mark: str
    notes: list[str]


class PageRow(TypedDict):
    """A row of the table."""

    key: str
    label: str
    values: list[Any]
    texts: list[str]
    also: dict[str, Any]
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
    words: list[str]
    progress: float | None
    note: str
    full: str | None
    steps: list[list[Any]]
    equilibrium: int | None
    nearest: str | None
    details: str


class PageBest(TypedDict):
    """The best row of a column of pictures."""

    picture: int
    row: str
    run: str
    command: str


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


class Page(TypedDict):
    """The JSON in index.html."""

    name: str
    title: str
    command: str
    best: list[PageBest]
    found: list[str]
    columns: list[PageColumn]
    pictures: list[PagePicture]
    tables: list[PageTable]
    names: dict[str, str]
    common: dict[str, Any]
    runs: dict[str, PageRun]
    caption: list[str]
    legend: list[list[str]]
    plots: list[list[str]]


class PageExtras(TypedDict, total=False):
    """What the JSON of a page has besides: of a page from disk `copies`, of a live page `live`, and
    of a single file all others."""

    copies: str
    blobs: list[str]
    files: dict[str, int]
    details: dict[str, PageDetails]
    live: int


class CsvLine(TypedDict, total=False):
    """A line of runs.csv. Each parameter and each metric is a further column with its name."""

    row: int
    sweep: str
    column: str
    run: str
    seed: int
    epochs_trained: float
    training_time: float
    seconds: float
    parameters: int
    peak_memory: int
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
