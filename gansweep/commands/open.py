"""`python -m gansweep open SWEEP`: open the gallery of a sweep in the browser."""

from __future__ import annotations

import argparse
import webbrowser
from pathlib import Path

from gansweep.config import DEFAULTS
from gansweep.store.errors import one_line_errors
from gansweep.store.find_run import LATEST, SWEEP, find_sweep
from gansweep.store.manifest import manifest_path, read_manifest
from gansweep.store.run import Run
from gansweep.terminal.console import console


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m gansweep open",
        description="Open the gallery of a sweep in the browser. The report is written first if "
        "there is none, or if runs have changed since.",
    )
    parser.add_argument("sweep", nargs="?", default=LATEST, help=f"{SWEEP} (default %(default)s)")
    parser.add_argument(
        "--out", default=DEFAULTS["out"], help="folder of runs (default %(default)s)"
    )
    parser.add_argument(
        "--reports", default=DEFAULTS["reports"], help="folder of reports (default %(default)s)"
    )
    args = parser.parse_args(argv)
    with one_line_errors():
        path = written(find_sweep(args.sweep, args.out), args.out, args.reports)
    console.print(f"gallery: {path}", soft_wrap=True)
    if not webbrowser.open(path.resolve().as_uri()):
        place = "" if args.out == DEFAULTS["out"] else f" --out {args.out}"
        console.print(
            "no browser can be opened here: open the file in one, or serve it to the browser of "
            f"another computer by python -m gansweep serve {path.parent.name}{place}",
            soft_wrap=True,
        )


def written(name: str, out: str, reports: str) -> Path:
    """Return the path of a sweep's gallery, which is written if it is missing or older than runs.

    Raises UserError for an unknown sweep, and if the report cannot be written.
    """
    manifest = read_manifest(out, name)
    path = Path(reports) / name / "index.html"
    runs = (Run(out, i) for row in manifest.rows for ids in row.runs.values() for i in ids)
    sources = [
        manifest_path(out, name),
        *(f for run in runs for f in (run.result, run.evaluations)),
    ]
    newest = max(f.stat().st_mtime for f in sources if f.exists())
    if not path.exists() or path.stat().st_mtime < newest:
        from gansweep.report import write_report

        write_report(name, out=out, reports=reports)
    return path
