"""The file formats of a report. Each function writes a file into the report's folder.

The fact `files` has what each file of gansweep's contains, by name, so that no other file of the
same name is overwritten.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gansweep.plugins import Registry
from gansweep.store.run import write_if_new

if TYPE_CHECKING:
    from gansweep.report.write import Report

FORMATS = Registry("format")


@FORMATS.register("markdown", files={"README.md": "python -m gansweep"})
def markdown(report: Report) -> Path:
    """README.md: a table with pictures, as code hosts show it"""
    from gansweep.report.render.markdown import render

    path = report.folder / "README.md"
    write_if_new(path, render(report.results, report.files, report.best, report.plots))
    return path


@FORMATS.register("html", files={"index.html": "gansweep"})
def html(report: Report) -> Path:
    """index.html: a gallery to sort, filter and compare runs, without a server"""
    from gansweep.report.gallery.gallery_data import write_gallery

    return write_gallery(report)


@FORMATS.register("csv", files={"runs.csv": "row,"})
def csv(report: Report) -> Path:
    """runs.csv: parameters and results, with one line per run, for other programs"""
    from gansweep.report.render.csv_list import render

    path = report.folder / "runs.csv"
    write_if_new(path, render(report.results, report.files))
    return path


@FORMATS.register(
    "latex", files={"report.tex": r"\input{table}", "table.tex": "% Written by gansweep"}
)
def latex(report: Report) -> Path:
    r"""report.tex: a complete document; table.tex has only the table, for \input"""
    from gansweep.report.render.latex import render, render_document

    write_if_new(report.folder / "table.tex", render(report.results, report.files))
    path = report.folder / "report.tex"
    write_if_new(path, render_document(report.results))
    return path


@FORMATS.register("single", files={})
def single(report: Report) -> Path:
    """NAME.html: the gallery in one file of at most 10 MB for 40 rows, to pass on"""
    from gansweep.report.gallery.single import write_single

    return write_single(report)
