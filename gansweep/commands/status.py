"""`python -m gansweep status SWEEP`: show the progress of a sweep, which is read from its files."""

from __future__ import annotations

import argparse
import time
from contextlib import suppress
from pathlib import Path

from rich.console import OverflowMethod
from rich.text import Text

from gansweep.commands.as_json import add_json, only_json, status_answer
from gansweep.config import DEFAULTS
from gansweep.launch.follow import describe, sweep_progress
from gansweep.launch.progress import SweepProgress, clock, overall, render
from gansweep.launch.slurm import ENGINE, states_of
from gansweep.store import lease
from gansweep.store.answers import StatusAnswer, StatusRun
from gansweep.store.errors import one_line_errors
from gansweep.store.find_run import SWEEP, find_sweep, sweeps_by_time
from gansweep.store.json_files import print_json
from gansweep.store.manifest import Manifest, manifest_path, read_manifest
from gansweep.store.run import FAILED, Run
from gansweep.store.weights import all_runs, weights_in_words
from gansweep.store.work import read_jobs, stop_asked
from gansweep.terminal.console import console
from gansweep.terminal.live import LiveView

WATCH_SECONDS = 1.0  # time between two updates with --watch
IDLE_UPDATES = 15  # updates without a running run after which --watch ends


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m gansweep status",
        description="Show the progress of a sweep from its files, in any terminal.",
        epilog="Exit codes: 0 all done, 1 some failed, 2 unknown sweep, 3 not all done yet.",
    )
    parser.add_argument("sweep", nargs="?", help=f"{SWEEP}; without it, all sweeps")
    parser.add_argument(
        "--out", default=DEFAULTS["out"], help="folder of runs (default %(default)s)"
    )
    parser.add_argument(
        "--watch", action="store_true", help="update until the sweep is done or no run is running"
    )
    add_json(parser)
    args = parser.parse_args(argv)
    only_json(args.json)
    with one_line_errors():
        if args.json and args.sweep is None:
            manifests = [read_manifest(args.out, name) for name in sweeps_by_time(args.out)]
            print_json([{**_answer(m, args.out), "runs": []} for m in manifests])
            return
        if args.sweep is None:
            for name in sweeps_by_time(args.out):  # the latest is the last line
                manifest = read_manifest(args.out, name)
                changed = manifest_path(args.out, name).stat().st_mtime
                line = Text(time.strftime("%Y-%m-%d %H:%M  ", time.localtime(changed)), "dim")
                line += overall(sweep_progress(manifest, args.out))
                line.append(f"  {_settings(manifest.command)}", style="dim")
                # A terminal has a line for each sweep, and a log the whole command.
                overflow: OverflowMethod = "ellipsis" if console.is_terminal else "ignore"
                console.print(
                    line, no_wrap=True, overflow=overflow, soft_wrap=not console.is_terminal
                )
            return
        manifest = read_manifest(args.out, find_sweep(args.sweep, args.out))
        progress = sweep_progress(manifest, args.out)
        if args.watch and console.is_terminal:
            with LiveView() as view:
                idle = 0
                while progress.waiting + len(progress.running) and idle < IDLE_UPDATES:
                    view.show(render(progress))
                    time.sleep(WATCH_SECONDS)
                    progress = sweep_progress(manifest, args.out)
                    idle = 0 if progress.running else idle + 1
        if args.json:
            print_json(_answer(manifest, args.out, progress))
        else:
            console.print(render(progress))
        if progress.running or progress.waiting:
            _print_workers(manifest.name, args.out)
            _print_silent(progress, manifest, args.out)
        _print_failures(manifest, args.out)
        if words := weights_in_words(args.out, all_runs(manifest)):
            console.print(Text(words, style="dim"))
    if progress.running or progress.waiting:
        raise SystemExit(3)
    raise SystemExit(1 if progress.failed else 0)


def _answer(manifest: Manifest, out: str, progress: SweepProgress | None = None) -> StatusAnswer:
    """Return the progress of a sweep for --json."""
    progress = progress or sweep_progress(manifest, out)
    running = {line.run_id: line for line in progress.running}
    runs: list[StatusRun] = []
    for run_id, title in manifest.titles.items():
        run, line = Run(out, run_id), running.get(run_id)
        status = "running" if line else run.status()
        if run_id in manifest.pruned and status != "done":
            status = "pruned"
        record = run.read_config()
        last = run.read_metrics(last=1)
        runs.append(
            {
                "id": run_id,
                "title": title,
                "status": status,
                "step": line.step if line else last[-1]["step"] if last else None,
                "steps": record["identity"]["steps"] if record else None,
                "seconds_left": line.seconds_left if line else None,
                "note": run.why_failed() if status in FAILED else manifest.pruned.get(run_id, ""),
            }
        )
    return status_answer(manifest, out, progress.seconds_left, runs)


def _print_workers(name: str, out: str) -> None:
    """Print the Slurm jobs of a sweep that wait or run, and whether the sweep was stopped."""
    if jobs := read_jobs(out, name).get(ENGINE):
        states = states_of(jobs)
        shown = None if states is None else list(states.values())
        console.print(describe(shown) or "workers: Slurm does not answer here")
    if stop_asked(out, name):
        console.print(f"stopped by gansweep stop; gansweep resume {name} continues it")


def _print_silent(progress: SweepProgress, manifest: Manifest, out: str) -> None:
    """Print a line for each run whose machine shows no sign of life."""
    with suppress(OSError):  # the folder may be read-only here
        now = lease.server_time(manifest_path(out, manifest.name).parent)
        for line in progress.running:
            silent = lease.silence(Run(out, line.run_id).folder, now)
            if silent > lease.seconds():
                text = (
                    f"{line.title}  no sign of life of its machine for {clock(silent)}: another "
                    "worker, or the same command again, takes it over"
                )
                console.print(Text(text, style="yellow"))


def _settings(command: str) -> str:
    """Return the arguments of a sweep's command, which tell it apart from other sweeps."""
    return command.removeprefix("python -m gansweep ").removeprefix("-m ")


def _print_failures(manifest: Manifest, out: str | Path) -> None:
    """Print a line for each failed run."""
    for run_id, title in manifest.titles.items():
        run = Run(out, run_id)
        if run.failed():
            console.print(Text(f"{title}  {run.describe_failure()}", style="red"))
