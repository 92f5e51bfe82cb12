"""Reads the progress of a sweep from its files, and renders it for a terminal."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from gansweep.store.check import number
from gansweep.store.run import Run


@dataclass
class RunProgress:
    """The progress of a running run.

    steps: 0 if only its script knows them; pace: steps per second; rate: images per second;
    seconds_left: to its end; seconds_total: from its start to its end. A value is None while it is
    unknown.
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
    return progress


def clock(seconds: float | None) -> str:
    """Format seconds as `3:07` or `1:02:09`, or as `–` if they are unknown."""
    if seconds is None:
        return "–"
    total = max(0, round(seconds))
    hours, minutes = total // 3600, total // 60 % 60
    return f"{hours}:{minutes:02}:{total % 60:02}" if hours else f"{minutes}:{total % 60:02}"


def render(progress: SweepProgress) -> RenderableType:
    """Return the live view: a line for each running run, and one for the sweep."""
    table = Table(
        box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=True, header_style="dim"
    )
    table.add_column("slot", no_wrap=True)
    table.add_column("run", no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column("", width=12)
    for heading in ("step", "images/s", "loss D", "loss G", "left"):
        table.add_column(heading, justify="right", no_wrap=True)
    for run in progress.running:
        rate = f"{run.rate:,.0f}" if run.rate else "–"
        losses = [f"{run.losses[k]:.2f}" if k in run.losses else "–" for k in ("loss_d", "loss_g")]
        done = run.step if run.steps else 0
        bar = ProgressBar(total=max(1, run.steps), completed=done, width=12)
        step = f"{run.step}/{run.steps}" if run.steps else str(run.step)
        starting = not run.pace and (run.steps or not run.step)
        left = "starting" if starting else clock(run.seconds_left)
        table.add_row(run.slot, Text(run.title), bar, step, rate, *losses, left)
    return Group(table, overall(progress)) if progress.running else overall(progress)


def overall(progress: SweepProgress) -> Text:
    """Return the line of the sweep.

    An example is `lr-beta1-baea07  5/12 done  1 failed  2 running  4 waiting  left 1:32, until
    14:07`.
    """
    total = progress.done + progress.failed + progress.pruned + progress.waiting
    total += progress.in_other_sweeps + len(progress.running)
    text = Text(f"{progress.name}  ", no_wrap=True, overflow="ellipsis")
    text.append(f"{progress.done}/{total} done", style="green")
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
    return text
