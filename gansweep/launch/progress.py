"""Reads the progress of a sweep from its files, and renders it for a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from gansweep.store.check import number
from gansweep.store.run import Run
from gansweep.training.summary import latest_score


@dataclass
class RunProgress:
    """The progress of a running run.

    steps: 0 if only its script knows them; pace: steps per second; rate: images per second;
    seconds_left: to its end; seconds_total: from its start to its end; metric: the label of the
    metric that ranks the run; distance: the text of its value at the last evaluation; elapsed:
    seconds since the start of a job of another application, of which nothing else is known. A value
    is None, and a text empty, while it is unknown.
    """

    title: str
    run_id: str
    slot: str = ""
    threads: int | None = None
    step: int = 0
    steps: int = 0
    pace: float | None = None
    rate: float | None = None
    seconds_left: float | None = None
    seconds_total: float | None = None
    losses: dict[str, float] = field(default_factory=dict)
    metric: str = ""
    distance: str = ""
    elapsed: float | None = None


@dataclass
class SweepProgress:
    """The progress of a sweep: counts of its runs, and the running ones.

    in_other_sweeps: runs that another sweep trains; seconds_left: to the end of the sweep, or None
    if it is unknown; note: a text for the end of the line.
    """

    name: str
    done: int
    failed: int
    waiting: int
    running: list[RunProgress]
    in_other_sweeps: int = 0
    pruned: int = 0
    seconds_left: float | None = None
    note: str = ""


def run_progress(run: Run, title: str) -> RunProgress:
    """Read the progress of a running run from its files. title: what the screen calls the run."""
    record = run.read_config()
    progress = RunProgress(title, run.id)
    batch_size = record["identity"]["batch_size"] if record else None
    progress.steps = record["identity"]["steps"] or 0 if record else 0
    starts = [e for e in run.read_history() if e.get("event") == "started"]
    if starts:
        progress.slot = str(starts[-1].get("slot", ""))
        progress.threads = starts[-1].get("threads")
        progress.step = starts[-1].get("step", 0)
    lines: list[Any] = run.read_metrics(last=8)
    if not lines and not progress.steps:  # a script may write images and no metrics
        lines = run.read_evaluations()
    if lines:
        last, first = lines[-1], lines[0]
        progress.step = max(progress.step, last["step"])
        losses = {name: number(last, name) for name in ("loss_d", "loss_g")}
        progress.losses = {name: loss for name, loss in losses.items() if loss is not None}
        steps = last["step"] - first["step"]
        seconds = (number(last, "seconds") or 0) - (number(first, "seconds") or 0)
        if steps > 0 and seconds > 0:
            progress.pace = steps / seconds
            progress.rate = progress.pace * batch_size if batch_size else None
            if progress.steps:
                progress.seconds_total = progress.steps / progress.pace
                progress.seconds_left = (progress.steps - progress.step) / progress.pace
    if record:
        progress.metric, progress.distance = latest_score(
            run, record["data"]["name"], record["params"].get("best_by")
        )
    return progress


def clock(seconds: float | None) -> str:
    """Format seconds as `3:07` or `1:02:09`, or as `–` if they are unknown."""
    if seconds is None:
        return "–"
    total = max(0, round(seconds))
    hours, minutes = total // 3600, total // 60 % 60
    return f"{hours}:{minutes:02}:{total % 60:02}" if hours else f"{minutes}:{total % 60:02}"


@dataclass(frozen=True)
class _Column:
    """A column of the live view. text: that of a run's cell; None: the progress bar."""

    heading: str
    text: Callable[[RunProgress], str] | None

    def width(self, runs: list[RunProgress]) -> int:
        if self.text is None:
            return BAR
        return max(len(self.heading), *(len(self.text(run)) for run in runs))


BAR = 12  # characters of a progress bar
LEAST_TITLE = 32  # characters of a run's title, below which columns are left out


def _columns(runs: list[RunProgress]) -> list[_Column]:
    """Return all columns after that of the slot and the title, in their order."""
    if all(run.elapsed is not None for run in runs):
        return [_Column("time", lambda run: clock(run.elapsed))]
    labels = {run.metric for run in runs if run.metric}
    short = {label.partition(" (")[0] for label in labels}
    heading = min(labels) if len(labels) == 1 else min(short) if len(short) == 1 else "score"
    return [
        _Column("", None),
        _Column("step", lambda run: f"{run.step}/{run.steps}" if run.steps else str(run.step)),
        _Column("images/s", lambda run: f"{run.rate:,.0f}" if run.rate else "–"),
        _Column(heading, lambda run: run.distance or "–"),
        _Column("loss D", lambda run: _loss(run, "loss_d")),
        _Column("loss G", lambda run: _loss(run, "loss_g")),
        _Column("left", _left),
    ]


def _loss(run: RunProgress, name: str) -> str:
    return f"{run.losses[name]:.2f}" if name in run.losses else "–"


def _left(run: RunProgress) -> str:
    starting = not run.pace and (run.steps or not run.step)
    return "starting" if starting else clock(run.seconds_left)


def _fitting(runs: list[RunProgress], width: int) -> tuple[list[_Column], int]:
    """Return the columns that fit a line of `width` characters, and the width of the titles.

    If the titles have too little room, the losses are left out first, then the images per second,
    the bar and the slot.
    """
    slot = _Column("slot", lambda run: run.slot)
    columns = [slot, *_columns(runs)]
    longest = max(len("run"), *(len(run.title) for run in runs))
    drops = iter((columns[5:7], columns[3:4], columns[1:2], columns[:1]))
    while True:
        room = width - sum(column.width(runs) + 1 for column in columns)
        dropped = next(drops, None) if room < min(longest, LEAST_TITLE) else None
        if dropped is None:
            return columns, max(8, min(room, longest))
        columns = [column for column in columns if column not in dropped]


def shortened(title: str, width: int) -> str:
    """Return a title of at most `width` characters: its beginning and its last word.

    The last word names the data set or the seed: `gen=1 disc=3 … data=mnist5k`.
    """
    if len(title) <= width:
        return title
    last = title.rpartition(" ")[2]
    room = width - len(last) - 2
    return f"{title[:room].rstrip()}… {last}" if room >= 8 else f"{title[: width - 1]}…"


@dataclass
class _View:
    """The live view: a line for each running run, and one for the sweep."""

    progress: SweepProgress

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.progress.running:
            yield self._runs(self.progress.running, options.max_width)
        yield overall(self.progress, options.max_width)

    def _runs(self, runs: list[RunProgress], width: int) -> Table:
        columns, title = _fitting(runs, width)
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
        at = 1 if columns[0].heading == "slot" else 0
        for column in columns[:at]:
            table.add_column(column.heading, no_wrap=True)
        table.add_column("run", width=title, no_wrap=True)
        for column in columns[at:]:
            width = column.width(runs)
            table.add_column(column.heading, width=width, justify="right", no_wrap=True)
        for run in runs:
            cells = [*_cells(run, columns)]
            table.add_row(*cells[:at], Text(shortened(run.title, title)), *cells[at:])
        return table


def _cells(run: RunProgress, columns: list[_Column]) -> Iterator[RenderableType]:
    for column in columns:
        if column.text is not None:
            yield Text(column.text(run))
        else:
            done = run.step if run.steps else 0
            yield ProgressBar(total=max(1, run.steps), completed=done, width=BAR)


def render(progress: SweepProgress) -> RenderableType:
    """Return the live view, which leaves out columns where the terminal is narrow."""
    return _View(progress)


def overall(progress: SweepProgress, width: int | None = None) -> Text:
    """Return the line of the sweep, with a shorter name if the line exceeds `width` characters.

    An example is `lr-beta1-baea07  5/12 done  1 failed  2 running  4 waiting  left 1:32, until
    14:07`.
    """
    total = progress.done + progress.failed + progress.pruned + progress.waiting
    total += progress.in_other_sweeps + len(progress.running)
    text = Text().append(f"{progress.done}/{total} done", style="green")
    if progress.failed:
        text.append(f"  {progress.failed} failed", style="red")
    for count, label in (
        (progress.pruned, "pruned"),
        (len(progress.running), "running"),
        (progress.in_other_sweeps, "in another sweep"),
        (progress.waiting, "waiting"),
    ):
        if count:
            text.append(f"  {count} {label}")
    if progress.seconds_left is not None:
        until = time.strftime("%H:%M", time.localtime(time.time() + progress.seconds_left))
        text.append(f"  left {clock(progress.seconds_left)}, until {until}")
    if progress.note:
        text.append(f"  {progress.note}", style="yellow")
    name = progress.name
    room = len(name) if width is None else max(8, width - len(text.plain) - 2)
    name = name if len(name) <= room else f"{name[: room - 1]}…"
    return Text(f"{name}  ", no_wrap=True, overflow="ellipsis").append(text)
