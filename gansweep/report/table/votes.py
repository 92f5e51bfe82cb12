"""Rank rows by votes on pairs of their pictures, and compare this ranking with a metric's."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gansweep.store.json_files import append_line, read_lines
from gansweep.store.manifest import votes_path
from gansweep.store.run import now
from gansweep.store.sweep_records import VoteLine

LEFT, RIGHT, TIE, UNDO = CHOICES = ("left", "right", "tie", "undo")
PRIOR = 0.5  # virtual wins, and as many losses, of each item against one of strength 1
FEWEST = 3  # items of which ranks are compared


@dataclass
class Votes:
    """The votes on the pictures of one picture column. path: that of votes.jsonl."""

    path: Path
    picture: str

    @classmethod
    def of(cls, out: str | Path, name: str, picture: str) -> Votes:
        return cls(votes_path(out, name), picture)

    def add(self, left: str, right: str, choice: str) -> None:
        """Append a vote. left, right: run ids; choice: one of CHOICES. UNDO takes back the last."""
        vote: VoteLine = {
            "time": now(), "picture": self.picture, "left": left, "right": right, "choice": choice,
        }  # fmt: skip
        self.path.parent.mkdir(parents=True, exist_ok=True)
        append_line(self.path, vote)

    def read(self) -> list[tuple[str, str, float]]:
        """Return (left run, right run, share of the win of the left) of the valid votes.

        The share is 1, 0, or 0.5 for a tie.
        """
        shares = {LEFT: 1.0, RIGHT: 0.0, TIE: 0.5}
        found: list[tuple[str, str, float]] = []
        for line in read_lines(self.path):
            if line.get("picture") != self.picture:
                continue
            if line.get("choice") == UNDO:
                del found[-1:]
            elif line.get("choice") in shares:
                left, right = str(line.get("left")), str(line.get("right"))
                found.append((left, right, shares[line["choice"]]))
        return found


def bradley_terry(
    votes: Iterable[tuple[str, str, float]], prior: float = PRIOR
) -> dict[str, float]:
    """Return the strength of each item by the model of Bradley and Terry (1952).

    The model is P(a beats b) = s_a / (s_a + s_b). votes: (a, b, share of the win of a), where a tie
    is 0.5. prior: virtual wins and losses of each item against an item of strength 1, without which
    an item that always wins has no finite strength; with 0, the geometric mean of the strengths is
    1. The strengths maximise the likelihood, by the algorithm of Hunter (2004).
    """
    wins: Counter[str] = Counter()
    played: Counter[tuple[str, str]] = Counter()
    for one, other, share in votes:
        wins[one] += share  # type: ignore[assignment]  # half wins
        wins[other] += 1 - share  # type: ignore[assignment]
        played[one, other] += 1
        played[other, one] += 1
    opponents: dict[str, list[tuple[str, int]]] = {item: [] for item in wins}
    for (one, other), count in played.items():
        opponents[one].append((other, count))
    strengths = dict.fromkeys(wins, 1.0)
    for _ in range(10_000):
        updated = {
            item: (wins[item] + prior)
            / (
                sum(n / (own + strengths[other]) for other, n in opponents[item])
                + 2 * prior / (own + 1)
            )
            for item, own in strengths.items()
        }
        if not prior:
            known = [s for s in updated.values() if s > 0]
            mean = math.exp(sum(map(math.log, known)) / len(known)) if known else 1.0
            updated = {item: strength / mean for item, strength in updated.items()}
        moved = max((abs(updated[i] - s) / (s or 1) for i, s in strengths.items()), default=0)
        strengths = updated
        if moved < 1e-10:
            break
    return strengths


def places_by_eye(out: str | Path, name: str, picture: str) -> dict[str, int]:
    """Return the place of each run of a sweep in the votes on a picture column."""
    return places(bradley_terry(Votes.of(out, name, picture).read()))


def spearman(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation, with mean ranks for equal values.

    Returns None for fewer than FEWEST values, and if all values of a list are equal.
    """
    if len(one) < FEWEST:
        return None
    x, y = ranks(one), ranks(other)
    mean = (len(x) + 1) / 2
    xs, ys = [v - mean for v in x], [v - mean for v in y]
    scale = math.sqrt(sum(v * v for v in xs) * sum(v * v for v in ys))
    return sum(a * b for a, b in zip(xs, ys, strict=True)) / scale if scale else None


def ranks(values: Sequence[float]) -> list[float]:
    """Return the rank of each value from 1 for the least; equal values have their mean rank."""
    order = sorted(values)
    first = {value: order.index(value) for value in order}
    counts = Counter(order)
    return [first[value] + (counts[value] + 1) / 2 for value in values]


def places(strengths: Mapping[str, float]) -> dict[str, int]:
    """Return the place of each item from 1 for the strongest; equal ones share a place."""
    order = sorted(strengths.values(), reverse=True)
    return {item: order.index(strength) + 1 for item, strength in strengths.items()}
