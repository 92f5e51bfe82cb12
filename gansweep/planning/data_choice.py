"""Say which data a command trains on, where the command line does not choose them.

The rule is the same for all commands: a table (-m) trains on all data sets of the profile, its
digits and its faces; a single run and a search train on the first one.
"""

from __future__ import annotations

from collections.abc import Sequence


def of_table(names: Sequence[str], profile: str) -> str:
    """Return the line for a table. names: its data sets, in order."""
    rule = " (a single run or a search takes the first)" if len(names) > 1 else ""
    return f"data: {' and '.join(names)}, of profile={profile}{rule}; data=NAME chooses others"


def of_list(names: Sequence[str], sweep: str) -> str:
    """Return the line for a row list that has data sets of its own."""
    return f"data: {' and '.join(names)}, of sweep={sweep}; data=NAME chooses others"


def of_one(name: str, profile: str) -> str:
    """Return the line for a single run or a search."""
    return (
        f"data: {name}, the first of profile={profile} (a table takes all of them); "
        "data=NAME chooses others"
    )
