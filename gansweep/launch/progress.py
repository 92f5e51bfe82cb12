"""What a sweep is doing, read from its files, and how a terminal shows it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from gansweep.store.check import number
from gansweep.store.run import Run


@dataclass
class RunProgress:
    """A running run. rate: images a second; left, whole: seconds to its end, and in all."""

    title: str
    slot: str = ""
    threads: int | None = None
    step: int = 0
    steps: int = 0
    rate: float | None = None
    left: float | None = None
    whole: float | None = None
    losses: dict[str, float] = field(default_factory=dict)


@dataclass
class SweepProgress:
    """Counts of runs, and those running now. left: seconds to the end of the sweep."""

    name: str
    done: int
    failed: int
    waiting: int
    running: list[RunProgress]
    elsewhere: int = 0
    pruned: int = 0
    left: float | None = None
    note: str = ""


def run_progress(run: Run, title: str) -> RunProgress:
    """How far a running run is, from its files."""
    record = run.read_config()
    steps_in_all, batch_size = (
        (record["identity"]["steps"], record["identity"]["batch_size"]) if record else (0, 0)
    )
    progress = RunProgress(title, steps=steps_in_all)
    starts = [e for e in run.read_history() if e.get("event") == "started"]
    if starts:
        progress.slot = str(starts[-1].get("slot", ""))
        progress.threads = starts[-1].get("threads")
        progress.step = starts[-1].get("step", 0)
    lines = run.latest_metrics(8)
    if lines:
        last, first = lines[-1], lines[0]
        progress.step = max(progress.step, last["step"])
        losses = {name: number(last, name) for name in ("loss_d", "loss_g")}
        progress.losses = {name: loss for name, loss in losses.items() if loss is not None}
        steps = last["step"] - first["step"]
        seconds = (number(last, "seconds") or 0) - (number(first, "seconds") or 0)
        if steps > 0 and seconds > 0:
            progress.rate = steps * batch_size / seconds
            progress.whole = progress.steps * seconds / steps
            progress.left = (progress.steps - progress.step) * seconds / steps
    return progress


def clock(seconds: float | None) -> str:
    """3:07, 1:02:09; – if unknown."""
    if seconds is None:
        return "–"
    whole = max(0, round(seconds))
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def render(progress: SweepProgress) -> RenderableType:
    """The slots, a line each, over a line for the whole."""
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
        bar = ProgressBar(total=max(1, run.steps), completed=run.step, width=12)
        step = f"{run.step}/{run.steps}"
        left = clock(run.left) if run.rate else "starting"
        table.add_row(run.slot, Text(run.title), bar, step, rate, *losses, left)
    return Group(table, overall(progress)) if progress.running else overall(progress)


def overall(progress: SweepProgress) -> Text:
    """`lr-beta1-baea07  5/12 done  1 failed  2 running  4 waiting  left 1:32, until 14:07`"""
    total = progress.done + progress.failed + progress.pruned + progress.waiting
    total += progress.elsewhere + len(progress.running)
    text = Text(f"{progress.name}  ", no_wrap=True, overflow="ellipsis")
    text.append(f"{progress.done}/{total} done", style="green")
    if progress.failed:
        text.append(f"  {progress.failed} failed", style="red")
    for count, what in (
        (progress.pruned, "pruned"),
        (len(progress.running), "running"),
        (progress.elsewhere, "in another sweep"),
        (progress.waiting, "waiting"),
    ):
        if count:
            text.append(f"  {count} {what}")
    if progress.left is not None:
        until = time.strftime("%H:%M", time.localtime(time.time() + progress.left))
        text.append(f"  left {clock(progress.left)}, until {until}")
    if progress.note:
        text.append(f"  {progress.note}", style="yellow")
    return text
