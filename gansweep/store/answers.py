"""The types of what commands print with --json, apart from the records of files.

docs/files.md describes the fields. They are stable: a later version adds fields and removes none.
"""

from __future__ import annotations

from typing import Any, TypedDict

from gansweep.store.records import Environment, ParentRecord, Result


class PlannedRunAnswer(TypedDict):
    """A run in the answer of plan=true."""

    id: str
    title: str
    action: str
    status: str
    seconds: float | None


class PlanAnswer(TypedDict):
    """The answer of plan=true for a grid."""

    name: str
    command: str
    rows: int
    runs: list[PlannedRunAnswer]
    counts: dict[str, int]
    invalid: dict[str, str]
    seconds: float | None
    weights_bytes: int


class StatusRun(TypedDict):
    """A run in the answer of `status`."""

    id: str
    title: str
    status: str
    step: int | None
    steps: int | None
    seconds_left: float | None
    note: str


class StatusAnswer(TypedDict):
    """The answer of `status SWEEP`; without SWEEP, a list of them without runs."""

    name: str
    counts: dict[str, int]
    seconds_left: float | None
    weights_bytes: int
    runs: list[StatusRun]


class ReportCell(TypedDict):
    """A row on one data set in the answer of `report`."""

    runs: list[str]
    metric: str | None
    value: float | None
    error: float | None
    mark: str
    flags: list[str]
    statuses: list[str]
    notes: list[str]
    why: str


class ReportRowAnswer(TypedDict):
    """A row in the answer of `report`."""

    sweep: str
    row: int
    params: dict[str, Any]
    facts: dict[str, str]
    cells: dict[str, ReportCell]


class ReportAnswer(TypedDict):
    """The answer of `report`."""

    name: str
    folder: str
    files: list[str]
    pictures: list[str]
    rows: list[ReportRowAnswer]


class RunAnswer(TypedDict):
    """A run in the answer of `show`."""

    id: str
    status: str
    note: str
    folder: str
    picture: str | None
    command: str
    params: dict[str, Any]
    data: dict[str, Any]
    result: Result | None
    environment: Environment | None
    parent: ParentRecord | None


class DiffAnswer(TypedDict):
    """The answer of `diff`."""

    runs: list[str]
    same: bool
    parameters: dict[str, list[str | None]]
    results: dict[str, list[str | None]]
    origin: dict[str, list[str | None]]


class ConfirmedRow(TypedDict):
    """A row in the answer of `confirm`."""

    row: int
    before: float
    values: list[float]
    alive: bool
    holds: str
    runs: list[str]


class ConfirmAnswer(TypedDict):
    """The answer of `confirm`, the best row first."""

    metric: str
    rows: list[ConfirmedRow]
    complete: bool
    manifest: str


class VersusSide(TypedDict):
    """One of the two rows that `versus` compares."""

    name: str
    runs: list[str]
    seeds: list[int]
    values: list[float]
    mean: float | None
    deviation: float | None
    dead: int
    failed: int


class VersusAnswer(TypedDict):
    """The answer of `versus`."""

    verdict: str | None
    metric: str
    less_is_better: bool
    a: VersusSide
    b: VersusSide
    difference: float | None
    interval: list[float] | None
    p: float | None
    test: str | None
    noise_floor: float | None
    seeds_needed: int | None
    complete: bool
    manifest: str
