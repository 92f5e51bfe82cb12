"""Run the command of `on_done=` at the end of a sweep, which it cannot break."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from gansweep.store.run import FAILED, Run
from gansweep.terminal.console import console

PATIENCE = 60.0  # seconds for which the end of the command is awaited


def run_on_done(
    command: str | None,
    name: str,
    runs: Sequence[Run],
    report: Path | None,
    *,
    interrupted: bool = False,
) -> None:
    """Run a shell command with the name and the counts of a sweep in environment variables.

    The variables are GANSWEEP_NAME, GANSWEEP_TOTAL, GANSWEEP_DONE, GANSWEEP_FAILED,
    GANSWEEP_WAITING, GANSWEEP_STATUS (`done`, `failed`, `interrupted` or `incomplete`) and
    GANSWEEP_REPORT, the path of the table. One line says so if the command fails, or if it still
    runs after PATIENCE seconds; it is then left running.
    """
    if not command:
        return
    statuses = [run.status() for run in runs]
    done = statuses.count("done")
    failed = sum(status in FAILED for status in statuses)
    status = "done" if done == len(runs) else "failed" if failed else "incomplete"
    variables = {
        "GANSWEEP_NAME": name,
        "GANSWEEP_TOTAL": str(len(runs)),
        "GANSWEEP_DONE": str(done),
        "GANSWEEP_FAILED": str(failed),
        "GANSWEEP_WAITING": str(len(runs) - done - failed),
        "GANSWEEP_STATUS": "interrupted" if interrupted else status,
        "GANSWEEP_REPORT": "" if report is None else str(report.resolve()),
    }
    if problem := _run(command, variables):
        console.print(f"on_done: {problem}")


def _run(command: str, variables: Mapping[str, str]) -> str:
    """Run the command, and return what was wrong with it; empty if nothing was."""
    try:
        process = subprocess.Popen(
            command, shell=True, stdin=subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, **variables},
        )  # fmt: skip
        code = process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        return f"the command still runs after {PATIENCE:g} s, and is not awaited"
    except (OSError, ValueError) as error:
        return f"the command cannot be started ({error})"
    return f"the command failed with exit code {code}" if code else ""
