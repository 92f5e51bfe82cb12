"""Write a report: a folder with the requested formats, or a block of tables in a document."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from gansweep.report.formats import FORMATS
from gansweep.report.render.files import IMAGES, Files, write_files
from gansweep.report.render.markdown import render_block
from gansweep.report.table.collect import Reader, Results, collect, mark_results
from gansweep.report.table.select import Selection, select
from gansweep.store.errors import UserError
from gansweep.store.manifest import Manifest, manifest_path, read_manifest
from gansweep.store.run import write_if_new
from gansweep.terminal.console import console

USUAL = ("markdown", "html")  # the formats that a sweep writes


@dataclass
class Report:
    """A written report.

    paths: the file of each format, in the requested order; best: sentences on the best setting of a
    search, and its command as the last item; plots: (alt text, path) of each plot.
    """

    folder: Path
    results: Results
    files: Files
    out: str | Path
    paths: list[Path] = field(default_factory=list)
    best: list[str] = field(default_factory=list)
    plots: list[tuple[str, str]] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """The file of the first format."""
        return self.paths[0]

    def announce(self) -> None:
        """Print the path of each file, and the size of a single one."""
        for path in self.paths:
            word = "gallery" if path.suffix == ".html" else "table"
            single = word == "gallery" and path.name != "index.html"
            size = f" ({path.stat().st_size / 1e6:.1f} MB, one file)" if single else ""
            console.print(f"{word}: {path}{size}", soft_wrap=True)


def write_report(
    names: str | Sequence[str],
    *,
    out: str | Path,
    reports: str | Path,
    to: Path | None = None,
    formats: Sequence[str] = USUAL,
    plots: bool = False,
    thumbnail: str = "equilibrium",
    grouped: bool = True,
    selection: Selection | None = None,
    storage: str | None = None,
) -> Report:
    """Write the report of a sweep, or a joint report of several sweeps, finished or not.

    names: the sweeps; out: the output folder; to: the report's folder, by default REPORTS/NAME;
    plots: whether to add plots; storage: the URL of a search's study, needed only for its password,
    as manifests contain no passwords; thumbnail, grouped: see `Reader`; selection: see `Selection`.
    Raises UserError for an unknown sweep, an invalid selection, or a folder that is not writable.
    """
    names = [names] if isinstance(names, str) else list(dict.fromkeys(names))
    results = _results(names, Reader(out, thumbnail, grouped), selection)
    folder = to if to is not None else Path(reports) / results.name
    try:
        _check_place(folder, out, formats if to is not None else ())
        report = _begin(results, folder, out, every=bool({"html", "single"} & {*formats}))
        if results.search is not None:
            _add_search(report, results.search, storage)
        if plots:
            from gansweep.report.plots.plots import write_plots

            drawn = write_plots(results, folder / IMAGES, out)
            report.plots += [(alt, f"{IMAGES}/{file}") for alt, file in drawn]
        for name in formats:
            report.paths.append(FORMATS[name].build(report))
    except OSError as error:
        raise UserError(
            f"cannot write the report {error.filename or folder}: {error.strerror}; "
            "choose another folder with reports=DIR"
        ) from None
    return report


def begin_report(name: str, folder: Path, out: str | Path) -> Report:
    """Put the pictures of a sweep's report into `folder`, for a page that is served."""
    return _begin(_results([name], Reader(out), None), folder, out, every=True)


def _results(names: Sequence[str], reader: Reader, selection: Selection | None) -> Results:
    results = collect([read_manifest(reader.out, name) for name in names], reader)
    if selection is not None:
        results = select(results, selection)
    mark_results(results)
    return results


def _begin(results: Results, folder: Path, out: str | Path, every: bool) -> Report:
    folder.mkdir(parents=True, exist_ok=True)
    return Report(folder, results, write_files(results, folder, every), out)


def _check_place(folder: Path, out: str | Path, formats: Iterable[str]) -> None:
    """Raise UserError if a report in `folder` would overwrite other files than those of a report.

    out: the output folder, whose runs no report may touch; formats: those that the report will have
    in a folder that the user has chosen.
    """
    if (folder / "runs").resolve() == (Path(out) / "runs").resolve():
        raise UserError(
            f"{folder} holds the runs themselves; choose another folder with --to DIR or "
            "reports=DIR"
        )
    for name in formats:
        for file, marker in FORMATS[name].facts["files"].items():
            path = folder / file
            if not path.exists():
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
            begins = file != "README.md" or text.startswith("## ") or "](images/row" in text
            if marker not in text or not begins:
                raise UserError(
                    f"{path} is not a gansweep report and would be overwritten; choose another "
                    "folder with --to DIR, or put the table between two markers of a document with "
                    "--update FILE"
                )


def _add_search(report: Report, manifest: Manifest, storage: str | None) -> None:
    """Add the best setting and the plots of a search's study to the report."""
    from gansweep.report.plots.study import write_plots
    from gansweep.report.stored_study import best_setting, read_study
    from gansweep.report.table.votes import places_by_eye

    place = manifest_path(report.out, manifest.name)
    label = manifest.search.get("label", "value")
    study = read_study(storage or manifest.search.get("storage"), manifest.name, place)
    places = None
    if manifest.search.get("eye"):
        places = places_by_eye(report.out, manifest.name, manifest.pictures[0])
    report.best = best_setting(study, label, manifest.search.get("metric", ""), places)
    labels = study.metric_names or [label]
    plots = write_plots(study, report.folder / IMAGES, " / ".join(labels))
    report.plots += [(alt, f"{IMAGES}/{file}") for alt, file in plots]


def update_block(report: Report, document: Path) -> bool:
    """Write the tables between the document's two markers. Returns whether the file changed.

    Raises UserError if the document or one of its markers is missing.
    """
    name = report.results.name
    start, end = f"<!-- gansweep:{name} -->", f"<!-- /gansweep:{name} -->"
    try:
        text = document.read_bytes().decode(
            "utf-8"
        )  # bytes, as text mode would change the line ends
    except OSError as error:
        raise UserError(f"{document}: {error.strerror}") from None
    if text.count(start) != 1 or text.count(end) != 1 or text.index(start) > text.index(end):
        raise UserError(f"{document} needs the lines {start} and {end}, once each, in this order")
    folder = os.path.relpath(report.folder.resolve(), document.resolve().parent)
    files = report.files.seen_from(quote(Path(folder).as_posix()))
    block = render_block(report.results, files)
    before, after = text[: text.index(start)], text[text.index(end) :]
    middle = f"{start}\n\n{block}\n"
    if "\r\n" in text:
        middle = middle.replace("\n", "\r\n")
    return write_if_new(document, before + middle + after)
