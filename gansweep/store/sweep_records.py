"""The types of the records of a search: in its manifest, its study and its trials.

docs/files.md describes the fields. The types of the manifest itself are in manifest.py.
"""

from __future__ import annotations

from typing import Any, TypedDict


class SearchRecord(TypedDict, total=False):
    """The field `search` of a manifest: the storage of the study, the first objective, failures."""

    storage: str | None
    label: str
    metric: str
    failed: dict[str, str]
    eye: bool
    constraint: str | None
    outside: dict[str, str]


class SearcherRecord(TypedDict):
    """The process that trains a trial."""

    id: str
    host: str
    lock: str


# This is a functional definition, because `from` is a keyword of Python.
TrialRecord = TypedDict(
    "TrialRecord",
    {
        "runs": list[str],
        "searcher": SearcherRecord,
        "alive": float,
        "again": int,
        "from": str,
        "uncounted": bool,
        "why": str,
        "flags": list[str],
        "dead": float,
        "violations": dict[str, float],
        "rungs": dict[str, list[float]],
        "error": float,
        "command": str,
    },
    total=False,
)
TrialRecord.__doc__ = "The user attributes of a trial in the study's storage."


class CleanedRecord(TypedDict):
    """cleaned.json: the runs whose weights a sweep does not need any more."""

    given_up: list[str]
    time: str


class StudyRecord(TypedDict, total=False):
    """The user attributes of a study."""

    meant: dict[str, Any]


class VoteLine(TypedDict):
    """A vote on two pictures: a line of votes.jsonl."""

    time: str
    picture: str
    left: str
    right: str
    choice: str
