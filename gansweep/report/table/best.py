"""Name the best row of each data set, the rows that tie with it, its command and its weights."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean

from gansweep.plugins import METRICS
from gansweep.report.table.caption import none_alive
from gansweep.report.table.cell import BEST, TIE, Cell
from gansweep.report.table.collect import Results, varying
from gansweep.report.table.columns import ReportRow
from gansweep.report.table.cut_off import places
from gansweep.report.table.outcome import Outcome
from gansweep.report.table.text import format_param
from gansweep.store.manifest import NOT_APPLICABLE
from gansweep.store.run import Run

MOST_TIES = 6  # rows that a line names


@dataclass
class BestRow:
    """The best row on one data set.

    settings: `lr=5e-5 beta1=0.3`, the parameters that differ between the rows; headline: its score;
    ties: the numbers of the rows that are not significantly worse; generator: the file of the best
    weights; why: a sentence in place of all this, if no run is alive; compare: the command that
    tells whether a row that ties is as good. With `why`, the other fields describe the row with the
    best value of those that are not alive.
    """

    picture: str
    row: int = 0
    settings: str = ""
    headline: str = ""
    ties: list[int] = field(default_factory=list)
    command: str = ""
    generator: Path | None = None
    why: str = ""
    compare: str = ""

    def lines(self) -> Iterator[str]:
        """Yield the lines for a screen."""
        if self.why:
            yield self.why
            if self.headline:
                lead = filter(None, [f"row {self.row}", self.settings, self.headline])
                yield f"  first by its value, in spite of its flags: {', '.join(lead)}"
                yield from self._files()
            return
        name = self.picture.removesuffix(" Output")
        yield ", ".join(
            filter(None, [f"best {name}: row {self.row}", self.settings, self.headline])
        )
        if self.ties:
            rows = ", ".join(map(str, self.ties[:MOST_TIES]))
            more = ", …" if len(self.ties) > MOST_TIES else ""
            noun = "row" if len(self.ties) == 1 else "rows"
            yield f"  as good, within the error: {noun} {rows}{more}"
            if self.compare:
                yield f"  more seeds tell: {self.compare}"
        yield from self._files()

    def _files(self) -> Iterator[str]:
        if self.command:
            yield f"  its command:   {self.command}"
        if self.generator is not None:
            yield f"  its generator: {self.generator}"


def best_rows(results: Results, out: str | Path) -> list[BestRow]:
    """Return the best row of each picture column, whose cells `mark_results` has marked.

    out: the output folder. A column without a best row is left out, such as that of a single row.
    """
    found = []
    names = varying(results.rows)
    for picture in results.pictures:
        cells = [(row, row.cells[picture]) for row in results.rows if picture in row.cells]
        best = [row for row, cell in cells if cell.mark == BEST]
        if best:
            ties = [row.number for row, cell in cells if cell.mark == TIE]
            found.append(_best(best[0], picture, names, ties, out))
            found[-1].compare = _compare(results, found[-1])
        else:
            for why in none_alive(results, picture):
                lead = _lead([(row, cell) for row, cell in cells if cell.values])
                first = _best(lead, picture, names, [], out) if lead else BestRow(picture)
                found.append(replace(first, why=f"{why}."))
    return found


def _best(
    row: ReportRow, picture: str, names: list[str], ties: list[int], out: str | Path
) -> BestRow:
    cell = row.cells[picture]
    run = cell.judged[0]
    shown = {name: format_param(name, row.params) for name in names if name in row.params}
    settings = [f"{name}={text}" for name, text in shown.items() if text != NOT_APPLICABLE]
    return BestRow(
        picture,
        row.number,
        " ".join(settings),
        cell.headline(),
        ties,
        run.config.get("command", "") if run.config else "",
        weights_of(run, out),
    )


def _lead(judged: list[tuple[ReportRow, Cell]]) -> ReportRow | None:
    """Return the row with the best value; None if the metrics differ or cannot be ranked."""
    metrics = {cell.metric for _, cell in judged}
    if len(metrics) != 1 or not all(map(METRICS.ranks, metrics)):
        return None
    sign = METRICS.sign(metrics.pop())
    return min(judged, key=lambda pair: sign * fmean(pair[1].values))[0]


def _compare(results: Results, best: BestRow) -> str:
    """Return the command that trains the best rows with more seeds; empty for a joint table.

    `confirm` takes rows of one seed, and `versus` adds seeds to two rows.
    """
    names = {row.sweep for row in results.rows}
    if not best.ties or len(results.commands) != 1 or len(names) != 1:
        return ""
    name = names.pop()
    row = next(row for row in results.rows if row.number == best.row)
    if len(row.cells[best.picture].values) > 1:
        words = ["versus", f"{name}/{best.row}", f"{name}/{best.ties[0]}"]
    else:
        words = ["confirm", name]
    if results.pictures[0] != best.picture:
        words += ["--on", best.picture]
    return shlex.join(["python", "-m", "gansweep", *words, *places(results.commands[0])])


def weights_of(outcome: Outcome, out: str | Path) -> Path | None:
    """Return the file of a run's best weights, or of its last ones; None if it has neither."""
    run = Run(out, outcome.run_id)
    return next((path for path in (run.best, run.final) if path.is_file()), None)
