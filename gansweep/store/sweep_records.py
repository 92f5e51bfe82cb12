"""The records of a sweep's folder as types: what a search keeps of itself and of its trials.

docs/files.md says what the fields mean. The manifest's own types are in manifest.py.
"""

from __future__ import annotations

from typing import Any, TypedDict


class SearchRecord(TypedDict, total=False):
    """`search` of a manifest: where the study of a search is, and its first objective."""

    storage: str | None
    label: str
    metric: str


class SearcherRecord(TypedDict):
    """The process that trains a trial."""

    id: str
    host: str
    lock: str


# A functional definition, as `from` is a word of Python's.
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
        "error": float,
        "command": str,
    },
    total=False,
)
TrialRecord.__doc__ = "The user attributes of a trial in the study's storage."


class StudyRecord(TypedDict, total=False):
    """The user attributes of a study."""

    meant: dict[str, Any]
