"""A page that shows pairs of rows blind and takes votes, and the ranking that they give."""

from __future__ import annotations

import random
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gansweep.report.gallery.page import inlined
from gansweep.report.gallery.server import Answer, LocalServer, Query, as_answer
from gansweep.report.table.collect import Reader, collect
from gansweep.report.table.eye import Rated, agreement, ranking, rated_rows
from gansweep.report.table.picture_column import PictureColumn, picture_columns
from gansweep.report.table.votes import CHOICES, UNDO, Votes, bradley_terry
from gansweep.store.errors import UserError, choices_hint
from gansweep.store.manifest import read_manifest

CLOSE = 3  # candidates of similar strength of which a pair takes one at random
MAX_SHOWN = 2  # a row that was rated as often more than the least rated one has to wait


def column_to_rate(
    name: str, out: str | Path, on: str | None = None
) -> tuple[PictureColumn, list[Rated]]:
    """Return a picture column of a sweep, and its rows that have a picture.

    on: the heading of the picture column, the first if None. Raises UserError for an unknown sweep
    or heading, and if fewer than two rows have a picture.
    """
    columns = picture_columns(collect([read_manifest(out, name)], Reader(out)), out)
    known = [column.heading for column in columns]
    if on is not None and on not in known:
        raise UserError(f"--on {on}: {choices_hint(on, known)}")
    column = columns[known.index(on) if on is not None else 0]
    rated = rated_rows(column)
    if len(rated) < 2:
        rows = "1 row" if len(rated) == 1 else f"{len(rated)} rows"
        raise UserError(f"sweep {name} has {rows} with a picture in {column.heading}; votes need 2")
    return column, rated


@dataclass
class Rating:
    """The state of a page that takes votes.

    rated: the rows; refresh: updates the rows before each pair, where they become more; random:
    chooses the pairs.
    """

    column: PictureColumn
    rated: list[Rated]
    votes: Votes
    title: str
    refresh: Callable[[Rating], object] | None = None
    random: random.Random = field(default_factory=random.Random)
    _pairs: dict[str, tuple[Rated, Rated]] = field(default_factory=dict)
    _pictures: dict[str, Path] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def server(self, port: int | None) -> LocalServer:
        """Return the server of this page."""
        get = {"/": self._page, "/pair": self._pair, "/picture": self._picture,
               "/result": self._result}  # fmt: skip
        return LocalServer(None, get, {"/vote": self._vote}, port)

    def next_pair(self) -> tuple[Rated, Rated] | None:
        """Return two rows, in random order, that were not compared yet; None if all pairs were.

        The first row has the fewest votes; the second one is as strong as the first, as far as the
        votes tell, because such a pair tells most.
        """
        cast = self.votes.read()
        done = {frozenset(vote[:2]) for vote in cast}
        strengths = bradley_terry(cast)
        rows = self.rated[:]
        self.random.shuffle(rows)
        rows.sort(key=lambda row: sum(row.run in vote[:2] for vote in cast))
        for one in rows:
            free = [r for r in rows if r is not one and frozenset((one.run, r.run)) not in done]
            least = min((sum(r.run in v[:2] for v in cast) for r in free), default=0)
            fresh = [r for r in free if sum(r.run in v[:2] for v in cast) <= least + MAX_SHOWN]
            own = strengths.get(one.run, 1.0)
            fresh.sort(key=lambda r: abs(strengths.get(r.run, 1.0) - own))
            if fresh:
                pair = [one, self.random.choice(fresh[:CLOSE])]
                self.random.shuffle(pair)
                return pair[0], pair[1]
        return None

    def _page(self, _: Query) -> Answer:
        text = inlined(
            "rate.html",
            title=self.title,
            styles=("page.css", "rate.css"),
            scripts=("rate.js",),
            asks=True,
        )
        return Answer(text.encode(), "text/html; charset=utf-8")

    def _pair(self, _: Query) -> Answer:
        """Answer with the names of the two pictures, which do not tell the rows."""
        with self._lock:
            if self.refresh is not None:
                self.refresh(self)
            pair = self.next_pair()
            count = len(self.votes.read())
            total = len(self.rated) * (len(self.rated) - 1) // 2
            if pair is None:
                more = self.refresh is not None  # rows are still to come
                return as_answer({"votes": count, "pairs": total, "more": more})
            key = secrets.token_hex(8)
            self._pairs[key] = pair
            names = [secrets.token_hex(8) for _ in pair]
            self._pictures.update({n: row.path for n, row in zip(names, pair, strict=True)})
            left, right = (f"/picture?name={name}" for name in names)
            return as_answer(
                {"pair": key, "left": left, "right": right, "votes": count, "pairs": total}
            )

    def _picture(self, query: Query) -> Answer | None:
        path = self._pictures.get(query.get("name", ""))
        try:
            return Answer(path.read_bytes(), "image/png") if path else None
        except OSError:
            return None

    def _vote(self, body: Query) -> Answer | None:
        with self._lock:
            if body.get("choice") == UNDO:
                self.votes.add("", "", UNDO)
                return as_answer({})
            pair = self._pairs.pop(body.get("pair", ""), None)
            if pair is None or body.get("choice") not in CHOICES:
                return None
            self.votes.add(pair[0].run, pair[1].run, body["choice"])
            return as_answer({})

    def _result(self, _: Query) -> Answer:
        rows = []
        for found in ranking(self.column, self.rated, self.votes):
            name = secrets.token_hex(8)
            self._pictures[name] = found.rated.path
            rows.append(
                {"row": found.rated.row, "place": found.place, "votes": found.votes,
                 "value": found.rated.text, "by_value": found.by_value,
                 "picture": f"/picture?name={name}"}
            )  # fmt: skip
        text = agreement(self.column, self.votes)
        return as_answer({"agreement": text, "metric": self.column.label, "rows": rows})
